"""What is wrong with a data set: unreadable files, leaks, duplicates, identities without a mate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reidkit.data.decode import decode_rgb, read_bytes
from reidkit.data.orientation import orientation_of
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.utils.io import sha256_file
from reidkit.utils.progress import track

SHOWN = 5
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


def examine(
    splits: Mapping[str, Split], every: int = 1, across_cameras: bool = True
) -> list[Finding]:
    """All findings of the file and label checks, the worst first.

    Args:
        splits: of a reader.
        every: decode only each n-th file (content is compared for all).
        across_cameras: whether the test leaves out images of the query's own camera, and with them
            copies of the query that are there under this camera.
    """
    findings = [
        *_counts(splits),
        *_unreadable(splits, every),
        *_duplicates(splits, across_cameras),
        *_leaks(splits),
        *_mates(splits),
        *_histogram(splits),
    ]
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(findings, key=lambda finding: order[finding.level])


def _some(items: list[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


def _counts(splits: Mapping[str, Split]) -> list[Finding]:
    findings = []
    for name, split in splits.items():
        junk, distractors = (int((split.identities == mark).sum()) for mark in (-1, 0))
        count = int((np.unique(split.identities) > 0).sum())
        text = f"{name}: {len(split):,} images, {count:,} identities, "
        text += f"{len(np.unique(split.cameras))} cameras"
        text += f", {distractors:,} distractors" if distractors else ""
        text += f", {junk:,} junk" if junk else ""
        findings.append(Finding("info", text))
        if name == "train" and distractors:
            text = f"train: {distractors:,} images of identity 0 would be trained as one"
            findings.append(Finding("warning", text))
    return findings


def _files(splits: Mapping[str, Split]) -> dict[Path, tuple[str, int]]:
    """Each image file once, with the first split and row that name it."""
    files: dict[Path, tuple[str, int]] = {}
    for name, split in splits.items():
        for row in range(len(split)):
            files.setdefault(split.file(row), (name, row))
    return files


def _unreadable(splits: Mapping[str, Split], every: int) -> list[Finding]:
    places = _files(splits)
    files = list(places)[::every]
    broken, lying = [], []
    for file in track(files, label="decoding", unit="files"):
        name = _named(splits, places[file])
        try:
            data = read_bytes(str(file))
            decode_rgb(data, name)
        except (UserError, OSError) as error:
            broken.append(str(error).splitlines()[0])
            continue
        if orientation_of(data) != 1:
            lying.append(name)
    checked = f"{len(files):,} files decoded" + (f", each {every}th" if every > 1 else "")
    findings = [Finding("info", f"{checked}, all readable")]
    if broken:
        text = f"{len(broken)} of {checked} are unreadable: {_some(broken)}"
        findings = [Finding("error", text)]
    if lying:
        text = f"{len(lying)} files are stored lying, with an EXIF orientation, and read upright: "
        findings.append(Finding("info", text + _some(lying)))
    return findings


def _named(splits: Mapping[str, Split], place: tuple[str, int]) -> str:
    """A file by its path in the data set, with its identity's folder."""
    name, row = place
    return splits[name].paths[row]


def _duplicates(splits: Mapping[str, Split], across_cameras: bool) -> list[Finding]:
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
    across: list[str] = []
    tested: list[str] = []
    conflicting: list[str] = []
    out: list[str] = []
    harmless: list[str] = []
    for group in (g for g in same.values() if len(g) > 1):
        places = [files[file] for file in group]
        identities = {int(splits[name].identities[row]) for name, row in places}
        text = " = ".join(f"{name}: {splits[name].paths[row]}" for name, row in places)
        among = {name for name, _ in places}
        if len(identities) > 1:
            conflicting.append(text)
        elif {"train"} < among:
            across.append(text)
        elif {"query", "gallery"} <= among:
            cameras = {int(splits[name].cameras[row]) for name, row in places}
            (out if across_cameras and len(cameras) == 1 else tested).append(text)
        else:
            harmless.append(text)
    levels = (
        ("error", conflicting, "files of equal content under different identities"),
        ("error", across, "files of equal content in training and test"),
        ("error", tested, "files of equal content in query and gallery, which any method finds"),
        ("info", out, "files of query and gallery of one camera, which the test leaves out"),
        ("warning", harmless, "files of equal content"),
    )
    findings = [
        Finding(lv, f"{len(x)} groups of {what}: {_some(x)}") for lv, x, what in levels if x
    ]
    return findings or [Finding("info", f"no two of {len(files):,} files have the same content")]


def _leaks(splits: Mapping[str, Split]) -> list[Finding]:
    """Identities trained and tested on; needs numbers that mean the same everywhere."""
    known = {
        name: set(split.identities[split.identities > 0].tolist()) for name, split in splits.items()
    }
    findings = []
    for name in ("query", "gallery"):
        both = sorted(known.get("train", set()) & known.get(name, set()))
        if both:
            listed = _some([str(x) for x in both])
            findings.append(
                Finding("error", f"{len(both)} identities of train are also in {name}: {listed}")
            )
    if "query" in known and "gallery" in known:
        missing = sorted(known["query"] - known["gallery"])
        if missing:
            listed = _some([str(x) for x in missing])
            findings.append(
                Finding(
                    "warning", f"{len(missing)} identities of query are not in gallery: {listed}"
                )
            )
    if not findings and "train" in known:
        findings.append(Finding("info", "no identity of train is tested on"))
    return findings


def _mates(splits: Mapping[str, Split]) -> list[Finding]:
    """Identities seen by one camera: nothing across cameras can be learnt from them or tested."""
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
        seen, views = np.unique(pairs[:, 0], return_counts=True)
        alone = seen[views == 1].tolist()
        where = "train" if name == "train" else "the test"
        if alone and len(alone) == len(seen):
            found.append(
                Finding(
                    "warning",
                    f"every identity of {where} is seen by one camera: use protocol single-camera",
                )
            )
        elif alone:
            text = (
                f"{len(alone)} of {len(seen)} identities of {where} are seen by one camera only: "
            )
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
        count = int(((counts >= low) & (counts < high)).sum())
        if count:
            label = (
                f"{low}"
                if high == low + 1
                else f"{low}+"
                if high == np.inf
                else f"{low}-{int(high) - 1}"
            )
            bars.append(f"    {label:>6} images: {count:>6,} identities")
    span = f"{counts.min()} to {counts.max()} images per identity"
    text = f"train: {span}, median {int(np.median(counts))}\n"
    return [Finding("info", text + "\n".join(bars))]
