"""Folders of crops: ``ImageFolder``, and ``reidkit doctor`` on the same."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from random import Random
from typing import Any

from reidkit.data.datasets.image_folder import ImageFolder
from reidkit.data.split import Split
from reidkit.testing.fuzz.case import Case, Cli, Door, Place
from reidkit.testing.fuzz.doors.crops import write_crops
from reidkit.testing.fuzz.mutate import damaged, odd_name, put_odd

CAMERA = r"c(\d)"


def prepare(folder: Path, cli: Cli) -> None:
    """A folder of crops."""
    write_crops(folder / "mine")


def _change(rng: Random, root: Path) -> str:
    """One change that a folder of people may have gone through."""
    how = rng.choice(
        ("an odd person", "an odd file", "an odd split", "a person with junk's name", "stray file",
         "deeper folder", "a link to the parent", "a file replaced", "damaged file", "no gallery",
         "an empty person", "only train", "flat", "another ending", "a copy", "unreadable")
    )  # fmt: skip
    split = root / rng.choice(("train", "query", "gallery"))
    person = split / rng.choice(("0001", "0002", "0003", "0004"))
    file = person / rng.choice(("c1_0.jpg", "c2_0.jpg"))
    if how == "an odd person":
        shutil.copytree(person, split / odd_name(rng))
    elif how == "an odd file":
        os.replace(file, person / (f"c1_{odd_name(rng)[:200]}.jpg"))
    elif how == "an odd split":
        os.replace(split, root / odd_name(rng))
    elif how == "a person with junk's name":
        shutil.copytree(
            person, split / rng.choice(("-1", "0000", "0", "00", "-2", "__MACOSX", "junk"))
        )
    elif how == "stray file":
        (
            rng.choice((root, split, person)) / rng.choice(("Thumbs.db", "._a.jpg", "a.jpg"))
        ).write_bytes(b"x")
    elif how == "deeper folder":
        shutil.copytree(person, person / "deeper")
    elif how == "a link to the parent":
        (person / "loop").symlink_to("..")
    elif how == "a file replaced":
        how = f"{put_odd(file, rng)} in place of a file"
    elif how == "damaged file":
        file.write_bytes(damaged(file.read_bytes(), rng)[0])
    elif how in ("no gallery", "only train"):
        for name in ("gallery",) if how == "no gallery" else ("gallery", "query"):
            shutil.rmtree(root / name)
    elif how == "an empty person":
        (split / "0005").mkdir()
    elif how == "flat":
        os.replace(file, split / "c1_flat.jpg")
    elif how == "another ending":
        os.replace(
            file, file.with_suffix(rng.choice((".gif", ".jfif", ".JPG", ".txt", "", ".tiff")))
        )
    elif how == "a copy":
        shutil.copy(file, root / "gallery" / "0004" / "c2_9.jpg")
    else:
        os.chmod(person, 0)
    return how


def _people(splits: dict[str, Split], marks: dict[int, int]) -> str:
    """What is wrong with the people of splits: one per folder, the same in every split.

    Args:
        splits: as listed.
        marks: numbers of folders that mark junk and distractors, and theirs as identities.
    """
    known: dict[str, int] = {}
    for split in splits.values():
        for path, person, camera in zip(split.paths, split.identities, split.cameras, strict=True):
            name = path.split("/")[-2]
            if known.setdefault(name, int(person)) != person:
                return f"{name} is {known[name]} and {person}"
            file = path.split("/")[-1]
            if file[:1] == "c" and file[1:2] in "12" and str(camera) != file[1:2]:
                return f"{path} is under camera {camera}"
    for name, number in known.items():
        wanted = marks.get(int(name)) if re.fullmatch("-?[0-9]+", name) else None
        if number != wanted and (wanted is not None or number < 1):
            return f"{name} is {number}"
    if len(set(known.values())) != len(known):
        return f"two folders are one person: {known}"
    return ""


def make(rng: Random, place: Place) -> Case:
    """Listing a folder, or examining it."""
    root = place.here / "mine"
    shutil.copytree(place.valid / "mine", root)
    changes: list[str] = []
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        try:
            changes.append(_change(rng, root))
        except OSError:  # what it would have changed has gone already
            continue
    what = ", ".join(changes) or "as it is"
    if rng.random() < 0.4:
        return Case(f"doctor: {what}", lambda: place.command("doctor", "data", "mine"), _spoke)
    marked: dict[str, Any] = rng.choice(({}, {}, dict(junk="-1", distractor="0000")))
    reader = ImageFolder(".", "mine", camera=CAMERA, **marked)
    marks = {-1: -1, 0: 0} if marked else {}
    said = ", junk and distractors marked" if marked else ""
    return Case(what + said, reader.splits, lambda found: _people(found, marks))


def _spoke(result) -> str | None:
    """The doctor has said how many errors there are, and its status agrees."""
    last = (result.out.strip().splitlines() or [""])[-1]
    counted = last.split(" ")[0]
    if not counted.isdigit() or (result.status == 1) != (counted != "0"):
        return f"status {result.status} after {last!r}"
    return ""


DOOR = Door("folders", "folders of crops, listed and examined", make, prepare)
