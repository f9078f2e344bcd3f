"""Pooling a feature map over regions.

Shapes: N images, C channels, h w feature cells, R regions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def masked_max(maps: Tensor, masks: Tensor) -> Tensor:
    """Maximum over the cells of each region; the zero vector for an empty one.

    The map is multiplied by each mask and pooled over all cells, so a value below zero counts as
    zero: for maps that end in a ReLU this is the maximum over the region. The gradient goes to
    one cell per channel. Regions are pooled one after the other, never all copies at once.

    Shape:
        maps (N, C, h, w) float, masks (N, R, h, w) bool, returns (N, R, C).

    Raises:
        ValueError: maps and masks differ in N, h or w.

    Source:
        EANet, arXiv 1812.11369, 3.1.

    Example:
        >>> maps = torch.tensor([[[[1., 5.], [3., 2.]]]])
        >>> masks = torch.tensor([[[[True, False], [True, True]], [[False, False]] * 2]])
        >>> masked_max(maps, masks)
        tensor([[[3.], [0.]]])
    """
    _check(maps, masks)
    pooled = [F.adaptive_max_pool2d(maps * mask, 1) for mask in masks.split(1, dim=1)]
    return torch.cat(pooled, dim=3)[:, :, 0].transpose(1, 2)  # [N,C,1,R] -> [N,R,C]


def masked_mean(maps: Tensor, masks: Tensor) -> Tensor:
    """Mean over the cells of each region; the zero vector for an empty one.

    Shape:
        maps (N, C, h, w) float, masks (N, R, h, w) bool, returns (N, R, C).

    Raises:
        ValueError: maps and masks differ in N, h or w.

    Source:
        EANet's alternative to the maximum: sum(F m) / (sum m + 1e-12).

    Example:
        >>> maps = torch.tensor([[[[1., 5.], [3., 2.]]]])
        >>> masked_mean(maps, torch.tensor([[[[True, False], [True, True]]]]))
        tensor([[[2.]]])
    """
    _check(maps, masks)
    weights = masks.flatten(2).to(maps.dtype)  # [N,R,hw]
    sums = weights @ maps.flatten(2).transpose(1, 2)  # [N,R,C]
    return sums / weights.sum(2, keepdim=True).clamp(min=1)


def stripe_pool(maps: Tensor, stripes: int, pool: str = "max") -> Tensor:
    """Maximum or mean over equal horizontal stripes.

    Args:
        maps: feature maps.
        stripes: number of stripes, top to bottom; 1 pools the whole map.
        pool: "max" or "avg".

    Shape:
        maps (N, C, h, w) float, returns (N, stripes, C).

    Raises:
        ValueError: h is no multiple of the stripes.

    Example:
        >>> stripe_pool(torch.tensor([[[[1., 5.], [3., 2.]]]]), 2)
        tensor([[[5.], [3.]]])
    """
    height, width = maps.shape[2:]
    if height % stripes:
        raise ValueError(f"{height} rows of features cannot be cut into {stripes} equal stripes")
    pooled = (F.max_pool2d if pool == "max" else F.avg_pool2d)(maps, (height // stripes, width))
    return pooled[..., 0].transpose(1, 2)  # [N,C,stripes,1] -> [N,stripes,C]


def _check(maps: Tensor, masks: Tensor) -> None:
    if maps.shape[0] != masks.shape[0] or maps.shape[2:] != masks.shape[2:]:
        raise ValueError(
            f"masks {tuple(masks.shape)} do not fit the feature map {tuple(maps.shape)}: their "
            "size must be that of the map, and both need as many images"
        )
