"""The parts of a label store while it is being made: a file for every few hundred crops."""

from __future__ import annotations

import os
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.split import Split
from reidkit.pose.crops import crop_batches
from reidkit.pose.part_labels import PartLabels
from reidkit.pose.part_maps import paint_part_maps
from reidkit.utils.io import atomic_write
from reidkit.utils.progress import track

# what numpy raises for a file that is not whole
_DAMAGED = (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, zlib.error)


def place() -> tuple[int, int]:
    """Rank and number of processes: of torch.distributed where it runs, else torchrun's."""
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


class Shards:
    """The shards of one split in one working folder.

    Args:
        folder: exists; its name says what decides the labels.
        split: whose crops.
        size: crops in a shard.
        part_maps: (h, w), or None for keypoints only.
        pngs: label images that part maps come from; None to paint them.
    """

    def __init__(
        self,
        folder: Path,
        split: Split,
        size: int,
        part_maps: tuple[int, int] | None,
        pngs: PartLabels | None,
    ):
        self.split, self.size, self.part_maps, self.pngs = split, size, part_maps, pngs
        count = -(-len(split) // size)
        self.files = [folder / f"shard-{number:05d}.npz" for number in range(count)]
        self._whole: set[int] = set()  # read once, and not again

    def label(
        self,
        rank: int,
        world: int,
        labeller: Any,
        known: tuple[np.ndarray, np.ndarray] | None,
        workers: int,
    ) -> None:
        """Write those of a rank's shards that are not there whole.

        Args:
            rank, world: number of this process, and of all.
            labeller: of the crops; not asked where joints are known.
            known: keypoints (M, 17, 3) and crop sizes (M, 2), or None.
            workers: processes that decode crops.
        """
        mine = [n for n in range(rank, len(self.files), world) if not self._is_whole(n)]
        label = f"part labels {self.split.label_key}"
        show = place()[0] == 0 and bool(mine)
        if known is not None:
            for n in track(mine, label=label, unit="shards", show=show):
                own = self._rows(n)
                self._write(n, own, known[0][own], known[1][own])
            return
        size = getattr(labeller, "batch_size", 64)
        batches = [
            own[start : start + size]
            for own in map(self._rows, mine)
            for start in range(0, len(own), size)
        ]
        device = getattr(labeller, "device", None)
        pin = device is not None and device.type == "cuda"
        loaded = crop_batches(self.split, batches, workers, pin)
        held: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for rows, images, shape in track(loaded, len(batches), label, unit="batches", show=show):
            held.append((rows, _keypoints(labeller, images, shape), shape.numpy()))
            last = int(rows[-1]) + 1
            if last % self.size == 0 or last == len(self.split):
                parts = [np.concatenate(part) for part in zip(*held, strict=True)]
                self._write(int(rows[0]) // self.size, *parts)
                held = []

    def wait(self) -> None:
        """Return when the shards of all ranks are there whole."""
        while not all(self._is_whole(n) for n in range(len(self.files))):
            time.sleep(0.1)

    def blocks(self) -> Iterator[dict[str, np.ndarray]]:
        """The labels of all shards, in the order of the rows."""
        for file in self.files:
            with np.load(file, allow_pickle=False) as shard:
                yield dict(shard)

    def _rows(self, number: int) -> np.ndarray:
        return np.arange(number * self.size, min(len(self.split), (number + 1) * self.size))

    def _is_whole(self, number: int) -> bool:
        """Whether a shard is there and can be read; one that cannot is labelled again."""
        file, rows = self.files[number], len(self._rows(number))
        if number in self._whole:
            return True
        if not file.is_file():
            return False
        shapes: dict[str, tuple[int, ...]] = {"keypoints": (rows, 17, 3), "image_sizes": (rows, 2)}
        if self.part_maps:
            shapes["part_maps"] = (rows, *self.part_maps)
        try:
            with np.load(file, allow_pickle=False) as shard:
                whole = all(shard[name].shape == shape for name, shape in shapes.items())
        except _DAMAGED:
            whole = False
        self._whole |= {number} if whole else set()
        return whole

    def _write(
        self, number: int, rows: np.ndarray, keypoints: np.ndarray, sizes: np.ndarray
    ) -> None:
        keypoints = keypoints.astype(np.float32)
        _refuse_impossible(self.split, rows, keypoints)
        arrays: dict[str, Any] = {"keypoints": keypoints, "image_sizes": sizes.astype(np.int64)}
        if self.part_maps and self.pngs:
            arrays["part_maps"] = self.pngs.maps(rows, self.part_maps)
        elif self.part_maps:
            arrays["part_maps"] = paint_part_maps(keypoints, sizes, self.part_maps)
        with atomic_write(self.files[number]) as handle:
            np.savez(handle, **arrays)


def _refuse_impossible(split: Split, rows: np.ndarray, keypoints: np.ndarray) -> None:
    """Refuse labels that a label store does not hold, before they are written.

    Raises:
        ValueError: joints that are not finite, confidences outside [0, 1].
    """
    confidence = keypoints[..., 2]
    wrong = ~np.isfinite(keypoints).all((1, 2)) | ((confidence < 0) | (confidence > 1)).any(1)
    if wrong.any():
        path = split.paths[int(rows[np.flatnonzero(wrong)[0]])]
        raise ValueError(
            f"keypoints of {path!r}: expected finite numbers and confidences from 0 to 1"
        )


def _keypoints(labeller: Any, images: Any, sizes: Any) -> np.ndarray:
    if hasattr(labeller, "label_batch"):
        return labeller.label_batch(images, sizes).numpy()
    crops = [image[:h, :w].numpy() for image, (h, w) in zip(images, sizes.tolist(), strict=True)]
    return labeller.label(crops)
