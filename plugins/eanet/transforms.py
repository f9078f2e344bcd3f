"""Batch transforms: region masks for the heads, and the controls of the experiments.

Shapes: N images, R regions, H W mask cells. All run on the batch's device, before ``RandomFlip``,
which moves masks and part maps with the image: masks of mirrored keypoints would differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F

from reidkit.data.transforms.base import BatchTransform
from reidkit.registry import TRANSFORMS
from reidkit.structures import Field, ReIDBatch

from .regions import REGIONS, region_masks, stripe_masks


@TRANSFORMS.register_module()
class RegionMasks(BatchTransform):
    """Fills ``masks`` and ``visibility`` of a batch from its keypoints.

    A batch without keypoints (a domain used for its part maps only) passes unchanged. An image
    whose keypoints are all missing keeps one visible region, the whole.

    Args:
        regions: 6 (head ... shoes) or 9 (also both halves and the whole).
        map_size: (height, width) of the masks in cells; must be that of the deepest feature map,
            and the framework supplies that.
        confidence: joints count strictly above this. None: the setting ``eanet.confidence``.
        settings: the settings of the run; supplied by the framework.

    Raises:
        ValueError: regions is neither 6 nor 9; keypoints without image_sizes.

    Source:
        EANet, arXiv 1812.11369, 3.1.

    Example:
        >>> batch = ReIDBatch(torch.zeros(2, 3, 128, 64)).with_fields(
        ...     keypoints=torch.zeros(2, 17, 3), image_sizes=torch.tensor([[128, 64]] * 2))
        >>> RegionMasks(regions=6)(batch)["masks"].shape
        torch.Size([2, 6, 24, 8])
    """

    adds = ("masks", "visibility")
    asks = ("keypoints", "image_sizes")

    def __init__(
        self,
        regions: int = 9,
        map_size: tuple[int, int] = (24, 8),
        confidence: float | None = None,
        settings: Mapping | None = None,
    ):
        if regions not in (6, len(REGIONS)):
            raise ValueError(f"regions must be 6 or 9, got {regions}")
        if confidence is None:
            confidence = (settings or {}).get("eanet", {}).get("confidence", 0.1)
        self.regions, self.map_size, self.confidence = regions, tuple(map_size), confidence

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """The batch with ``masks`` (N, R, H, W) bool and ``visibility`` (N, R) float32."""
        if "keypoints" not in results:
            return results
        if "image_sizes" not in results:
            raise ValueError("RegionMasks: the batch has keypoints but no image_sizes")
        masks, visibility = region_masks(
            results["keypoints"], results["image_sizes"], self.map_size, self.confidence
        )
        return results.with_fields(
            masks=Field(masks[:, : self.regions], grid=True),
            visibility=visibility[:, : self.regions],
        )


@TRANSFORMS.register_module()
class StripeMasks(BatchTransform):
    """Control: fixed stripes in place of regions, which should bring PAP down to PCB.

    Args:
        stripes: number of equal stripes, top to bottom; equals the head's ``regions``.
        map_size: (height, width) of the masks in cells; supplied by the framework.

    Raises:
        ValueError: the height is no multiple of the stripes.

    Example:
        >>> StripeMasks()(ReIDBatch(torch.zeros(2, 3, 128, 64)))["visibility"].sum()
        tensor(12.)
    """

    adds = ("masks", "visibility")

    def __init__(self, stripes: int = 6, map_size: tuple[int, int] = (24, 8)):
        self.stripes, self.map_size = stripes, tuple(map_size)
        stripe_masks(1, stripes, self.map_size)

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """The batch with the same ``masks`` for every image, all visible."""
        device = results.images.device
        masks, visibility = stripe_masks(len(results), self.stripes, self.map_size)
        return results.with_fields(
            masks=Field(masks.to(device), grid=True), visibility=visibility.to(device)
        )


@TRANSFORMS.register_module()
class ShuffledPartMaps(BatchTransform):
    """Control: every image gets the part map of another one, which should lose the gain of PS.

    A batch without part maps passes unchanged. The images are paired in one random cycle, so that
    in a batch of two or more none keeps its own map.

    Example:
        >>> maps = torch.arange(3).view(3, 1, 1)
        >>> batch = ReIDBatch(torch.zeros(3, 3, 8, 4), generator=torch.Generator())
        >>> batch = batch.with_fields(part_map=Field(maps, grid=True))
        >>> bool((ShuffledPartMaps()(batch)["part_map"] == maps).any())
        False
    """

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """The batch with ``part_map`` permuted across its images."""
        if "part_map" not in results:
            return results
        part_map = results["part_map"]
        drawn_on = results.generator.device if results.generator is not None else "cpu"
        order = torch.randperm(len(results), generator=results.generator, device=drawn_on)
        order = order.to(part_map.device)
        shuffled = torch.empty_like(part_map)
        shuffled[order] = part_map[order.roll(1)]
        return results.with_fields(part_map=shuffled)


@TRANSFORMS.register_module()
class CutLower(BatchTransform):
    """Control: the lower part of every image is cut off, as by a bad detector box.

    What is left is stretched to the input size. Joints below the cut become invisible. The
    experiment uses it at test time: it should hurt stripes more than regions.

    Args:
        fraction: share of the height that is lost, 0 to below 1.

    Raises:
        ValueError: fraction outside [0, 1).

    Example:
        >>> images = torch.arange(4.).view(1, 1, 4, 1).expand(1, 3, 4, 2)
        >>> CutLower(0.5)(ReIDBatch(images)).images[0, 0, :, 0].tolist()
        [0.0, 0.25, 0.75, 1.0]
    """

    def __init__(self, fraction: float = 0.25):
        if not 0 <= fraction < 1:
            raise ValueError(f"fraction must be in [0, 1), got {fraction}")
        self.fraction = fraction

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """The batch with cut images, image sizes, keypoints, and part maps if it has them."""
        changed: dict[str, torch.Tensor] = {}
        if "part_map" in results:
            part_map = results["part_map"]
            cut = self._cut(part_map)[:, None].float()
            whole = F.interpolate(cut, part_map.shape[1:], mode="nearest-exact")
            changed["part_map"] = whole[:, 0].to(part_map.dtype)
        if "image_sizes" in results:
            sizes = results["image_sizes"]
            kept = (sizes[:, 0] * (1 - self.fraction)).round().clamp(min=1)
            changed["image_sizes"] = torch.stack([kept.long(), sizes[:, 1]], 1)
            if "keypoints" in results:
                keypoints = results["keypoints"].clone()
                keypoints[..., 2] *= keypoints[..., 1] < kept[:, None]
                changed["keypoints"] = keypoints
        cut_batch = replace(results, images=self._cut_images(results.images))
        return cut_batch.with_fields(**changed)

    def _cut(self, rows: torch.Tensor) -> torch.Tensor:
        height = rows.shape[-2]
        return rows[..., : max(1, round(height * (1 - self.fraction))), :]

    def _cut_images(self, images: torch.Tensor) -> torch.Tensor:
        size = tuple(images.shape[-2:])
        stretched = F.interpolate(self._cut(images).float(), size, mode="bilinear")
        if images.dtype == torch.uint8:
            stretched = stretched.round()
        return stretched.to(images.dtype)
