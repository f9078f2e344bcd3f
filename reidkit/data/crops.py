"""Crops of a split as batches: decoded and resized, nothing random, everything still uint8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, get_worker_info

from reidkit.data.decode import RESIZES, load_into, read_bytes
from reidkit.data.split import Split
from reidkit.structures import Field, ReIDBatch

STORED = ("keypoints", "part_map")  # labels of a label store


class CropDataset(Dataset):
    """The crops of a split with their labels, handed out a batch at a time.

    A whole batch is decoded straight into one array; images stay uint8 and lie in memory as
    channels_last. Flipping, normalising and erasing are batch transforms and run on the device.

    Args:
        split: what to read.
        size: (height, width) in pixels that crops are resized to.
        resize: "cv2" (fast) or "pil" (exactly torchvision's); see ``load_into``.
        labels: a label store with one row per crop: ``keypoints``, ``image_sizes``,
            ``part_maps``; None for none.
        fields: names of the labels that batches must carry: "keypoints" and "part_map" of the label
            store, and what the split brings (``Split.labels``); default: all that there are.
        relabel: give identities as 0..K-1 by sorted raw identity (training).
        domain: name of the domain, copied into every batch.

    Shape:
        batch.images (N, 3, height, width) uint8; batch["image_sizes"] (N, 2): crop as stored, or as
        the label store saw it where keypoints come from there.

    Raises:
        ValueError: unknown ``resize``, a size that is not positive, labels of another length, or a
            label that is asked for and not there.
        UserError: on reading, a damaged image.
    """

    def __init__(
        self,
        split: Split,
        size: tuple[int, int],
        resize: str = "cv2",
        labels: Any | None = None,
        fields: Sequence[str] | None = None,
        relabel: bool = False,
        domain: str = "",
    ):
        if resize not in RESIZES:
            raise ValueError(f"resize must be one of {RESIZES}, got {resize!r}")
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f"size must be (height, width) in pixels, got {size!r}")
        self.split, self.size, self.resize = split, (int(size[0]), int(size[1])), resize
        self.domain, self.labels = domain, labels
        self.identities = split.identities
        self.num_identities = split.num_identities
        if relabel:
            self.identities, self.num_identities = split.relabel()
        self.fields, self.label_sizes = self._wanted(fields)
        self._base = f"{split.root.as_posix()}/"

    def _wanted(self, names: Sequence[str] | None) -> tuple[dict[str, Any], Any]:
        """The label arrays that batches carry, by name, and the crop sizes seen by the keypoints.

        Raises:
            ValueError: labels of another length, or a name that nobody has.
        """
        split, stored = self.split, self.labels
        where = f"{split.dataset}/{split.name}"
        have: dict[str, Any] = {**split.labels, "keypoints": split.keypoints}
        if stored is not None:
            have |= {"keypoints": stored.keypoints, "part_map": stored.part_maps}
            for name in STORED:
                if have[name] is not None and len(have[name]) != len(split):
                    raise ValueError(
                        f"{where}: labels of {name} have {len(have[name])} rows for "
                        f"{len(split)} crops"
                    )
        have = {name: rows for name, rows in have.items() if rows is not None}
        for name in names or ():
            if name not in have:
                known = ", ".join(have) or "none"
                raise ValueError(f"{where}: no {name} in its labels; it has: {known}")
        arrays = {name: rows for name, rows in have.items() if names is None or name in names}
        sizes = stored.image_sizes if stored is not None and "keypoints" in arrays else None
        return arrays, sizes

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> ReIDBatch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> ReIDBatch:
        """The crops of these rows as one batch, in this order."""
        rows = np.asarray(indices, dtype=np.int64)
        images = torch.empty((len(rows), *self.size, 3), dtype=torch.uint8)
        if get_worker_info() is not None:
            images.share_memory_()  # decoded where the main process will read it
        sizes = self._decode(rows, images.numpy())
        split = self.split
        if self.label_sizes is not None:
            sizes = np.asarray(self.label_sizes[rows], dtype=np.int64)
        fields = {"image_sizes": Field(torch.from_numpy(sizes))}
        for name, array in self.fields.items():
            fields[name] = _field(name, array[rows])
        return ReIDBatch(
            images=images.permute(0, 3, 1, 2),  # (N, 3, H, W), channels_last in memory
            identities=torch.from_numpy(self.identities[rows]),
            cameras=torch.from_numpy(split.cameras[rows]),
            times=None if split.times is None else torch.from_numpy(split.times[rows]),
            indices=torch.from_numpy(rows),
            paths=[split.paths[row] for row in rows],
            domain=self.domain,
            fields=fields,
        )

    def _decode(self, rows: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Fill ``out`` (N, H, W, 3); the stored sizes (N, 2)."""
        sizes = np.empty((len(rows), 2), dtype=np.int64)
        split, paths, resize = self.split, self.split.paths, self.resize
        for place, row in enumerate(rows):
            path = paths[row]
            address = path if "://" in path else self._base + path
            sizes[place] = load_into(
                out[place], read_bytes(address), address, resize, split.box(row)
            )
        return sizes


def _field(name: str, rows: np.ndarray) -> Field:
    """Rows of a label as a field: joints in float64, part maps as classes on the image's grid."""
    dtype = {"keypoints": np.float64, "part_map": np.int64}.get(name, rows.dtype)
    return Field(torch.from_numpy(np.array(rows, dtype=dtype)), grid=name == "part_map")
