"""Galleries whose writer is killed: what was confirmed is there, nothing is half, nothing is left.

A trial forks a process that enrols, erases or merges, and notes outside the gallery what has
returned. It is killed at one of the moments at which it changes a file, or some milliseconds after.
Then the gallery is opened as anybody would open it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from operator import methodcaller
from pathlib import Path

import torch

from reidkit.evaluation.matchers.vectors import CosineMatcher
from reidkit.gallery import EmbeddingsOnly, Gallery
from reidkit.gallery.writing import needs_tidying
from reidkit.structures import Embedding
from reidkit.testing.kills import ended, litter, started

MODEL, IMAGES = "toy", 3
WORKS = ("enrol", "erase", "merge")
STANDING = [f"standing-{n}" for n in range(6)]


@dataclass
class Trial:
    """One kill; ``problems`` is empty where all is as it must be."""

    work: str
    at: str = ""
    confirmed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def campaign(base: Path, points: int, seed: int = 0, works: tuple[str, ...] = WORKS) -> list[Trial]:
    """So many kills, each kind of work its share.

    Args:
        base: an empty folder for everything.
        points: kills.
        seed: of their moments.
        works: of "enrol", "erase", "merge".
    """
    _standing(base)
    moments = {}
    for work in works:
        folder = _started_folder(base, work)
        if ended(started(partial(_work, work, folder), folder)):
            raise RuntimeError(f"{work}: unbroken, failed:\n{(folder / 'log').read_text()}")
        moments[work] = len((folder / "moments").read_text().splitlines())
        broken = _problems(work, folder, _confirmed(folder))
        if broken or len(_confirmed(folder)) != len(STEPS[work]):
            raise RuntimeError(f"{work}: unbroken, {broken}")
        shutil.rmtree(folder)
    draw = random.Random(seed)
    return [_trial(base, works[n % len(works)], n, draw, moments) for n in range(points)]


def people(seed: int) -> Embedding:
    """Embeddings of one person's images."""
    return Embedding(torch.randn(IMAGES, 1, 32, generator=torch.Generator().manual_seed(seed)))


def _gallery(folder: Path) -> Gallery:
    return Gallery(folder, EmbeddingsOnly(MODEL, CosineMatcher()))


def _standing(base: Path) -> None:
    """The gallery that every trial starts with, one to be merged, and a copy."""
    for name, listed, first in (("gallery", STANDING, 0), ("other", OTHERS, 50)):
        gallery = _gallery(base / name)
        for number, person in enumerate(listed, first):
            gallery.enrol(person, people(number), source=f"form of {person}", model=MODEL)
        gallery.search(Embedding.cat([people(n) for n in range(6)]), model=MODEL)


OTHERS = [f"other-{n}" for n in range(3)]
STEPS: dict[str, dict[str, Callable[[Gallery], object]]] = {
    "enrol": {
        f"new-{n}": partial(Gallery.enrol, ids=f"new-{n}", crops=people(100 + n), model=MODEL)
        for n in range(4)
    },
    "erase": {name: methodcaller("erase", name) for name in STANDING[:3]},
    "merge": {"other": lambda g: g.merge(g.folder.parent / "other")},
}


def _started_folder(base: Path, name: str) -> Path:
    folder = base / f"trial-{name}"
    folder.mkdir()
    for part in ("gallery", "other"):
        shutil.copytree(base / part, folder / part)
    return folder


def _work(work: str, folder: Path) -> None:
    """All steps, each confirmed outside the gallery when it has returned."""
    gallery = _gallery(folder / "gallery")
    handle = os.open(folder / "confirmed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for name, step in STEPS[work].items():
        step(gallery)
        os.write(handle, f"{name}\n".encode())


def _confirmed(folder: Path) -> list[str]:
    file = folder / "confirmed"
    return file.read_text().splitlines() if file.exists() else []


def _trial(
    base: Path, work: str, number: int, draw: random.Random, moments: dict[str, int]
) -> Trial:
    folder = _started_folder(base, f"{work}-{number}")
    at, delay = draw.randint(1, moments[work]), draw.choice([0.0, 0.0, draw.uniform(1e-4, 5e-3)])
    status = ended(started(partial(_work, work, folder), folder, at, delay))
    lines = (folder / "moments").read_text().splitlines()
    trial = Trial(work, lines[-1] if lines else "start", _confirmed(folder))
    if status not in (0, -signal.SIGKILL):
        trial.problems.append(f"ended with {status}: {(folder / 'log').read_text()[-300:]}")
    else:
        trial.problems += _problems(work, folder, trial.confirmed)
    if not trial.problems:
        shutil.rmtree(folder)
    return trial


def _problems(work: str, folder: Path, confirmed: list[str]) -> list[str]:
    """What is not as it must be after the gallery has been opened again."""
    gallery = _gallery(folder / "gallery")
    gallery.verify()
    found = [f"left: {name}" for name in litter(folder / "gallery")]
    if needs_tidying(gallery.folder, gallery.snapshot.manifest):
        found.append("leftovers after opening")
    steps = list(STEPS[work])
    there = {name: len(gallery.images(name)) for name in [*STANDING, *OTHERS, *steps]}
    for name in steps:
        if work == "erase":
            done = there[name] == 0 and not _traces(folder / "gallery", name)
        else:
            done = there[name] == IMAGES if work == "enrol" else _merged(there) == len(OTHERS)
        begun = there[name] != IMAGES if work == "erase" else _merged(there) or there[name]
        if name in confirmed and not done:
            found.append(f"{name} was confirmed, and is not so")
        if begun and not done:
            found.append(f"{name} is half")
    for number, name in enumerate(STANDING):
        if not (work == "erase" and name in steps) and not _same(gallery, name, people(number)):
            found.append(f"{name} is not as it was")
    gallery.enrol("after", people(999), model=MODEL)
    return found + [f"left: {name}" for name in litter(folder / "gallery")]


def _merged(there: dict[str, int]) -> int:
    return sum(there[name] == IMAGES for name in OTHERS)


def _same(gallery: Gallery, name: str, wanted: Embedding) -> bool:
    answers = gallery.search(wanted, k=1, model=MODEL)
    exact = [one.identity == name and one.distance < 1e-6 for one in answers]
    return all(exact) and len(gallery.images(name)) == IMAGES


def _traces(folder: Path, name: str) -> bool:
    """Whether a name or a vector of one who stood there is in any file."""
    content = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    return name.encode() in content or any(row in content for row in _rows(name))


def _rows(name: str) -> list[bytes]:
    """The first numbers of each vector of one who stood there, as they lie in a file."""
    vectors = people(STANDING.index(name)).vectors
    assert vectors is not None
    return [row[0, :4].numpy().tobytes() for row in vectors]
