"""Transforms that move pixels, and masks and part map with them.

N images, H W pixels, R regions, h w cells.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from reidkit.data.transforms.random import draw, probability
from reidkit.registry import TRANSFORMS
from reidkit.structures import ReIDBatch


@TRANSFORMS.register_module()
class RandomFlip(BaseTransform):
    """Mirror each image with probability p, together with its masks and part map.

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
        flip = draw(results, len(results)) < self.p
        return replace(
            results,
            images=_flip(results.images, flip),
            masks=None if results.masks is None else _flip(results.masks, flip),
            part_map=None if results.part_map is None else _flip(results.part_map, flip),
        )


def _flip(maps: Tensor, flip: Tensor) -> Tensor:
    chosen = flip.to(maps.device).view(-1, *[1] * (maps.ndim - 1))
    return torch.where(chosen, maps.flip(-1), maps)


@TRANSFORMS.register_module()
class RandomCrop(BaseTransform):
    """Shift each image by up to ``pad`` pixels both ways; what comes in at the edge is ``fill``.

    The same as padding by ``pad`` on all sides and cropping to the old size. Masks and part map
    move along by the nearest whole cell (exactly, where the shift is a multiple of the cell);
    background and no region come in, and a region with no cell left is no longer visible.

    Args:
        pad: largest shift in pixels of the resized image.
        fill: value that comes in, on the scale of the images.
        edge: True repeats the border pixels of the image in place of ``fill``.

    Raises:
        ValueError: a negative pad; masks or a part map whose cells do not divide the image; a
            batch without generator.
    """

    def __init__(self, pad: int = 10, fill: float = 0.0, edge: bool = False):
        if pad < 0:
            raise ValueError(f"pad must be at least 0 pixels, got {pad}")
        self.pad, self.fill = int(pad), None if edge else fill

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Crop; see the class."""
        images = results.images
        shift = (draw(results, len(results), 2) * (2 * self.pad + 1)).floor().long() - self.pad
        shift = shift.to(images.device)
        masks, part_map, visibility = results.masks, results.part_map, results.visibility
        if masks is not None:
            masks = _shift(masks, _cells(shift, images, masks, "masks"), 0)
            if visibility is not None:
                visibility = visibility * masks.flatten(2).any(2)
        if part_map is not None:
            part_map = _shift(part_map, _cells(shift, images, part_map, "part_map"), 0)
        images = _shift(images, shift, self.fill)
        return replace(
            results, images=images, masks=masks, part_map=part_map, visibility=visibility
        )


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
