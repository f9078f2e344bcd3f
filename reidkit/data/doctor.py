"""What is wrong with a data set: unreadable files, leaks, duplicates, people without a mate."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.decode import decode_rgb, read_bytes
from reidkit.data.image_folder import SPLITS
from reidkit.data.reader import Reader, list_images
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS
from reidkit.utils.io import sha256_file
from reidkit.utils.progress import track

SHOWN = 5
LEVELS = 3  # down which data sets are looked for, to name them
BINS = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Finding:
    """One thing to know.

    Attributes:
        level: "error" (numbers will be wrong or training will stop), "warning" or "info".
        text: what, how many, and the first examples.
    """

    level: str
    text: str


def find_reader(folder: Path, name: str | None = None) -> Reader:
    """The reader whose layout lies in a folder.

    Args:
        folder: the data set's own folder.
        name: of the reader; None tries all and takes the one that wants the most of what is there.

    Raises:
        UserError: no such folder, unknown reader, or no layout fits (with what each one wants).
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    readers = _readers(folder, name)
    if fitting := _fitting(folder, readers):
        return fitting
    if name is None and _is_image_folder(folder):
        return _build("ImageFolder", folder)
    if inner := _below(folder, readers, LEVELS):
        raise UserError(
            f"{folder} is no data set itself, but holds some; name one of: "
            + _some([str(path) for path in inner])
        )
    held = ", ".join(sorted(path.name for path in folder.iterdir())[:12])
    wanted = [f"  {type(reader).__name__}: {', '.join(reader.needed)}" for reader in readers]
    raise UserError(
        f"{folder}: no known layout; it holds {held}"
        "\nlayouts:\n"
        + "\n".join(wanted)
        + "\n  ImageFolder: {train,query,gallery}/<identity>/*.jpg, or <identity>/*.jpg"
    )


def _readers(folder: Path, name: str | None) -> list[Reader]:
    """The reader of this name, or all that need no options of their own."""
    names = (
        [name] if name else [n for n in DATASETS.names() if n not in ("SynthPed", "ImageFolder")]
    )
    readers = []
    for one in names:
        try:
            readers.append(_build(one, folder))
        except KeyError as error:
            raise UserError(str(error.args[0])) from None
        except TypeError as error:  # needs options that a folder does not tell
            if name:
                raise UserError(str(error.args[0])) from None
    return readers


def _fitting(folder: Path, readers: list[Reader]) -> Reader | None:
    """Of the readers whose files are there, the one that fits best, if any."""

    def fit(reader: Reader) -> tuple:  # many sets share the layout of Market-1501
        return len(reader.needed), reader.name == folder.name, type(reader).__name__ == "Market1501"

    fitting = [r for r in readers if all((folder / entry).exists() for entry in r.needed)]
    return max(fitting, key=fit, default=None)


def _below(folder: Path, readers: list[Reader], levels: int) -> list[Path]:
    """Folders of data sets, as many levels down."""
    with os.scandir(folder) as entries:
        inner = sorted(Path(e) for e in entries if e.is_dir() and not e.name.startswith("."))
    found = []
    for path in inner:
        if _fitting(path, readers):
            found.append(path)
        elif levels > 1:
            found += _below(path, readers, levels - 1)
    return found


def _build(name: str, folder: Path) -> Reader:
    options: dict[str, Any] = dict(type=name, root=folder.name)
    given = dict(data_root=str(folder.parent), check_counts="never")
    return DATASETS.build(options, **given)


def _is_image_folder(folder: Path) -> bool:
    """Whether sub-folders, or those of the splits, hold images themselves."""
    roots = [folder / split for split in SPLITS if (folder / split).is_dir()] or [folder]
    people = (path for root in roots for path in root.iterdir() if path.is_dir())
    return any(list_images(path) for path in people)


def examine(splits: Mapping[str, Split], every: int = 1) -> list[Finding]:
    """All findings of the file and label checks, the worst first.

    Args:
        splits: of a reader.
        every: decode only each n-th file (content is compared for all).
    """
    found = [
        *_counts(splits),
        *_unreadable(splits, every),
        *_duplicates(splits),
        *_leaks(splits),
        *_mates(splits),
        *_histogram(splits),
    ]
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(found, key=lambda finding: order[finding.level])


