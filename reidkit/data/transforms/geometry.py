"""Transforms that move pixels, and the fields on their grid with them.

N images, H W pixels, R regions, h w cells.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reidkit.data.transforms.base import BatchTransform
from reidkit.data.transforms.fields import move_grid
from reidkit.data.transforms.random import probability, rand
from reidkit.registry import TRANSFORMS
from reidkit.structures import ReIDBatch


@TRANSFORMS.register_module()
class RandomFlip(BatchTransform):
    """Mirror each image with probability p, together with the fields on its grid.

    Region visibility does not change; left and right share their classes. Twice is the identity.

    Args:
        p: probability for each image.

    Raises:
        ValueError: p outside [0, 1]; a batch without generator.

    Example:
        >>> batch = ReIDBatch(torch.arange(2.).expand(1, 3, 1, 2), generator=torch.Generator())
        >>> RandomFlip(p=1.0)(batch).images[0, 0]
        tensor([[1., 0.]])
    """

    def __init__(self, p: float = 0.5):
        self.p = probability(p)

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Flip; see the class."""
        flip = rand(results, len(results)) < self.p
        images = _flip(results.images, flip)
        return move_grid(results, images, lambda name, cells: _flip(cells, flip), empties=False)


def _flip(maps: Tensor, flip: Tensor) -> Tensor:
    chosen = flip.to(maps.device).view(-1, *[1] * (maps.ndim - 1))
    return torch.where(chosen, maps.flip(-1), maps)


@TRANSFORMS.register_module()
class RandomCrop(BatchTransform):
    """Shift each image by up to ``pad`` pixels both ways; what comes in at the edge is ``fill``.

    The same as padding by ``pad`` on all sides and cropping to the old size. Fields on the image's
    grid (masks, part maps) move along by the nearest whole cell (exactly, where the shift is a
    multiple of the cell); zeros come in, and a region with no cell left is no longer visible.

    Args:
        pad: largest shift in pixels of the resized image.
        fill: value that comes in, on the scale of the images.
        edge: True repeats the border pixels of the image in place of ``fill``.

    Raises:
        ValueError: a negative pad; a field whose cells do not divide the image; a batch
            without generator.
    """

    def __init__(self, pad: int = 10, fill: float = 0.0, edge: bool = False):
        if pad < 0:
            raise ValueError(f"pad must be at least 0 pixels, got {pad}")
        self.pad, self.fill = int(pad), None if edge else fill

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Crop; see the class."""
        images = results.images
        shift = (rand(results, len(results), 2) * (2 * self.pad + 1)).floor().long() - self.pad
        shift = shift.to(images.device)

        def move(name: str, cells: Tensor) -> Tensor:
            return _shift(cells, _cells(shift, images, cells, name), 0)

        return move_grid(results, _shift(images, shift, self.fill), move)


def _cells(shift: Tensor, images: Tensor, maps: Tensor, name: str) -> Tensor:
    """Shifts in pixels -> nearest whole cells, half away from zero."""
    pixels, cells = images.shape[-2:], maps.shape[-2:]
    if pixels[0] % cells[0] or pixels[1] % cells[1]:
        raise ValueError(
            f"RandomCrop cannot move {name} of {cells[0]}x{cells[1]} cells with images of "
            f"{pixels[0]}x{pixels[1]}: the cells must divide the image"
        )
    stride = torch.tensor([pixels[0] // cells[0], pixels[1] // cells[1]], device=shift.device)
    return shift.sign() * ((2 * shift.abs() + stride) // (2 * stride))


def _shift(maps: Tensor, shift: Tensor, fill: float | None) -> Tensor:
    """``out[n, ..., y, x] = maps[n, ..., y + dy, x + dx]``; outside ``fill``, None: the edge."""
    height, width = maps.shape[-2:]
    flat = maps.reshape(len(maps), -1, height, width)
    rows = torch.arange(height, device=maps.device) + shift[:, :1]  # (N, H)
    columns = torch.arange(width, device=maps.device) + shift[:, 1:]  # (N, W)
    sample = torch.arange(len(maps), device=maps.device).view(-1, 1, 1)
    inside = ((rows >= 0) & (rows < height)).unsqueeze(2) & (
        (columns >= 0) & (columns < width)
    ).unsqueeze(1)
    taken = flat.permute(0, 2, 3, 1)[
        sample, rows.clamp(0, height - 1).unsqueeze(2), columns.clamp(0, width - 1).unsqueeze(1)
    ]  # (N, H, W, channels)
    if fill is not None:
        taken = taken.masked_fill(~inside.unsqueeze(3), fill)
    return taken.permute(0, 3, 1, 2).reshape(maps.shape)
