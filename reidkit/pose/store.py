"""Part labels on disk: one folder per split, memory-mapped, complete or not there at all.

``meta.json``        data set and fingerprint of its files, what made the labels and how good they
                     look, count, format, sha256 of the other files, complete
``paths.txt``        the crops' paths, one per line, in the order of the rows
``keypoints.npy``    (M, 17, 3) float32: x, y in crop pixels, confidence in [0, 1]
``image_sizes.npy``  (M, 2) int64: height and width of the crops as labelled
``part_maps.npy``    (M, h, w) uint8 classes 0..7, where asked for

Opening a store reads it once, to compare it with its checksums and to see that every number can be:
0.4 s of a processor for 100,000 crops with part maps of 48x16, 0.1 s of it for the checksums.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.pose.crops import crop_sizes
from reidkit.pose.part_maps import PARTS
from reidkit.pose.store_meta import ADVICE, boxes_digest, files_digest, read_meta
from reidkit.utils.checksums import verify

LOOKED_AT = 16  # crops whose size is compared with the files at every opening


@dataclass(frozen=True, eq=False)
class LabelStore:
    """The labels of one split.

    Attributes:
        folder: where they lie.
        keypoints: (M, 17, 3) float32, x and y in crop pixels, confidence; memory-mapped.
        image_sizes: (M, 2) int64, height and width that the keypoints refer to.
        part_maps: (M, h, w) uint8, or None.
        meta: the content of ``meta.json``.
    """

    folder: Path
    keypoints: np.ndarray
    image_sizes: np.ndarray
    part_maps: np.ndarray | None
    meta: dict[str, Any]

    def __len__(self) -> int:
        return len(self.keypoints)

    @classmethod
    def open(cls, folder: Path | str, split: Split | None = None) -> LabelStore:
        """Open a complete store and see that it is whole and belongs to the split.

        A selection of the store's split gets the rows of its own files, in its own order.

        Args:
            folder: the store.
            split: what the labels are for; None to look at a store alone.

        Raises:
            UserError: no store, an unfinished or damaged one, another format; numbers that cannot
                be; labels of another data set (the text gives the first path that differs), or of
                files that have changed since.
        """
        folder = Path(folder)
        meta = read_meta(folder)
        arrays: dict[str, Any] = {
            "keypoints": _array(folder, "keypoints", (meta["count"], 17, 3), np.float32),
            "image_sizes": _array(folder, "image_sizes", (meta["count"], 2), np.int64),
            "part_maps": None,
        }
        if meta["part_maps"]:
            shape = (meta["count"], *meta["part_maps"])
            arrays["part_maps"] = _array(folder, "part_maps", shape, np.uint8)
        verify(folder, meta["sha256"], ADVICE)
        paths = read_paths(folder, meta["count"])
        _refuse_impossible(folder, paths, arrays)
        if split is not None:
            rows = matching_rows(folder, meta, split, paths)
            if rows is None:
                _compare_files(folder, meta, split, arrays["image_sizes"])
            else:
                arrays = {k: None if v is None else v[rows] for k, v in arrays.items()}
        return cls(folder, meta=meta, **arrays)

    @property
    def paths(self) -> list[str]:
        """The labelled paths, in the order of the store on disk."""
        return read_paths(self.folder, self.meta["count"])


def read_paths(folder: Path, count: int) -> list[str]:
    """The paths a store has labels for.

    Raises:
        UserError: no such file, no text, or another number of lines.
    """
    file = folder / "paths.txt"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); {ADVICE}") from None
    paths = [os.fsdecode(line) for line in data.removesuffix(b"\n").split(b"\n")] if data else []
    if len(paths) != count:
        raise UserError(f"{file}: {len(paths)} lines for {count} rows of labels; {ADVICE}")
    return paths


def _array(folder: Path, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    file = folder / f"{name}.npy"
    if not file.is_file():  # a pipe or a device would never end
        raise UserError(f"{file}: missing from the label store; {ADVICE}")
    try:
        array = np.load(file, mmap_mode="r" if shape[0] else None, allow_pickle=False)
    except Exception:  # a damaged header can raise almost anything
        raise UserError(f"{file}: damaged or cut short; {ADVICE}") from None
    if array.shape != shape or array.dtype != dtype:
        raise UserError(
            f"{file}: expected {np.dtype(dtype).name} {shape}, found {array.dtype} {array.shape}; "
            f"{ADVICE}"
        )
    return array


def _refuse_impossible(folder: Path, paths: Sequence[str], arrays: dict[str, Any]) -> None:
    """Refuse numbers that no labels have, however they came into the store."""
    step = 65536  # rows; bounds memory
    for start in range(0, len(paths), step):
        rows = slice(start, start + step)
        points, sizes = arrays["keypoints"][rows], arrays["image_sizes"][rows]
        confidence = points[..., 2]
        tests = {
            "keypoints.npy": ~np.isfinite(points).all((1, 2)),
            "keypoints.npy, confidence": ((confidence < 0) | (confidence > 1)).any(1),
            "image_sizes.npy": (sizes < 1).any(1),
        }
        if arrays["part_maps"] is not None:
            tests["part_maps.npy"] = (arrays["part_maps"][rows] >= len(PARTS)).any((1, 2))
        for name, wrong in tests.items():
            if wrong.any():
                row = start + int(np.flatnonzero(wrong)[0])
                raise UserError(
                    f"{folder}/{name}: row {row} ({paths[row]!r}) holds a number that no label "
                    f"has; expected {_EXPECTED[name]}; {ADVICE}"
                )


_EXPECTED = {
    "keypoints.npy": "finite numbers",
    "keypoints.npy, confidence": "confidences from 0 to 1",
    "image_sizes.npy": "heights and widths of at least 1 pixel",
    "part_maps.npy": f"classes 0 to {len(PARTS) - 1}",
}


def _compare_files(folder: Path, meta: dict[str, Any], split: Split, sizes: np.ndarray) -> None:
    """See that the images are those that were labelled, as far as a glance at them tells."""
    if meta["fingerprint"] != files_digest(split):
        raise UserError(
            f"{folder}: the images of {split.label_key!r} have changed since they were labelled: "
            f"they have other numbers of bytes; {ADVICE}"
        )
    rows = np.unique(np.linspace(0, max(len(split) - 1, 0), LOOKED_AT).astype(int))[: len(split)]
    found = crop_sizes(split.select(rows))
    for row, now in zip(rows, found.tolist(), strict=True):
        if sizes[row].tolist() != now:
            height, width = sizes[row].tolist()
            raise UserError(
                f"{folder}: {split.paths[row]!r} has {now[1]}x{now[0]} pixels, and was labelled at "
                f"{width}x{height}; {ADVICE}"
            )


def matching_rows(
    folder: Path, meta: dict[str, Any], split: Split, stored: Sequence[str]
) -> np.ndarray | None:
    """Rows of the store for the split's crops; None when they are all of them in order.

    Args:
        folder, meta, stored: the store, its description and its paths.
        split: whose crops.

    Raises:
        UserError: the labels are of another data set.
    """
    wanted = list(split.paths)
    if meta["label_key"] != split.label_key:
        difference = first_difference(stored, wanted)
        where = f" ({difference})" if difference else ""
        raise UserError(
            f"{folder}: labels of {meta['label_key']!r}, asked for {split.label_key!r}{where}"
        )
    if list(stored) == wanted:
        if meta["boxes_sha256"] != boxes_digest(split):
            raise UserError(f"{folder}: labels of the same files cut by other boxes; {ADVICE}")
        return None
    place = {PurePosixPath(path).name: row for row, path in enumerate(stored)}
    names = [PurePosixPath(path).name for path in wanted]
    if len(place) == len(stored) and split.boxes is None and all(name in place for name in names):
        return np.array([place[name] for name in names], dtype=np.int64)
    raise UserError(
        f"{folder}: labels of another data set: {first_difference(stored, wanted)}; generate "
        f"labels for {split.label_key!r}, or correct the folder"
    )


def first_difference(stored: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Where two lists of paths first differ, in words; None when they are equal.

    Example:
        >>> first_difference(["a.jpg", "b.jpg"], ["a.jpg", "c.jpg"])
        "row 1 is 'b.jpg' in the store and 'c.jpg' in the data set"
        >>> first_difference(["a.jpg"], ["a.jpg", "b.jpg"])
        "row 1 is missing in the store and 'b.jpg' in the data set"
    """
    for row in range(max(len(stored), len(wanted))):
        a = repr(stored[row]) if row < len(stored) else "missing"
        b = repr(wanted[row]) if row < len(wanted) else "missing"
        if a != b:
            return f"row {row} is {a} in the store and {b} in the data set"
    return None
