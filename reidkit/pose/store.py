"""Part labels on disk: one folder per split, memory-mapped, complete or not there at all.

``meta.json``        data set and its fingerprint, what made the labels, count, format, complete
``paths.txt``        the crops' paths, one per line, in the order of the rows
``keypoints.npy``    (M, 17, 3) float32: x, y in crop pixels, confidence
``image_sizes.npy``  (M, 2) int64: height and width of the crops as labelled
``part_maps.npy``    (M, h, w) uint8 classes 0..7, where asked for
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from reidkit.data.split import Split
from reidkit.errors import UserError

FORMAT = 1
_ADVICE = "delete the folder and generate the labels again"


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
        """Open a complete store and see that it belongs to the split.

        A split with the store's label key whose files have the same base names (a style-transferred
        copy, a selection) gets the rows of its own files, in its own order.

        Args:
            folder: the store.
            split: what the labels are for; None to look at a store alone.

        Raises:
            UserError: no store, an unfinished or damaged one, another format, or labels of another
                data set: the text gives the first path that differs.
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
        if split is not None:
            rows = matching_rows(folder, meta, split)
            if rows is not None:
                arrays = {k: None if v is None else v[rows] for k, v in arrays.items()}
        return cls(folder, meta=meta, **arrays)

    @property
    def paths(self) -> list[str]:
        """The labelled paths, in the order of the store on disk."""
        return read_paths(self.folder)


def read_meta(folder: Path) -> dict[str, Any]:
    """The description of a store.

    Raises:
        UserError: none there, unreadable, unfinished, or of another format.
    """
    file = folder / "meta.json"
    if not file.is_file():
        raise UserError(
            f"{folder}: no part labels here; make them with: python tools/generate_part_labels.py"
        )
    try:
        meta = json.loads(file.read_text())
        complete, known = meta.get("complete"), meta.get("format")
    except (ValueError, AttributeError):
        raise UserError(f"{file}: not readable as JSON; {_ADVICE}") from None
    if known != FORMAT:
        raise UserError(f"{folder}: label store of format {known}, this version reads {FORMAT}")
    if complete is not True:
        raise UserError(f"{folder}: the label store is not complete; {_ADVICE}")
    return meta


def read_paths(folder: Path) -> list[str]:
    """The paths a store has labels for."""
    return (folder / "paths.txt").read_text(encoding="utf-8").splitlines()


def _array(folder: Path, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    file = folder / f"{name}.npy"
    try:
        array = np.load(file, mmap_mode="r" if shape[0] else None, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{file}: missing from the label store; {_ADVICE}") from None
    except (ValueError, EOFError, OSError):
        raise UserError(f"{file}: damaged or cut short; {_ADVICE}") from None
    if array.shape != shape or array.dtype != dtype:
        raise UserError(
            f"{file}: expected {np.dtype(dtype).name} {shape}, found {array.dtype} {array.shape}; "
            f"{_ADVICE}"
        )
    return array


def boxes_digest(split: Split) -> str | None:
    """sha256 of the boxes crops are cut by; None where the crop is the whole file."""
    if split.boxes is None:
        return None
    return hashlib.sha256(np.ascontiguousarray(split.boxes, dtype="<f8").tobytes()).hexdigest()


def matching_rows(folder: Path, meta: dict[str, Any], split: Split) -> np.ndarray | None:
    """Rows of the store for the split's crops; None when they are all of them in order.

    Raises:
        UserError: the labels are of another data set.
    """
    stored, wanted = read_paths(folder), list(split.paths)
    if meta["label_key"] != split.label_key:
        difference = first_difference(stored, wanted)
        where = f" ({difference})" if difference else ""
        raise UserError(
            f"{folder}: labels of {meta['label_key']!r}, asked for {split.label_key!r}{where}"
        )
    if stored == wanted:
        if meta["boxes_sha256"] != boxes_digest(split):
            raise UserError(f"{folder}: labels of the same files cut by other boxes; {_ADVICE}")
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


def describe(split: Split, pose: dict[str, Any], part_maps: Sequence[int] | None) -> dict[str, Any]:
    """What identifies a store: everything of ``meta.json`` except how it came about.

    Args:
        split: what is labelled.
        pose: provenance of the labels.
        part_maps: (h, w), or None for keypoints only.
    """
    return {
        "format": FORMAT,
        "dataset": split.dataset,
        "split": split.name,
        "label_key": split.label_key,
        "fingerprint": split.fingerprint(),
        "boxes_sha256": boxes_digest(split),
        "count": len(split),
        "pose": pose,
        "part_maps": list(part_maps) if part_maps else None,
    }
