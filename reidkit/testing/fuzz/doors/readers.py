"""The readers of published data sets: their lists, tables and file names."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from random import Random
from typing import Any

from reidkit.registry import DATASETS
from reidkit.testing.fuzz.case import Case, Cli, Door, Place
from reidkit.testing.fuzz.doors.layouts import LAYOUTS
from reidkit.testing.fuzz.mutate import changed_tree, damaged, odd_name, put_odd

Listed = dict[str, list[tuple[str, int, int]]]  # split -> path, identity, camera
IMAGES = (".jpg", ".jpeg", ".png", ".bmp")


def prepare(folder: Path, cli: Cli) -> None:
    """A small tree of every layout, and what its reader says of it."""
    for name, (root, options, make_tree) in LAYOUTS.items():
        make_tree(folder / name / root)
        (folder / f"{name}.json").write_text(json.dumps(_listed(name, folder / name, options)))


def _listed(name: str, data_root: Path, options: dict[str, Any]) -> Listed:
    reader = DATASETS.build(
        dict(type=name, **options), dict(data_root=str(data_root), settings=None)
    )
    reader.prepare()
    return {
        key: [
            (str(path), int(person), int(camera))
            for path, person, camera in zip(s.paths, s.identities, s.cameras, strict=True)
        ]
        for key, s in reader.splits().items()
    }


def _change(rng: Random, root: Path) -> str:
    """One change to a tree: to a list or table half of the time, else to images and folders."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    tables = [p for p in files if p.suffix not in IMAGES]
    path = rng.choice(tables if tables and rng.random() < 0.7 else files)
    inside = path.relative_to(root)
    how = rng.choice(
        ("damaged", "damaged", "replaced", "line", "renamed", "removed", "copied", "folder")
    )
    if how == "damaged" and path.suffix == ".json" and rng.random() < 0.7:
        tree, where, what = changed_tree(json.loads(path.read_text()), rng)
        path.write_text(json.dumps(tree))
        return f"{inside}: {'.'.join(map(str, where))} {what}"
    if how == "line" and path.suffix == ".txt":
        lines = path.read_bytes().split(b"\n")
        at = rng.randrange(len(lines))
        odd = rng.choice(
            (
                b"",
                b"x",
                b"a b c d",
                lines[0],
                b"../../x.jpg 1",
                b"\xff\xfe",
                b"0000/a.jpg -5",
                lines[0] + b"\r",
                lines[0].replace(b"/", b"\\"),
                b"a.jpg 99999999999999999999",
            )
        )
        lines[at] = odd
        path.write_bytes(b"\n".join(lines))
        return f"{inside}: line {at + 1} is {odd[:30]!r}"
    if how == "replaced":
        return f"{inside}: {put_odd(path, rng)} in its place"
    if how == "renamed":
        new = rng.choice(
            (
                odd_name(rng) + path.suffix,
                path.stem.replace("0", "²", 1) + path.suffix,
                path.stem + path.suffix.upper(),
                "9" * 25 + path.name,
            )
        )
        os.replace(path, path.with_name(new))
        return f"{inside} renamed to {new[:30]!r}"
    if how == "removed":
        path.unlink()
        return f"{inside} removed"
    if how == "copied":
        shutil.copy(path, path.with_name("copy_" + path.name))
        return f"a copy beside {inside}"
    if how == "folder" and path.parent != root:
        shutil.rmtree(path.parent)
        return f"{inside.parent} removed"
    new_bytes, what = damaged(path.read_bytes(), rng)
    path.write_bytes(new_bytes)
    return f"{inside}: {what}"


def make(rng: Random, place: Place) -> Case:
    """Listing one data set in which something has changed."""
    name = rng.choice(sorted(LAYOUTS))
    root, options, _ = LAYOUTS[name]
    shutil.copytree(place.valid / name, place.here / "data")
    before = json.loads((place.valid / f"{name}.json").read_text())
    what = _change(rng, place.here / "data" / root) if rng.random() < 0.95 else "as it is"
    same = what == "as it is"

    def check(found: Listed) -> str:
        """What is listed still is of the same person and camera, and listed once."""
        if same and {k: list(map(list, v)) for k, v in found.items()} != before:
            return "other rows for the same tree"
        for split, rows in found.items():
            if len({path for path, *_ in rows}) != len(rows) and name != "CocoPersons":
                return f"a file of {split} is listed twice"
            known = {path: (person, camera) for path, person, camera in before.get(split, ())}
            for path, *own in rows:
                if path in known and known[path] != tuple(own) and name != "CocoPersons":
                    return f"{path} was {known[path]} and is {tuple(own)}"
        return ""

    def run() -> Listed:
        return _listed(name, Path("data"), options)

    return Case(f"{name}: {what}", run, check)


DOOR = Door("readers", "lists, tables and names of published data sets", make, prepare,
            writes=("data",), share=1.0)  # fmt: skip
