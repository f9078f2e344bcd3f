"""Writing a domain, pictures or video: whole files only, resumable, in all processes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.errors import UserError
from reidkit.synthped import plan as pl
from reidkit.synthped.presets import PRESETS
from reidkit.synthped.shards import (
    UNFINISHED,
    gather_truth,
    part_labels,
    render_shards,
    write_file,
)
from reidkit.utils.io import atomic_write
from reidkit.utils.leftovers import clear_leftovers
from reidkit.utils.locks import alone
from reidkit.utils.permission import may_write, refuse_writing

LOCK = ".lock"  # held while a domain is rendered


@dataclass(frozen=True)
class Contents:
    """What a folder is to hold, as a pure function of ``made_of``.

    Args:
        items: the crops, sorted by path.
        made_of: preset, domain, seed, style and what else decides the bytes; kept in the manifest.
        tables: further files, name -> content.
    """

    items: list[pl.Item]
    made_of: dict[str, Any]
    tables: dict[str, bytes] = field(default_factory=dict)

    @property
    def files(self) -> list[str]:
        """Every file but the manifest, in the order of the hash."""
        paths = [item.path for item in self.items]
        return [*paths, *part_labels(self.items), *sorted(self.tables), "truth.npz"]


def domain_folder(
    data_root: str | Path, preset: str, domain: str, seed: int = 0, style: str | None = None
) -> Path:
    """Where a domain lies: ``data_root/synthped/v3-standard/A_style_B``."""
    name = f"v{PRESETS[preset].version}-{pl.folder_name(preset, domain, seed, style)}"
    return Path(data_root) / "synthped" / name


def contents(
    preset: str = "standard", domain: str = "A", seed: int = 0, style: str | None = None
) -> Contents:
    """Everything the folder of a domain's pictures holds.

    Args:
        preset, domain, seed, style: see ``Shot``.

    Raises:
        ValueError: unknown preset, domain or style.
    """
    made_of = dict(preset=preset, domain=domain, seed=seed, style=style)
    return Contents(pl.plan(preset, domain, seed, style), made_of)


def write_domain(
    data_root: str | Path,
    preset: str = "standard",
    domain: str = "A",
    seed: int = 0,
    style: str | None = None,
    workers: int | None = None,
    force: bool = False,
    show: bool = True,
) -> Path:
    """Render a domain into its folder unless it is there already; returns the folder.

    Args:
        data_root: the folder in which all data sets lie.
        preset, domain, seed, style: see ``Shot``.
        workers, force, show: see ``write_contents``.

    Raises:
        ValueError: unknown preset, domain or style.
    """
    folder = domain_folder(data_root, preset, domain, seed, style)
    return write_contents(folder, contents(preset, domain, seed, style), workers, force, show)


def write_contents(
    folder: Path,
    wanted: Contents,
    workers: int | None = None,
    force: bool = False,
    show: bool = True,
) -> Path:
    """Render everything into a folder unless it is there already; returns the folder.

    A run that was killed goes on where it stopped and ends with the same bytes. Processes that
    start at the same time wait for one another. ``manifest.json`` is written last: a folder
    without it is never read.

    Args:
        folder: where to.
        wanted: what.
        workers: processes; None takes one per CPU, 0 or 1 renders in this process.
        force: render again what is there.
        show: progress bar.
    """
    if not force and holds(folder, wanted):
        _clear_unfinished(folder)
        return folder
    refuse_writing(folder)
    with alone(folder / LOCK):
        if not force and holds(folder, wanted):
            return folder
        clear_leftovers(folder, deep=True)
        if force:
            _clear(folder, wanted.items)
        label = f"rendering SynthPed {wanted.made_of['preset']} {folder.name}" if show else ""
        workers = os.cpu_count() or 1 if workers is None else workers
        if (folder / "manifest.json").exists():  # finished once and damaged since: trust nothing
            shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
            (folder / "manifest.json").unlink()
        shards = render_shards(folder, wanted.items, workers, label)
        _finish(folder, wanted, shards)
    return folder


def holds(folder: Path, wanted: Contents, thorough: bool = False) -> bool:
    """Whether a folder holds exactly this and nothing was lost.

    Args:
        folder: of a domain.
        wanted: what it should hold.
        thorough: compare the bytes of every file with the manifest's hash, not only the sizes.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    files = wanted.files
    preset = PRESETS[wanted.made_of["preset"]]
    knobs = json.loads(json.dumps(preset.knobs()))
    facts = [manifest.get(key) for key in ("version", "files", "knobs")]
    if facts != [preset.version, len(files), knobs]:
        return False
    try:
        if manifest["sizes"] != _sizes(folder, files):
            return False
        return not thorough or manifest["content"] == content_hash(folder, files)
    except OSError:
        return False


