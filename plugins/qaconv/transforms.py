"""Augmentations on the device, on images of 0..255 before ``Normalize``.

Shape letters: N images, H W pixels.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from reidkit.config.ranges import FACTOR, SHARE, Bounds
from reidkit.data.transforms.base import BatchTransform
from reidkit.data.transforms.fields import move_grid, resample_cells
from reidkit.data.transforms.random import rand
from reidkit.registry import TRANSFORMS
from reidkit.structures import ReIDBatch


@TRANSFORMS.register_module()
class RandomOcclusion(BatchTransform):
    """Every image loses one square of random size and place to a plain colour.

    The side is uniform over the whole pixels from ``max(1, floor(min_size S))`` to below
    ``floor(max_size S)``, S being the image's shorter side; the square lies wholly inside.

    Args:
        min_size: smallest side, as a share of S, in [0, 1].
        max_size: largest side, likewise; 0 leaves images as they are.
        fill: value of the square on the scale of the images; 255 is white.

    Raises:
        ValueError: sizes outside [0, 1] or in the wrong order; a batch without generator.

    Source:
        QAConv's released code: white, up to 0.8, always.

    Example:
        >>> batch = ReIDBatch(torch.zeros(1, 3, 8, 4), generator=torch.Generator().manual_seed(0))
        >>> int((RandomOcclusion()(batch).images[0, 0] == 255).sum()) in (1, 4)
        True
    """

    ranges = {"min_size": SHARE, "max_size": SHARE}

    def __init__(self, min_size: float = 0.0, max_size: float = 0.8, fill: float = 255.0):
        if not 0 <= min_size <= max_size <= 1:
            raise ValueError(f"sizes must be in [0, 1] and in order, got {min_size}, {max_size}")
        self.min_size, self.max_size, self.fill = min_size, max_size, fill

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Occlude; see the class."""
        images = results.images
        height, width = images.shape[-2:]
        shorter = min(height, width)
        low, high = max(1, int(self.min_size * shorter)), int(self.max_size * shorter)
        uniform = rand(results, len(results), 3)
        if high <= low:
            return results
        side = (low + uniform[:, 0] * (high - low)).floor()
        top = (uniform[:, 1] * (height - side)).floor()
        left = (uniform[:, 2] * (width - side)).floor()
        inside = _between(top, side, height)[:, :, None] & _between(left, side, width)[:, None]
        inside = inside[:, None].to(images.device)
        return replace(results, images=images.masked_fill(inside, self.fill))


def _between(first: Tensor, length: Tensor, size: int) -> Tensor:
    """(N, size) bool: the places from ``first``, ``length`` many."""
    place = torch.arange(size, device=first.device)
    return (place >= first[:, None]) & (place < (first + length)[:, None])


@TRANSFORMS.register_module()
class RandomRotation(BatchTransform):
    """Turn every image about its middle; black comes in at the corners.

    Fields on the image's grid turn along, by nearest cell; zeros come in, and a region with no cell
    left is no longer visible.

    Args:
        degrees: largest angle either way, 0 to below 90.

    Raises:
        ValueError: degrees outside [0, 90); a batch without generator.
    """

    ranges = {"degrees": Bounds(0, 90, below=True)}

    def __init__(self, degrees: float = 5.0):
        if not 0 <= degrees < 90:
            raise ValueError(f"degrees must be in [0, 90), got {degrees}")
        self.degrees = degrees

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Rotate; see the class. Gives float32 on the same scale."""
        images = results.images.float()
        height, width = images.shape[-2:]
        turn = torch.deg2rad((2 * rand(results, len(results)) - 1) * self.degrees)
        turn = turn.to(images.device)
        cos, sin, none = turn.cos(), turn.sin(), torch.zeros_like(turn)
        # grid units are half the width and half the height, so a turn is not a plain matrix
        rows = [
            torch.stack([cos, -sin * height / width, none], 1),
            torch.stack([sin * width / height, cos, none], 1),
        ]
        angles = torch.stack(rows, 1)

        def move(name: str, cells: Tensor) -> Tensor:
            return resample_cells(cells, lambda maps: _turned(maps, angles, "nearest"))

        return move_grid(results, _turned(images, angles, "bilinear"), move)


def _turned(maps: Tensor, angles: Tensor, mode: str) -> Tensor:
    """Maps of any resolution (N, C, h, w) of the images, resampled; zeros come in."""
    grid = F.affine_grid(angles, list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, mode=mode, align_corners=False)


@TRANSFORMS.register_module()
class FactorJitter(BatchTransform):
    """Change brightness, contrast and saturation by factors, and shift the hue, in this order.

    Where ``ColorJitter`` of the core takes factors around 1, this takes any range, as QAConv does.

    Args:
        low, high: the factors are uniform between them.
        hue: largest shift either way, in turns of the colour circle, 0 to 0.5.

    Raises:
        ValueError: not 0 <= low <= high; hue outside [0, 0.5]; a batch without generator.

    Source:
        QAConv's released code, from 1.2 on; departure: a fixed order in place of a random one.

    Example:
        >>> red = torch.tensor([200.0, 0, 0]).view(1, 3, 1, 1)
        >>> batch = ReIDBatch(red, generator=torch.Generator().manual_seed(0))
        >>> FactorJitter(1.0, 1.0, hue=0.0)(batch).images.flatten()
        tensor([200.,   0.,   0.])
    """

    ranges = {"low": FACTOR, "high": FACTOR}

    def __init__(self, low: float = 0.5, high: float = 2.0, hue: float = 0.1):
        if not 0 <= low <= high or not 0 <= hue <= 0.5:
            raise ValueError(
                f"factors must be in order and hue in [0, 0.5]; got {low}, {high}, {hue}"
            )
        self.low, self.high, self.hue = low, high, hue

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Jitter; see the class. Gives float32 on the scale 0..255."""
        images = results.images.float()
        uniform = rand(results, len(results), 4).to(images.device).view(-1, 4, 1, 1)
        factors = self.low + uniform[:, :3] * (self.high - self.low)
        images = (images * factors[:, :1]).clamp(0, 255)
        mean = _grey(images).mean((2, 3), keepdim=True).expand_as(images)
        images = torch.lerp(mean, images, factors[:, 1:2].expand_as(images)).clamp(0, 255)
        grey = _grey(images).expand_as(images)
        images = torch.lerp(grey, images, factors[:, 2:3].expand_as(images)).clamp(0, 255)
        if self.hue:
            images = shift_hue(images, (2 * uniform[:, 3:] - 1) * self.hue)
        return replace(results, images=images)


def _grey(images: Tensor) -> Tensor:
    weights = torch.tensor((0.299, 0.587, 0.114), device=images.device).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Move every pixel's hue round the circle; its largest and smallest channel stay.

    Args:
        images: (N, 3, H, W) float.
        turns: (N, 1, 1, 1); 1 is once round.

    Example:
        >>> red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
        >>> shift_hue(red, torch.full((1, 1, 1, 1), 1 / 3)).flatten()  # green
        tensor([0., 1., 0.])
    """
    top, low = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    chroma = top - low
    red, green, blue = images.split(1, 1)
    safe = chroma.clamp(min=1e-6)
    hue = torch.where(
        top == red,
        (green - blue) / safe % 6,
        torch.where(top == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = hue / 6 + turns
    # channel n is largest where the hue is within one sixth of its own
    offset = torch.tensor([5.0, 3.0, 1.0], device=images.device).view(1, 3, 1, 1)
    place = (offset + hue * 6) % 6
    return top - chroma * torch.minimum(place, 4 - place).clamp(0, 1)
