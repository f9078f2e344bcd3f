"""Hiding a part in some of the frames and true visibility (experiments), and the recipe's crop.

Shapes: N images (the frames of clips), H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reidkit.data.transforms.base import BatchTransform
from reidkit.data.transforms.fields import move_grid, resample_cells
from reidkit.data.transforms.random import probability, rand
from reidkit.registry import TRANSFORMS
from reidkit.structures import ReIDBatch
from reidkit.synthped.layout import load_truth
from reidkit.synthped.video_plan import video_folder


@TRANSFORMS.register_module()
class HideBands(BatchTransform):
    """Cover one horizontal band of every clip in a share of its frames: part occlusion, dosed.

    Nothing random: the band goes by the tracklet's row, the frames are evenly spread. For tests;
    must stand before ``Normalize``.

    Args:
        fraction: share of the frames in which the band is covered, 0 to 1.
        bands: number of bands of equal height, of which one is covered.
        fill: value that covers, on the scale 0..255.

    Raises:
        ValueError: fraction outside [0, 1], bands below 1.

    Example:
        >>> clip = ReIDBatch(torch.full((4, 3, 6, 2), 9, dtype=torch.uint8), frames=4)
        >>> HideBands(0.5, bands=2, fill=0)(clip).images[:, 0, :, 0].tolist()[:2]
        [[9, 9, 9, 9, 9, 9], [0, 0, 0, 9, 9, 9]]
    """

    def __init__(self, fraction: float = 0.5, bands: int = 3, fill: float = 128.0):
        if bands < 1:
            raise ValueError(f"bands must be at least 1, got {bands}")
        self.fraction, self.bands, self.fill = probability(fraction), int(bands), fill

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Cover; see the class."""
        images, frames = results.images, results.frames
        place = torch.arange(len(images), device=images.device)
        number = place % frames
        hidden = ((number + 1) * self.fraction).floor() > (number * self.fraction).floor()
        clip = place // frames if results.indices is None else results.indices
        height = images.shape[2]
        band = torch.arange(height, device=images.device) * self.bands // height
        covered = hidden[:, None] & (band == (clip % self.bands)[:, None])  # (N, H)
        return replace(results, images=images.masked_fill(covered[:, None, :, None], self.fill))


@TRANSFORMS.register_module()
class RandomSizedRectCrop(BatchTransform):
    """Cut out an upright rectangle of random size and shape and stretch it over the image.

    Ten rectangles are drawn; the first that fits is taken, and where none does the image stays.
    Fields on the image's grid are cut alike, by nearest cell. Gives float32 images.

    Args:
        area: smallest and largest share of the image's area.
        aspect: smallest and largest height / width of the rectangle, drawn uniformly.

    Raises:
        ValueError: an option out of range; a batch without generator.

    Source:
        The OIM library that DRSA's released code derives from: area 0.64 to 1, aspect 2 to 3.
    """

    def __init__(
        self, area: tuple[float, float] = (0.64, 1.0), aspect: tuple[float, float] = (2.0, 3.0)
    ):
        if not 0 < area[0] <= area[1] <= 1 or not 0 < aspect[0] <= aspect[1]:
            raise ValueError(f"area must be in (0, 1] and aspect above 0; got {area} and {aspect}")
        self.area, self.aspect = tuple(area), tuple(aspect)

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Crop; see the class."""
        images = results.images.float()
        theta = self._boxes(results).to(images.device)

        def move(name: str, cells: Tensor) -> Tensor:
            return resample_cells(cells, lambda maps: _cut(maps, theta, "nearest"))

        return move_grid(results, _cut(images, theta, "bilinear"), move)

    def _boxes(self, batch: ReIDBatch) -> Tensor:
        """Affine maps (N, 2, 3) from the new image to the old, both on -1..1."""
        height, width = batch.images.shape[-2:]
        tries = rand(batch, len(batch), 10, 4)
        area = (self.area[0] + tries[..., 0] * (self.area[1] - self.area[0])) * height * width
        aspect = self.aspect[0] + tries[..., 1] * (self.aspect[1] - self.aspect[0])
        tall, wide = (area * aspect).sqrt() / height, (area / aspect).sqrt() / width
        fits = (tall <= 1) & (wide <= 1)
        y, x = (1 - tall) * (2 * tries[..., 2] - 1), (1 - wide) * (2 * tries[..., 3] - 1)
        first = fits.int().argmax(1)
        boxes = torch.stack([wide, x, tall, y], -1)[torch.arange(len(batch)), first]
        whole = torch.tensor([1.0, 0.0, 1.0, 0.0], device=boxes.device)
        boxes = torch.where(fits.any(1, keepdim=True), boxes, whole)
        theta = boxes.new_zeros(len(batch), 2, 3)
        theta[:, 0, 0], theta[:, 0, 2], theta[:, 1, 1], theta[:, 1, 2] = boxes.unbind(1)
        return theta


def _cut(maps: Tensor, theta: Tensor, mode: str) -> Tensor:
    grid = F.affine_grid(theta, list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, mode=mode, padding_mode="border", align_corners=False)


@TRANSFORMS.register_module()
class TrueVisibility(BatchTransform):
    """How much of head, trunk, thighs and shins is seen, from SynthPed video's truth: an oracle.

    Adds the field "visibility" (N, 4), from above to below, in [0, 1]; all ones for images of no
    folder, as in the check of a config.

    Args:
        domain, preset, seed: of the rendered tracklets, see ``SynthPedVideo``.
        settings: of the run, for the folder of the data. Supplied by the framework.

    Raises:
        ValueError: a batch without the path of every frame, or of other data.
    """

    adds = ("visibility",)
    parts = (1, 2, 5, 6)  # of ``Crop.visible``

    def __init__(
        self,
        domain: str = "A",
        preset: str = "standard",
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
    ):
        root = (settings or {}).get("data_root", "data")
        self.folder = video_folder(root, preset, domain, seed)

    @cached_property
    def table(self) -> dict[str, np.ndarray]:
        """Visible shares by path."""
        truth = load_truth(self.folder)
        return dict(zip(truth["paths"].tolist(), truth["visible"][:, self.parts], strict=True))

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """Add the field; see the class."""
        if not any("/" in path for path in results.paths):
            seen = torch.ones(len(results.images), len(self.parts), device=results.images.device)
            return results.with_fields(visibility=seen)
        if len(results.paths) != len(results.images):
            raise ValueError("drsa/TrueVisibility needs the path of every frame of the batch")
        missing = next((path for path in results.paths if path not in self.table), None)
        if missing is not None:
            raise ValueError(f"drsa/TrueVisibility: {self.folder} has no {missing}")
        rows = np.stack([self.table[path] for path in results.paths])
        return results.with_fields(visibility=torch.from_numpy(rows).to(results.images.device))
