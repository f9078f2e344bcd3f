"""What is known of every crop of somebody's own data, and the splits that follow from it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.datasets.division import divide, several_cameras
from reidkit.data.identities import number_identities, whole_number, whole_numbers
from reidkit.data.split import Split
from reidkit.errors import UserError

SPLITS = ("train", "query", "gallery")
# further words of a split column -> the splits that a row is in; "test" is divided
WORDS = {
    "training": ("train",), "both": ("query", "gallery"), "test": ("test",),
    "train_gallery": ("train", "gallery"), "probe": ("query",),
    **{name: (name,) for name in SPLITS},
}  # fmt: skip
PASSED = ("val", "valid", "validation", "dev", "")


@dataclass(frozen=True, eq=False)
class CropTable:
    """Crops with their identities as text, before they are numbered and divided.

    Args:
        paths: M paths below the data set's folder, with forward slashes; several crops may be
            parts of one file.
        identities: M texts.
        cameras: M texts; None where nothing is known of cameras: queries then count as camera 0
            and everything else as camera 1, so that no pair is left out.
        splits: M words: train, query, gallery, both (query and gallery), test (divided into query
            and gallery); val and nothing leave a crop out. None: everything is divided.
        times: (M,) seconds, or None.
        boxes: (M, 4) x, y, width, height in pixels of the file, or None for whole files.
    """

    paths: Sequence[str]
    identities: Sequence[str]
    cameras: Sequence[str] | None = None
    splits: Sequence[str] | None = None
    times: np.ndarray | None = None
    boxes: np.ndarray | None = None

    def divided(
        self,
        dataset: str,
        root: Path,
        title: str,
        junk: str | int | None = None,
        distractor: str | int | None = None,
        holdout: float = 0.5,
        seed: int = 0,
    ) -> tuple[dict[str, Split], list[str]]:
        """The splits, each sorted by path, and what a user should know of them.

        Args:
            dataset: name in results.
            root: folder of ``paths``.
            title: for messages.
            junk, distractor: see ``number_identities``.
            holdout: share of the identities for testing, where everything is divided.
            seed: of the division.

        Raises:
            UserError: an unknown word in ``splits``; see ``divide`` and ``number_identities``.
        """
        table = self._sorted()  # so that the division does not depend on the order of rows
        if table is not self:
            return table.divided(dataset, root, title, junk, distractor, holdout, seed)
        # a name may come in two encodings of one text: systems differ in how they store "ë"
        texts = [unicodedata.normalize("NFC", text) for text in self.identities]
        people = number_identities(texts, title, junk, distractor, lambda row: self.paths[row])
        identities, notes = people.numbers, [people.notice]
        cameras = None
        if self.cameras is not None:
            cameras, note = _camera_numbers(self.cameras, title)
            notes.append(note)
        if self.splits is None:
            if cameras is not None and not len(several_cameras(identities, cameras)):
                notes.append("nobody is seen by two cameras, so images of one camera are compared")
                cameras = None
            masks = divide(identities, cameras, holdout, seed, title)
            notes.append(
                f"divided: {holdout:.0%} of the identities held out with seed {seed}; options "
                "holdout and seed"
            )
        else:
            masks, note = self._given(identities, cameras, seed, title)
            notes.append(note)
        splits = {
            name: self._split(dataset, name, root, identities, cameras, mask)
            for name, mask in masks.items()
        }
        return splits, [note for note in notes if note]

    def _sorted(self) -> CropTable:
        """The rows by path and box; the table itself where they are so already."""
        keys = [
            (path, () if self.boxes is None else tuple(self.boxes[row]))
            for row, path in enumerate(self.paths)
        ]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        if order == list(range(len(keys))):
            return self
        columns: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            values = getattr(self, name)
            if isinstance(values, np.ndarray):
                values = values[order]
            elif values is not None:
                values = [values[row] for row in order]
            columns[name] = values
        return CropTable(**columns)

    def _given(
        self, identities: np.ndarray, cameras: np.ndarray | None, seed: int, title: str
    ) -> tuple[dict[str, np.ndarray], str]:
        """Rows by the words of ``splits``."""
        words = np.array([str(word).strip().lower() for word in self.splits or ()], dtype=object)
        for word in sorted(set(words.tolist()) - {*WORDS, *PASSED}):
            row = int(np.flatnonzero(words == word)[0])
            raise UserError(
                f"{title}: split {word!r} of {self.paths[row]}; use {', '.join(WORDS)}, or val to "
                "leave it out"
            )
        rows = {
            name: np.array([name in WORDS.get(word, ()) for word in words], dtype=bool)
            for name in (*SPLITS, "test")
        }
        held = rows.pop("test")
        if held.any():
            if rows["query"].any() or rows["gallery"].any():
                raise UserError(
                    f"{title}: some images are called test, others query or gallery; a test image "
                    "is one of the latter, or all are divided"
                )
            part = divide(identities, cameras, seed=seed, title=title, held=held)
            rows |= {name: part[name] for name in ("query", "gallery")}
        passed = int(np.isin(words, PASSED).sum())
        note = f"left out: {passed:,} images of split val or of none" if passed else ""
        return {name: mask for name, mask in rows.items() if mask.any()}, note

    def _split(
        self,
        dataset: str,
        name: str,
        root: Path,
        identities: np.ndarray,
        cameras: np.ndarray | None,
        mask: np.ndarray,
    ) -> Split:
        rows = np.flatnonzero(mask)
        own = np.full(len(rows), name != "query") if cameras is None else cameras[rows]
        return Split(
            dataset,
            name,
            root,
            tuple(self.paths[int(i)] for i in rows),
            identities[rows],
            own,
            times=None if self.times is None else self.times[rows],
            boxes=None if self.boxes is None else self.boxes[rows],
        )


def _camera_numbers(cameras: Sequence[str], title: str) -> tuple[np.ndarray, str]:
    """Cameras as the whole numbers that they are, or numbered from 1, which the note says."""
    names = sorted(set(cameras))
    odd = next((name for name in names if not _is_whole(name)), None)
    if odd is None:
        return whole_numbers(cameras, f"{title}: camera"), ""
    number = {name: place for place, name in enumerate(names, 1)}
    note = (
        f"{title}: camera: names such as {odd!r}; {len(names):,} cameras are numbered from 1 in "
        "sorted order"
    )
    return np.array([number[name] for name in cameras], dtype=np.int64), note


def _is_whole(text: str) -> bool:
    try:
        return 0 <= whole_number(text) < 2**63
    except ValueError:
        return False