def content_hash(folder: Path, files: list[str]) -> str:
    """sha256 over names and bytes of the files, in their order."""
    total = hashlib.sha256()
    for name in files:
        total.update(name.encode() + hashlib.sha256((folder / name).read_bytes()).digest())
    return total.hexdigest()


def _sizes(folder: Path, files: list[str]) -> str:
    """sha256 over names and sizes: what a second start compares."""
    lines = [f"{name} {os.stat(folder / name).st_size}" for name in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _clear_unfinished(folder: Path) -> None:
    """Remove what a kill at the very end has left in a finished folder, where it can be written."""
    if not may_write() or not any((folder / name).exists() for name in (UNFINISHED, LOCK)):
        return
    with suppress(OSError), alone(folder / LOCK):
        shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
        clear_leftovers(folder)


def _clear(folder: Path, items: list[pl.Item]) -> None:
    (folder / "manifest.json").unlink(missing_ok=True)
    for name in (UNFINISHED, *_folders([item.path for item in items]), pl.PART_LABELS):
        shutil.rmtree(folder / name, ignore_errors=True)


def _finish(folder: Path, wanted: Contents, shards: int) -> None:
    truth = gather_truth(folder, shards)
    paths = [item.path for item in wanted.items]
    with atomic_write(folder / "truth.npz") as file:
        np.savez_compressed(file, allow_pickle=False, paths=np.array(paths), **truth)
    for name, content in wanted.tables.items():
        write_file(folder / name, content)
    _remove_strays(folder, paths, part_labels(wanted.items))
    files, preset = wanted.files, PRESETS[wanted.made_of["preset"]]
    manifest = dict(
        benchmark="SynthPed",
        version=preset.version,
        **wanted.made_of,
        knobs=preset.knobs(),
        counts={name: sum(p.startswith(name + "/") for p in paths) for name in _folders(paths)},
        files=len(files),
        sizes=_sizes(folder, files),
        content=content_hash(folder, files),
    )
    with atomic_write(folder / "manifest.json", "w") as file:
        json.dump(manifest, file, indent=1)
        file.write("\n")
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)


def _folders(paths: list[str]) -> list[str]:
    return sorted({path.partition("/")[0] for path in paths})


def _remove_strays(folder: Path, paths: list[str], labels: list[str]) -> None:
    """Delete what a killed run or another version left in the image folders."""
    wanted = {*paths, *labels}
    for name in (*_folders(paths), pl.PART_LABELS):
        for place, _, names in os.walk(folder / name):
            for file in names:
                if Path(place, file).relative_to(folder).as_posix() not in wanted:
                    os.unlink(Path(place, file))


def load_truth(folder: str | Path) -> dict[str, np.ndarray]:
    """The truth of a domain's folder by key; rows follow ``paths`` (sorted, all splits).

    Keys: paths; joints (M, 17, 3); part_maps (M, 96, 32); visible (M, 8); box_error (M, 4);
    heading (M,); seconds (M,); occluded (M,); image_sizes (M, 2). See ``Crop`` for the units.

    Raises:
        UserError: no readable truth.npz there.
    """
    file = Path(folder) / "truth.npz"
    try:
        with np.load(file) as truth:
            return {key: truth[key] for key in truth.files}
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file.as_posix()}: no readable truth ({error}); "
            "render the domain again with tools/synthped.py --force"
        ) from None
