"""Part-label images made elsewhere (DensePose-derived, a segmentation model), one PNG per crop."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from reidkit.data.decode import decode_stored
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.pose.part_maps import resize_part_labels


@dataclass(frozen=True)
class PartLabels:
    """The label images of a split's crops.

    Args:
        files: one PNG per crop, single channel, classes 0..7, any resolution.
        bilinear: as in ``resize_part_labels``.
        source: kept in the store, so that other files make another store.
    """

    files: tuple[Path, ...]
    bilinear: bool
    source: str

    @classmethod
    def of(cls, split: Split, folder: Path | str | None, bilinear: bool) -> PartLabels | None:
        """Those of a folder, else those the split brings, else None.

        Raises:
            UserError: a folder that lacks labels for some crops; names the first and counts them.
        """
        if folder is None:
            if split.part_label_paths is None:
                return None
            files = [split.root / path for path in split.part_label_paths]
            return cls(tuple(files), bilinear, _source(split.part_label_paths))
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder of part labels")
        files, missing = [], []
        for path in split.paths:
            relative = PurePosixPath(path).with_suffix(".png")
            options = [folder / relative, folder / relative.name]
            png = next((file for file in options if file.is_file()), None)
            files.append(png or options[0])
            if png is None:
                missing.append(options[0])
        if missing:
            raise UserError(
                f"{folder}: no part label for {len(missing)} of {len(split)} crops, the first is "
                f"{missing[0].relative_to(folder)} (also looked for {missing[0].name})"
            )
        return cls(tuple(files), bilinear, _source([f.name for f in files]))

    @property
    def provenance(self) -> str:
        """What identifies these labels."""
        return f"png {self.source}{' bilinear' if self.bilinear else ''}"

    def maps(self, rows: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Part maps of some crops: (len(rows), h, w) uint8.

        Raises:
            UserError: an image that is missing, unreadable or holds other values than 0..7.
        """
        return np.stack([self._one(self.files[int(row)], size) for row in rows])

    def _one(self, file: Path, size: tuple[int, int]) -> np.ndarray:
        labels = decode_stored(file) if file.is_file() else None
        if labels is None:
            raise UserError(f"{file}: no readable part-label image; restore it")
        try:
            return resize_part_labels(labels, size, self.bilinear)
        except ValueError as error:
            raise UserError(f"{file}: {error}; expected one channel with classes 0..7") from None


def _source(names) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
