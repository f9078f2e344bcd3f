"""Crops at their stored size, in padded batches, out of worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from reidkit.data.decode import decode_rgb, read_bytes
from reidkit.data.orientation import TAG
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.pose.warp import pad_crops
from reidkit.utils.handles import ensure_handles


def read_crop(split: Split, index: int) -> np.ndarray:
    """One crop as stored, cut by its box where the split has boxes.

    Shape:
        returns (H, W, 3) uint8 RGB.

    Raises:
        UserError: a damaged file, or a box outside the image; the text names the file.
    """
    image = read_image(split, index)
    box = split.box(index)
    if box is None:
        return image
    x, y, width, height = (int(v) for v in box)
    crop = image[max(y, 0) : y + height, max(x, 0) : x + width]
    if not crop.size:
        address = _address(split, index)
        raise UserError(f"{address}: the box x={x} y={y} {width}x{height} lies outside the image")
    return crop


def read_image(split: Split, index: int) -> np.ndarray:
    """The whole image file of one crop: (H, W, 3) uint8 RGB.

    Raises:
        UserError: a damaged file; the text names it.
    """
    address = _address(split, index)
    return decode_rgb(read_bytes(address), address)


def _address(split: Split, index: int) -> str:
    path = split.paths[index]
    return path if "://" in path else (split.root / path).as_posix()


class _Crops(Dataset):
    """Hands out whole batches; an unreadable file comes back as the error, not as a traceback."""

    def __init__(self, split: Split, batches: Sequence[np.ndarray]):
        self.split, self.batches = split, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, place: int) -> Any:
        try:
            rows = self.batches[place]
            return rows, *pad_crops([read_crop(self.split, int(row)) for row in rows])
        except UserError as error:
            return error


def _same(items: Any) -> Any:
    return items


def crop_batches(
    split: Split, batches: Sequence[np.ndarray], workers: int = 2, pin: bool = False
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Decode batches of crops ahead of their use.

    Args:
        split: what to read.
        batches: row numbers of each batch.
        workers: processes that decode; 0 to decode here.
        pin: put batches into page-locked memory, for a GPU.

    Yields:
        rows, crops (N, H, W, 3) uint8 padded to the largest, sizes (N, 2).

    Raises:
        UserError: a damaged file; too few open files for the workers.
    """
    workers = min(workers, len(batches) // 2)
    ensure_handles(workers)
    loader = DataLoader(
        _Crops(split, batches), batch_size=None, num_workers=workers, collate_fn=_same,
        prefetch_factor=4 if workers else None,
    )  # fmt: skip
    for item in loader:
        if isinstance(item, UserError):
            raise item
        rows, images, sizes = item
        if pin and torch.cuda.is_available():
            images = images.pin_memory()
        yield np.asarray(rows), images, sizes


def image_sizes(split: Split) -> np.ndarray:
    """Height and width of the image file of every crop, from the files' headers: (M, 2) int64."""
    sizes = np.empty((len(split), 2), dtype=np.int64)
    known: dict[str, tuple[int, int]] = {}  # photographs that several crops are cut out of
    for row, path in enumerate(split.paths):
        if path not in known:
            known[path] = _image_size(split, row)
        sizes[row] = known[path]
    return sizes


def _image_size(split: Split, row: int) -> tuple[int, int]:
    from PIL import Image

    try:
        with Image.open(split.file(row)) as image:
            width, height = image.size
            # the crop is turned when it is decoded; PIL knows that of TIFF
            if image.format != "TIFF" and image.getexif().get(TAG, 1) >= 5:
                width, height = height, width
            return height, width
    except (OSError, Image.DecompressionBombError):
        pixels = read_image(split, row)  # raises the error that helps
        return pixels.shape[0], pixels.shape[1]


def crop_sizes(split: Split) -> np.ndarray:
    """Height and width of every crop: (M, 2) int64."""
    sizes = image_sizes(split)
    if split.boxes is None:
        return sizes
    x, y, w, h = np.trunc(split.boxes).astype(np.int64).T
    height = np.minimum(y + h, sizes[:, 0]) - np.maximum(y, 0)
    width = np.minimum(x + w, sizes[:, 1]) - np.maximum(x, 0)
    return np.stack([height, width], axis=1)
