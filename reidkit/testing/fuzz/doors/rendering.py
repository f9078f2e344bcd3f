"""Rendered sets in which something has changed; odd options of ``synthped`` and ``train-pose``."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from pathlib import Path
from random import Random

from reidkit.errors import UserError
from reidkit.testing.fuzz.capture import captured
from reidkit.testing.fuzz.case import Case, Cli, Command, Door, Place
from reidkit.testing.fuzz.mutate import changed_tree, damaged, odd_name, odd_number, put_odd

RENDER = ("synthped", "--preset", "tiny", "--domains", "A", "--workers", "0", "--root")
NO_POSE = {
    "--epochs": ("0", "-1", "1.5", "x"), "--batch-size": ("0", "-8", "x"), "--seed": ("-1", "x"),
    "--worlds": ("0", "-1"), "--workers": ("-1",), "--threads": ("-1", "x"),
    "--rate": ("0", "-1", "nan", "inf", "1e400", "x"), "--preset": ("nope", "", "../standard"),
    "--weights": ("missing.safetensors", "a folder", "a pipe", "endless"),
    "--work-dir": ("file", "file/below"), "--out": ("a folder", "file/below"),
}  # fmt: skip


def prepare(folder: Path, cli: Cli) -> None:
    """SynthPed's tiny preset, domain A."""
    with captured() as printed:
        status = cli([*RENDER, str(folder)])
    if status:
        raise UserError(f"the valid set cannot be rendered: {printed.err}")


def make(rng: Random, place: Place) -> Case:
    """Going on with a rendered set, or a command with one odd option."""
    return rng.choice((_changed_set, _changed_set, _renderer_option, _pose_option))(rng, place)


def _changed_set(rng: Random, place: Place) -> Case:
    """A file of a rendered set is changed, gone or something else; then the set is asked for."""
    shutil.copytree(place.valid / "synthped", place.out / "synthped")
    path = rng.choice(sorted(p for p in (place.out / "synthped").rglob("*") if p.is_file()))
    how = rng.choice(("bytes", "bytes", "file", "gone", "values"))
    if how == "gone":
        path.unlink()
    elif how == "file":
        how = put_odd(path, rng)
    elif how == "values" and path.suffix == ".json":
        tree, where, what = changed_tree(json.loads(path.read_text()), rng)
        path.write_text(json.dumps(tree))
        how = f"{'.'.join(map(str, where))[:40]} {what}"
    else:
        data, how = damaged(path.read_bytes(), rng)
        path.write_bytes(data)
    name = path.relative_to(place.out).as_posix()

    def check(found: Command) -> str:
        if found.status == 1 and "differs from its manifest" in found.out:
            return ""
        return _differs(place.valid / "synthped", place.out / "synthped")

    return Case(f"{name}: {how}", lambda: place.command(*RENDER, "out", "--verify"), check)


def _differs(wanted: Path, found: Path) -> str:
    """The first file of a folder that is another one, or missing, in the second; else empty."""
    for path in sorted(p for p in wanted.rglob("*") if p.is_file()):
        other = found / path.relative_to(wanted)
        if not other.is_file() or not filecmp.cmp(path, other, shallow=False):
            return f"{path.relative_to(wanted)} differs, without a word"
    return ""


def _renderer_option(rng: Random, place: Place) -> Case:
    """No domain is rendered, unless the option brings one."""
    (place.here / "file").write_text("x")
    (place.here / "loop").symlink_to("loop")
    number = str(odd_number(rng))
    option = rng.choice((
        ("--preset", odd_name(rng)), ("--style", odd_name(rng)), ("--domains", "A", "Z"),
        ("--seed", number, "--domains", "A"), ("--workers", number, "--domains", "A"),
        ("--root", "file", "--domains", "A"), ("--root", "loop", "--domains", "A"),
        ("--sheet", "file/x.png"), ("--sheet", "out"), ("--sheet", "out/x.nope"),
        ("--root", f"out/{odd_name(rng)}", "--domains", "A"),
    ))  # fmt: skip
    argv = ("synthped", "--preset", "tiny", "--domains", "--workers", "0", "--root", "out")
    place.out.mkdir()
    return Case(f"synthped {' '.join(option)[:60]}", lambda: place.command(*argv, *option))


def _pose_option(rng: Random, place: Place) -> Case:
    """An option with which no pose model can be trained."""
    option = rng.choice(sorted(NO_POSE))
    value = rng.choice(NO_POSE[option])
    (place.here / "file").write_text("x")
    (place.here / "a folder").mkdir()
    os.mkfifo(place.here / "a pipe")
    (place.here / "endless").symlink_to("/dev/zero")
    argv = ("train-pose", "--preset", "tiny", "--worlds", "1", "--epochs", "1", "--data-root",
            place.valid, "--work-dir", "out/pose", option, value)  # fmt: skip
    return Case(f"train-pose {option} {value}", lambda: place.command(*argv), refuse=True)


DOOR = Door("rendering", "synthped: rendered sets, odd options; train-pose: odd options", make,
            prepare, share=0.7, seconds=60)  # fmt: skip
