"""Transforms of the colours: jitter, and from bytes to normalised floats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from reidkit.data.transforms.base import BatchTransform
from reidkit.data.transforms.random import probability, rand
from reidkit.registry import TRANSFORMS
from reidkit.structures import ReIDBatch

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GRAY = (0.299, 0.587, 0.114)


@TRANSFORMS.register_module()
class Normalize(BatchTransform):
    """Images from 0..255 to float32 ``(image / 255 - mean) / std``, per channel.

    Args:
        mean: of R, G, B on the scale 0..1; ImageNet's by default (EANet: 0.486, 0.459, 0.408).
        std: likewise.

    Raises:
        ValueError: not three numbers each, or a std that is not positive.

    Example:
        >>> white = ReIDBatch(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8))
        >>> Normalize(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))(white).images.flatten()
        tensor([1., 1., 1.])
    """

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD):
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f"mean and std need three numbers, std > 0; got {mean} and {std}")
        self.scale = torch.tensor([1 / (255 * s) for s in std]).view(1, 3, 1, 1)
        self.shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).view(1, 3, 1, 1)

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Normalise; see the class."""
        device = results.images.device
        images = results.images.to(torch.float32, copy=True)
        images.mul_(self.scale.to(device)).add_(self.shift.to(device))
        return replace(results, images=images)

    def inverse(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) back to uint8; what lies outside 0..255 is cut."""
        device = images.device
        pixels = (images.float() - self.shift.to(device)) / self.scale.to(device)
        return pixels.round().clamp(0, 255).to(torch.uint8)


@TRANSFORMS.register_module()
class ColorJitter(BatchTransform):
    """Change gain per channel, brightness, contrast and saturation, by factors of each image.

    In this order, each clamped to 0..255: per-channel gain and brightness multiply; contrast blends
    with the mean grey of the image; saturation with its grey version (torchvision's formulas). A
    factor is uniform in [max(0, 1 - x), 1 + x]. Must stand before ``Normalize``.

    Args:
        brightness, contrast, saturation, gain: the x above, at least 0; 0 leaves it out.
        p: probability for each image that it is changed at all.

    Raises:
        ValueError: a negative x; p outside [0, 1]; a batch without generator.
    """

    def __init__(
        self,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        gain: float = 0.0,
        p: float = 1.0,
    ):
        if min(brightness, contrast, saturation, gain) < 0:
            raise ValueError("brightness, contrast, saturation and gain must be at least 0")
        self.brightness, self.contrast = float(brightness), float(contrast)
        self.saturation, self.gain, self.p = float(saturation), float(gain), probability(p)

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Jitter; see the class. Gives float32 on the scale 0..255."""
        images = results.images.to(torch.float32)
        spread = torch.tensor(
            [self.brightness, self.contrast, self.saturation, self.gain, self.gain, self.gain]
        )
        uniform = rand(results, len(results), 7)
        factors = 1 + (2 * uniform[:, :6] - 1) * spread.to(uniform.device)
        factors = factors.clamp_(min=0)
        factors[uniform[:, 6] >= self.p] = 1.0
        factors = factors.to(images.device).view(-1, 6, 1, 1)
        if self.brightness or self.gain:
            images = (images * (factors[:, :1] * factors[:, 3:])).clamp_(0, 255)
        if self.contrast:
            grey = _grey(images).mean((2, 3), keepdim=True)
            images = torch.lerp(grey.expand_as(images), images, factors[:, 1:2]).clamp_(0, 255)
        if self.saturation:
            grey = _grey(images).expand_as(images)
            images = torch.lerp(grey, images, factors[:, 2:3]).clamp_(0, 255)
        return replace(results, images=images)


def _grey(images: Tensor) -> Tensor:
    weights = torch.tensor(GRAY, device=images.device).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)
