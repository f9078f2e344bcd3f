"""One list of crops with what is known of each: the currency between all layers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

_PER_ROW = ("identities", "cameras", "times", "keypoints", "boxes")


@dataclass(frozen=True, eq=False)
class Split:
    """The crops of one split of one data set, in sorted order, with identity and camera of each.

    Args:
        dataset: name of the data set, as printed with every result ("market1501").
        name: "train", "query" or "gallery".
        root: folder that ``paths`` are relative to.
        paths: M file paths with forward slashes, sorted.
        identities: raw identities (int64); -1 is junk, 0 a distractor where the set has one.
        cameras: raw cameras (int64).
        times: seconds on the cameras' clock (float64), or None.
        keypoints: COCO joints the data set itself brings: x, y in crop pixels, confidence or flag.
        part_label_paths: part-label PNGs it brings, one per crop, relative to ``root``.
        boxes: x, y, width, height in file pixels: the crop is this part of the file; a row of NaN:
            the whole file.
        labels: labels that the data set itself brings, one row per path each, by name.
        label_key: name of its label store; default "<dataset>/<name>".
        originals: crops of which these are style-transferred copies, with the same base names. The
            labels are those of the originals, since style transfer keeps the geometry.
        pictures: what they are: "photographs", or "synthped" for SynthPed's renderings; pose models
            are made for the one or the other.

    Shape:
        identities, cameras, times (M,); keypoints (M, 17, 3); boxes (M, 4).

    Raises:
        ValueError: an array that does not have one row per path.

    Example:
        >>> split = Split("toy", "train", Path("toy"), ("a.jpg", "b.jpg"), [7, 3], [1, 2])
        >>> len(split), split.label_key, split.relabel()
        (2, 'toy/train', (array([1, 0]), 2))
        >>> split.select([1]).paths
        ('b.jpg',)
    """

    dataset: str
    name: str
    root: Path
    paths: tuple[str, ...]
    identities: np.ndarray
    cameras: np.ndarray
    times: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    part_label_paths: tuple[str, ...] | None = None
    boxes: np.ndarray | None = None
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    label_key: str = ""
    originals: Split | None = None
    pictures: str = "photographs"

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "root", Path(self.root))
        put(self, "paths", tuple(self.paths))
        put(self, "label_key", self.label_key or f"{self.dataset}/{self.name}")
        for name in _PER_ROW:
            value = getattr(self, name)
            if value is not None:
                whole = name in ("identities", "cameras")
                put(self, name, np.asarray(value, dtype=np.int64 if whole else np.float64))
        if self.part_label_paths is not None:
            put(self, "part_label_paths", tuple(self.part_label_paths))
        count = len(self.paths)
        shapes = {"keypoints": (count, 17, 3), "boxes": (count, 4)}
        for name in _PER_ROW:
            value, wanted = getattr(self, name), shapes.get(name, (count,))
            if value is not None and value.shape != wanted:
                raise ValueError(f"Split.{name} must be {wanted}, got {value.shape}")
        labels = self.part_label_paths
        if labels is not None and len(labels) != count:
            raise ValueError(f"Split.part_label_paths: {len(labels)} for {count} paths")
        put(self, "labels", {name: np.asarray(rows) for name, rows in self.labels.items()})
        for name, rows in self.labels.items():
            if len(rows) != count:
                raise ValueError(f"Split.labels[{name!r}]: {len(rows)} rows for {count} paths")

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def num_identities(self) -> int:
        """Number of different identities, junk (-1) not counted."""
        return int((np.unique(self.identities) >= 0).sum())

    def file(self, index: int) -> Path:
        """The image file of one crop."""
        return self.root / self.paths[index]

    def box(self, index: int) -> np.ndarray | None:
        """The part (4,) of its file that one crop is, as in ``boxes``; None for the whole file."""
        if self.boxes is None or np.isnan(self.boxes[index]).any():
            return None
        return self.boxes[index]  # type: ignore[no-any-return]

    def original_rows(self) -> np.ndarray:
        """Rows (M,) int64 of ``originals``, by base name."""
        assert self.originals is not None
        rows = {PurePosixPath(path).stem: row for row, path in enumerate(self.originals.paths)}
        return np.array([rows[PurePosixPath(path).stem] for path in self.paths], dtype=np.int64)

    def fingerprint(self) -> str:
        """sha256 over relative paths, identities, cameras and boxes: what a label store fits."""
        digest = hashlib.sha256("\n".join(self.paths).encode(errors="surrogateescape"))
        for array in (self.identities, self.cameras, self.boxes):
            if array is not None:
                digest.update(b"\0" + array.astype(array.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    def relabel(self) -> tuple[np.ndarray, int]:
        """Identities as 0..K-1 by sorted raw identity, and K."""
        known, labels = np.unique(self.identities, return_inverse=True)
        return labels.reshape(-1).astype(np.int64), len(known)

    def select(self, index: Sequence[int] | np.ndarray) -> Split:
        """The split with only these rows, in this order; the label key stays.

        Args:
            index: row numbers, or a boolean mask of M.
        """
        rows = np.asarray(index)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        kept = {f: v[rows] for f in _PER_ROW if (v := getattr(self, f)) is not None}
        labels = self.part_label_paths
        if labels is not None:
            kept["part_label_paths"] = tuple(labels[i] for i in rows)
        kept["labels"] = {name: values[rows] for name, values in self.labels.items()}
        return replace(self, paths=tuple(self.paths[i] for i in rows), **kept)


@dataclass(frozen=True, eq=False)
class Trial:
    """One repetition of a test: the rows of query and gallery that take part in it.

    Data sets with several official test splits (VIPeR, CUHK03 classic, PRID2011, ...) list all
    images once, in "query" and "gallery", and give one ``Trial`` for each split; embeddings are
    then extracted once, and the result is the mean over the trials.

    Args:
        query: rows of the query split, ascending.
        gallery: rows of the gallery split, ascending.
        name: as reported; may be empty.

    Example:
        >>> Trial([0, 2], [True, False, True]).gallery
        array([0, 2])
    """

    query: np.ndarray
    gallery: np.ndarray
    name: str = ""

    def __post_init__(self) -> None:
        for name in ("query", "gallery"):
            rows = np.asarray(getattr(self, name))
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
            object.__setattr__(self, name, rows)
