"""Left and right joints that a network puts on one place, parted again.

A network that cannot tell a person's left ankle from the right one answers with both places in both
maps; the maximum of each is then the same ankle, and the other leg is lost.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from reidkit.pose.heatmaps import heatmap_maximum

# joint and the one before it on its limb, left and right: elbows, wrists, knees, ankles
LIMB_PAIRS = (((7, 5), (8, 6)), ((9, 7), (10, 8)), ((13, 11), (14, 12)), ((15, 13), (16, 14)))
SHARE = 0.3  # of the first peak's height that the second one needs


def part_pairs(heatmaps: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Place and height of each map's maximum, with pairs parted that lie on one place.

    Where the maxima of a left and a right joint are less than sigma apart, the higher of their
    second peaks (local maxima at least two sigma away) becomes the other joint's place, if it is
    at least ``SHARE`` as high. Which of the two is left is not in the maps: the joints are given
    so that both limbs together are shortest.

    Args:
        heatmaps: of the 17 COCO joints.
        sigma: of the Gaussians that the network was trained with, in cells.

    Shape:
        heatmaps (N, 17, h, w).
        returns as ``heatmap_maximum``: (N, 17, 2) x, y in cells and (N, 17) values.

    Example:
        >>> maps = torch.zeros(1, 17, 8, 12)
        >>> maps[0, 13, 1, 2] = maps[0, 14, 1, 9] = 1.0  # knees
        >>> maps[0, 15:, 6, 2], maps[0, 15:, 6, 9] = 0.6, 0.5  # both ankles in both maps
        >>> part_pairs(maps, 1.5)[0][0, 13:].tolist()
        [[2.0, 1.0], [9.0, 1.0], [2.0, 6.0], [9.0, 6.0]]
    """
    places, values = heatmap_maximum(heatmaps)
    for left, right in LIMB_PAIRS:
        _part(heatmaps, sigma, left, right, places, values)
    return places, values


def _part(
    heatmaps: Tensor,
    sigma: float,
    left: tuple[int, int],
    right: tuple[int, int],
    places: Tensor,
    values: Tensor,
) -> None:
    """Part one pair, in place."""
    joints, before = [left[0], right[0]], [left[1], right[1]]
    rows = (_distance(*places[:, joints].unbind(1)) < sigma).nonzero().flatten()
    if not len(rows):
        return
    at = rows[:, None], torch.tensor(joints, device=rows.device)
    first, height = places[at], values[at]
    second, other = _second_peaks(heatmaps[at], first, 2 * sigma)
    taken = other.argmax(1, keepdim=True)  # of the two maps; the other map keeps its maximum
    kept = 1 - taken
    heights = torch.cat([height.gather(1, kept), other.gather(1, taken)], 1)
    spots = torch.stack([_pick(first, kept), _pick(second, taken)], 1)  # (rows, 2, 2)
    roots = places[rows[:, None], torch.tensor(before, device=rows.device)]
    straight = _distance(roots, spots).sum(1)
    crossed = _distance(roots, spots.flip(1)).sum(1)
    turn = (crossed < straight)[:, None]
    heights = torch.where(turn, heights.flip(1), heights)
    spots = torch.where(turn[..., None], spots.flip(1), spots)
    clear = (other.gather(1, taken) >= SHARE * height.gather(1, taken))[:, 0]
    cells = rows[clear][:, None], at[1]
    places[cells], values[cells] = spots[clear], heights[clear]


def _second_peaks(maps: Tensor, first: Tensor, away: float) -> tuple[Tensor, Tensor]:
    """The highest local maximum at least ``away`` cells from a place: (n, 2, 2) and (n, 2)."""
    height, width = maps.shape[-2:]
    y = torch.arange(height, device=maps.device)[:, None] - first[..., 1, None, None]
    x = torch.arange(width, device=maps.device) - first[..., 0, None, None]
    peak = maps >= F.max_pool2d(maps, 3, 1, 1)
    return heatmap_maximum(torch.where(peak & (x * x + y * y >= away * away), maps, 0.0))


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).norm(dim=-1)


def _pick(places: Tensor, which: Tensor) -> Tensor:
    """places (n, 2, 2), which (n, 1): the chosen (n, 2)."""
    return places.gather(1, which[..., None].expand(-1, 1, 2))[:, 0]
