"""Random erasing: a rectangle of each image is overwritten."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from reidkit.data.transforms.base import BatchTransform
from reidkit.data.transforms.random import probability, rand
from reidkit.registry import TRANSFORMS
from reidkit.structures import ReIDBatch


@TRANSFORMS.register_module()
class RandomErasing(BatchTransform):
    """Overwrite one random rectangle of each image, with probability p.

    Rectangles that do not fit are drawn again, up to 100 times, then the image stays. Masks, part
    map and visibility stay too. Must stand after ``Normalize``.

    Args:
        p: probability for each image.
        area: smallest and largest share of the image's area.
        aspect: smallest and largest height / width, drawn uniformly.
        fill: "mean" (0 after ``Normalize``) or "noise" (normal numbers for every pixel).

    Raises:
        ValueError: an option out of range; uint8 images; a batch without generator.

    Source:
        Zhong et al., Random Erasing Data Augmentation, arXiv 1708.04896, algorithm 1.
    """

    def __init__(
        self,
        p: float = 0.5,
        area: tuple[float, float] = (0.02, 0.4),
        aspect: tuple[float, float] = (0.3, 3.33),
        fill: str = "mean",
    ):
        if not 0 < area[0] <= area[1] < 1 or not 0 < aspect[0] <= aspect[1]:
            raise ValueError(f"area must be in (0, 1) and aspect above 0; got {area} and {aspect}")
        if fill not in ("mean", "noise"):
            raise ValueError(f"fill must be 'mean' or 'noise', got {fill!r}")
        self.p, self.area, self.aspect, self.fill = probability(p), area, aspect, fill

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Erase; see the class."""
        images = results.images
        if not images.is_floating_point():
            raise ValueError("RandomErasing must stand after Normalize: the images are uint8")
        boxes = self._boxes(results)  # (N, 4), zeros where nothing is erased
        height, width = images.shape[-2:]
        top, left, tall, wide = (boxes[:, i : i + 1].to(images.device) for i in range(4))
        rows = torch.arange(height, device=images.device)
        columns = torch.arange(width, device=images.device)
        inside = ((rows >= top) & (rows < top + tall)).unsqueeze(2)
        inside = inside & ((columns >= left) & (columns < left + wide)).unsqueeze(1)
        inside = inside.unsqueeze(1)  # (N, 1, H, W)
        if self.fill == "mean":
            return replace(results, images=images.masked_fill(inside, 0.0))
        generator = results.generator
        noise = torch.zeros(images.shape, dtype=images.dtype, device=boxes.device)
        erased = boxes[:, 2] > 0
        shape = (int(erased.sum()), *images.shape[1:])
        noise[erased] = torch.randn(
            shape, generator=generator, device=boxes.device, dtype=images.dtype
        )
        return replace(results, images=torch.where(inside, noise.to(images.device), images))

    def _boxes(self, batch: ReIDBatch) -> Tensor:
        """Top, left, height, width of each rectangle, on the generator's device."""
        height, width = batch.images.shape[-2:]
        chosen = rand(batch, len(batch)) < self.p
        tries = rand(batch, len(batch), 100, 4)
        area = (self.area[0] + tries[..., 0] * (self.area[1] - self.area[0])) * height * width
        aspect = self.aspect[0] + tries[..., 1] * (self.aspect[1] - self.aspect[0])
        tall, wide = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
        fits = (tall < height) & (wide < width) & (tall > 0) & (wide > 0)
        top = (tries[..., 2] * (height - tall + 1)).floor()
        left = (tries[..., 3] * (width - wide + 1)).floor()
        first = fits.int().argmax(1)  # the first that fits; 0 when none does
        boxes = torch.stack([top, left, tall, wide], -1)[torch.arange(len(batch)), first]
        keep = chosen & fits.any(1)
        return torch.where(keep.unsqueeze(1), boxes, 0.0).long()