def _some(items: list[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


def _counts(splits: Mapping[str, Split]) -> list[Finding]:
    found = []
    for name, split in splits.items():
        junk, distractors = (int((split.identities == mark).sum()) for mark in (-1, 0))
        people = int((np.unique(split.identities) > 0).sum())
        text = f"{name}: {len(split):,} images, {people:,} people, "
        text += f"{len(np.unique(split.cameras))} cameras"
        text += f", {distractors:,} distractors" if distractors else ""
        text += f", {junk:,} junk" if junk else ""
        found.append(Finding("info", text))
        if name == "train" and distractors:
            text = f"train: {distractors:,} images of identity 0 would be trained as one person"
            found.append(Finding("warning", text))
    return found


def _files(splits: Mapping[str, Split]) -> dict[Path, tuple[str, int]]:
    """Each image file once, with the first split and row that name it."""
    files: dict[Path, tuple[str, int]] = {}
    for name, split in splits.items():
        for row in range(len(split)):
            files.setdefault(split.file(row), (name, row))
    return files


def _unreadable(splits: Mapping[str, Split], every: int) -> list[Finding]:
    files = list(_files(splits))[::every]
    broken = []
    for file in track(files, label="decoding", unit="files"):
        try:
            decode_rgb(read_bytes(str(file)), str(file))
        except (UserError, OSError) as error:
            broken.append(f"{file.name} ({str(error).splitlines()[0]})")
    checked = f"{len(files):,} files decoded" + (f", each {every}th" if every > 1 else "")
    if not broken:
        return [Finding("info", f"{checked}, all readable")]
    return [Finding("error", f"{len(broken)} of {checked} are unreadable: {_some(broken)}")]


def _duplicates(splits: Mapping[str, Split]) -> list[Finding]:
    files = _files(splits)
    same_size: dict[int, list[Path]] = defaultdict(list)
    for file in files:
        if file.exists():
            same_size[file.stat().st_size].append(file)
    same: dict[str, list[Path]] = defaultdict(list)
    for group in same_size.values():
        if len(group) > 1:
            for file in group:
                same[sha256_file(file)].append(file)
    across, conflicting, harmless = [], [], []
    for group in (g for g in same.values() if len(g) > 1):
        places = [files[file] for file in group]
        people = {int(splits[name].identities[row]) for name, row in places}
        text = " = ".join(
            f"{name}/{file.name}" for (name, _), file in zip(places, group, strict=True)
        )
        if len(people) > 1:
            conflicting.append(text)
        elif {"train"} < {name for name, _ in places}:
            across.append(text)
        else:
            harmless.append(text)
    levels = (
        ("error", conflicting, "files of equal content under different identities"),
        ("error", across, "files of equal content in training and test"),
        ("warning", harmless, "files of equal content"),
    )
    found = [Finding(lv, f"{len(x)} groups of {what}: {_some(x)}") for lv, x, what in levels if x]
    return found or [Finding("info", f"no two of {len(files):,} files have the same content")]


def _leaks(splits: Mapping[str, Split]) -> list[Finding]:
    """People of the training set who are tested on; needs numbers that mean the same everywhere."""
    people = {
        name: set(split.identities[split.identities > 0].tolist()) for name, split in splits.items()
    }
    found = []
    for name in ("query", "gallery"):
        both = sorted(people.get("train", set()) & people.get(name, set()))
        if both:
            listed = _some([str(x) for x in both])
            found.append(
                Finding("error", f"{len(both)} people of train are also in {name}: {listed}")
            )
    if "query" in people and "gallery" in people:
        missing = sorted(people["query"] - people["gallery"])
        if missing:
            listed = _some([str(x) for x in missing])
            found.append(
                Finding("warning", f"{len(missing)} people of query are not in gallery: {listed}")
            )
    if not found and "train" in people:
        found.append(Finding("info", "no person of train is tested on"))
    return found


def _mates(splits: Mapping[str, Split]) -> list[Finding]:
    """People seen by one camera only: nothing across cameras can be learnt from them or tested."""
    found = []
    for name in ("train", "gallery"):
        if name not in splits:
            continue
        joined = [splits[name]] + (
            [splits["query"]] if name == "gallery" and "query" in splits else []
        )
        identities = np.concatenate([s.identities for s in joined])
        cameras = np.concatenate([s.cameras for s in joined])
        pairs = np.unique(np.stack([identities, cameras], 1)[identities > 0], axis=0)
        people, views = np.unique(pairs[:, 0], return_counts=True)
        alone = people[views == 1].tolist()
        where = "train" if name == "train" else "the test"
        if alone and len(alone) == len(people):
            found.append(
                Finding(
                    "warning",
                    f"every person of {where} is seen by one camera: use protocol single-camera",
                )
            )
        elif alone:
            text = f"{len(alone)} of {len(people)} people of {where} are seen by one camera only: "
            found.append(Finding("warning", text + _some([str(x) for x in alone])))
    return found


def _histogram(splits: Mapping[str, Split]) -> list[Finding]:
    split = splits.get("train")
    if split is None or not (split.identities > 0).any():
        return []
    counts = np.unique(split.identities[split.identities > 0], return_counts=True)[1]
    edges = [*BINS, np.inf]
    bars = []
    for low, high in zip(edges, edges[1:], strict=False):
        people = int(((counts >= low) & (counts < high)).sum())
        if people:
            label = (
                f"{low}"
                if high == low + 1
                else f"{low}+"
                if high == np.inf
                else f"{low}-{int(high) - 1}"
            )
            bars.append(f"    {label:>6} images: {people:>6,} people")
    span = f"{counts.min()} to {counts.max()} images per person"
    text = f"train: {span}, median {int(np.median(counts))}\n"
    return [Finding("info", text + "\n".join(bars))]
