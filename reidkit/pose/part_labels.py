"""Part-label images made elsewhere (DensePose-derived, a segmentation model), one PNG per crop."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from reidkit.data.decode import decode_stored
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.pose.matching import match_names, repeated
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
    def of(
        cls,
        split: Split,
        folder: Path | str | None,
        bilinear: bool,
        among: Collection[str] = (),
    ) -> PartLabels | None:
        """Those of a folder, else those the split brings, else None.

        Args:
            split: whose crops.
            folder: PNGs, each matched with its crop by ``match_names``.
            bilinear: see the class.
            among: paths of all crops of the data set.

        Raises:
            UserError: a folder that lacks labels for some crops (names the first and counts them),
                or a label that could be several crops'.
        """
        if folder is None:
            if split.part_label_paths is None:
                return None
            files = [split.root / path for path in split.part_label_paths]
            return cls(tuple(files), bilinear, _source(split.part_label_paths))
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder of part labels")
        names = sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*.png"))
        pngs = {path: _png(path) for path in dict.fromkeys((*split.paths, *among))}
        if twice := repeated(pngs.values()):
            raise UserError(f"{folder}: {twice[0]} would be the label of two crops; rename one")
        wanted = [pngs[path] for path in split.paths]
        rows = match_names(wanted, names, pngs.values(), str(folder))
        missing = [name for name, row in zip(wanted, rows, strict=True) if row is None]
        if missing:
            raise UserError(
                f"{folder}: no part label for {len(missing)} of {len(split)} crops, the first is "
                f"{missing[0]}; a label has the path of its crop in the data set, ending in .png"
            )
        found = [names[row] for row in rows if row is not None]
        return cls(tuple(folder / name for name in found), bilinear, _source(found))

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


def _png(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(".png"))


def _source(names) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
