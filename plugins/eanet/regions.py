"""Keypoints -> the nine regions of part aligned pooling (PAP), as masks on the feature map.

Shapes: N images, R regions, H W mask cells (= feature cells), 17 COCO keypoints (x, y, confidence).

Only shoulders, hips, knees and ankles matter. Left and right are fused to one height per joint;
five stripes and three halves are cut at those heights, and the shoes are discs around the ankles.
"""

from __future__ import annotations

import torch
from torch import Tensor

REGIONS = (
    "head",
    "upper_torso",
    "lower_torso",
    "upper_leg",
    "lower_leg",
    "shoes",
    "upper_half",
    "lower_half",
    "whole",
)
# COCO indices (left, right)
SHOULDERS, HIPS, KNEES, ANKLES = (5, 6), (11, 12), (13, 14), (15, 16)
SHOES = REGIONS.index("shoes")


def region_masks(
    keypoints: Tensor,
    image_sizes: Tensor,
    size: tuple[int, int] = (24, 8),
    confidence: float | None = 0.1,
) -> tuple[Tensor, Tensor]:
    """Masks and visibility of the nine regions; the first six are the paper's "6P" variant.

    Regions overlap on purpose: shoes with the lower leg, the halves and the whole with everything.
    A region whose joints are missing, or whose rows vanish by rounding, is empty and invisible;
    with every joint missing only the whole image stays.

    Args:
        keypoints: joints in pixels of the stored crop; may lie outside of it.
        image_sizes: (height, width) in pixels of the crop the keypoints were found in.
        size: (height, width) of the masks in cells; must be that of the feature map.
        confidence: a joint counts when its confidence is strictly above this, compared in float32
            because label stores hold float32. None: the third column already is a flag, and only
            exactly 1 counts (a raw COCO flag of 2 does not).

    Shape:
        keypoints (N, 17, 3), image_sizes (N, 2), any number type.
        returns masks (N, 9, H, W) bool in the order of ``REGIONS``, and visibility (N, 9) float32:
        1 where the mask has at least one cell.

    Raises:
        ValueError: keypoints or image_sizes of another shape.

    Source:
        EANet, arXiv 1812.11369, 3.1, with rows rounded half up in double arithmetic. Heights given
        as "6 of 24 rows" scale to other sizes as ceil(H / 4), the shoe radius as trunc(H / 12).

    Example:
        >>> nobody = torch.zeros(1, 17, 3)
        >>> masks, visible = region_masks(nobody, torch.tensor([[128, 64]]))
        >>> masks.shape, visible.tolist()[0]
        (torch.Size([1, 9, 24, 8]), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    """
    if keypoints.ndim != 3 or keypoints.shape[1:] != (17, 3):
        raise ValueError(f"keypoints must be (N, 17, 3), got {tuple(keypoints.shape)}")
    if image_sizes.shape != (keypoints.shape[0], 2):
        raise ValueError(
            f"image_sizes must be (N, 2) = ({len(keypoints)}, 2), got {tuple(image_sizes.shape)}"
        )
    # an unseen joint may hold anything, also NaN
    seen = _seen(keypoints[..., 2], confidence) & ~keypoints[..., :2].isnan().any(2)  # [N,17]
    points = torch.where(seen[..., None], keypoints[..., :2].double(), 0.0)
    image_sizes = image_sizes.to(points.device, torch.float64)
    start, stop, drawn = _stripes(points[..., 1], seen, image_sizes[:, 0], size[0])
    rows = torch.arange(size[0], device=points.device)
    inside = (rows >= start[..., None]) & (rows < stop[..., None]) & drawn[..., None]  # [N,9,H]
    masks = inside[..., None].expand(-1, -1, -1, size[1]).clone()
    masks[:, SHOES] = _shoes(points[:, ANKLES], seen[:, ANKLES], image_sizes, size)
    return masks, masks.flatten(2).any(2).float()


def stripe_masks(count: int, stripes: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Equal stripes in place of regions, always visible: what PAP is without keypoints.

    Args:
        count: number of images N.
        stripes: number of stripes R, from top to bottom.
        size: (height, width) of the masks in cells.

    Shape:
        returns masks (N, R, H, W) bool and visibility (N, R) float32, all 1.

    Raises:
        ValueError: the height is no multiple of the stripes.

    Example:
        >>> stripe_masks(1, 2, (4, 1))[0].int().tolist()
        [[[[1], [1], [0], [0]], [[0], [0], [1], [1]]]]
    """
    if size[0] % stripes:
        raise ValueError(f"{size[0]} rows cannot be cut into {stripes} equal stripes")
    owner = torch.arange(size[0]) // (size[0] // stripes)
    masks = (owner == torch.arange(stripes)[:, None])[None, :, :, None]
    return masks.expand(count, stripes, *size).clone(), torch.ones(count, stripes)


def _seen(column: Tensor, confidence: float | None) -> Tensor:
    if confidence is None:
        return column == 1
    return column.float() > torch.tensor(confidence, dtype=torch.float32, device=column.device)


def _cell(position: Tensor, length: Tensor, cells: int) -> Tensor:
    """Pixels -> cell border, rounded half up; ``cells`` itself is allowed as an end."""
    return (cells * position / length + 0.5).trunc().clamp(0, cells).long()


def _fuse(y: Tensor, seen: Tensor, pair: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Left and right joint -> one height: the mean, the only one seen, or 0 and invisible."""
    both = seen[:, pair]
    return y[:, pair].sum(1) / both.sum(1).clamp(min=1), both.any(1)


def _stripes(y: Tensor, seen: Tensor, height: Tensor, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """First row, end row (exclusive) and flag of each region [N,9]; shoes are left empty."""
    (s, vs), (h, vh), (k, vk), (a, va) = (
        _fuse(y, seen, pair) for pair in (SHOULDERS, HIPS, KNEES, ANKLES)
    )
    # the middle of the torso is averaged in pixels, before rounding
    shoulder, middle, hip, knee, ankle = (
        _cell(joint, height, rows) for joint in (s, (s + h) / 2, h, k, a)
    )
    quarter = -(-rows // 4)
    top, end = torch.zeros_like(hip), torch.full_like(hip, rows)
    never, always = torch.zeros_like(vs), torch.ones_like(vs)
    table = (
        (shoulder - quarter, shoulder, vs),  # head: at most a quarter above the shoulders
        (shoulder, middle, vs & vh),
        (middle, hip, vs & vh),
        (hip, knee, vh & vk),
        (knee, torch.where(va, ankle, (knee + quarter).clamp(max=rows)), vk),
        (top, top, never),
        (top, hip, vh),
        (hip, end, vh & (vk | va)),
        (top, end, always),
    )
    start, stop, flag = (torch.stack(column, 1) for column in zip(*table, strict=True))
    return start, stop, flag


def _shoes(ankles: Tensor, seen: Tensor, image_sizes: Tensor, size: tuple[int, int]) -> Tensor:
    """Union of a disc around each seen ankle [N,H,W]; its centre may lie just outside."""
    column = _cell(ankles[..., 0], image_sizes[:, 1:], size[1])  # [N,2]
    row = _cell(ankles[..., 1], image_sizes[:, :1], size[0])
    rows = torch.arange(size[0], device=ankles.device)[:, None]
    columns = torch.arange(size[1], device=ankles.device)
    radius = int(0.5 * size[0] / 6)
    squared = (columns - column[..., None, None]) ** 2 + (rows - row[..., None, None]) ** 2
    return ((squared <= radius**2) & seen[..., None, None]).any(1)
