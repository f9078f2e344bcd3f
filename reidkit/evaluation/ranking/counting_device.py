"""How many negatives are closer than each positive, counted in whole rows on any device.

As on the CPU, only negatives that are at most as far as the farthest positive are looked at again,
one in hundreds as a rule; each is searched for among its query's positives, all at once.

Shape letters: G gallery images, b queries of a block, r of a strip, p positives of a query at most,
n positives of all queries, m negatives kept of a strip.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reidkit.evaluation.protocols import GroundTruth
from reidkit.evaluation.ranking.blocks import refuse
from reidkit.evaluation.ranking.counting import flatten, leave_out

STRIP = 1 << 23  # distances whose places (8 bytes each) are made together


def count_device(
    values: Tensor, queries: NDArray, truth: GroundTruth, matcher: nn.Module | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """What `CloserNegatives.count` says of a block of whole rows, counted on the block's device.

    Args:
        values: (b, G); own images and junk are put infinitely far.
        queries: index of each row's query (b,).
        truth: of all queries.
        matcher: gave the values; named when some are refused.

    Shape:
        returns (3, n) int64, as `CloserNegatives.count`, and the distances of the n positives.

    Raises:
        UserError: NaN or infinite values.
    """
    if not torch.isfinite(values.sum()):
        refuse(values, 0, matcher)
    rows, own, positive = flatten(queries, truth)
    rows, own = rows[positive], own[positive]
    if not len(rows):
        return np.empty((3, 0), np.int64), np.empty(0, np.float32)
    counts, width = np.bincount(rows, minlength=len(queries)), values.shape[1]
    nth = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]
    size = len(queries), int(counts.max())
    # a row of positives per query, filled up with images that are infinitely far
    at = torch.from_numpy(rows * size[1] + nth).to(values.device)
    places = torch.from_numpy(rows * width + own).to(values.device)
    positives = torch.full(size, torch.inf, device=values.device)
    positives.view(-1)[at] = values.view(-1)[places]
    columns = torch.zeros(size, dtype=torch.int64, device=values.device)
    columns.view(-1)[at] = places % width
    leave_out(values, queries, truth)
    positives, turn = positives.sort(dim=1, stable=True)  # gallery order at equal distances
    columns = columns.gather(1, turn)
    step = max(1, STRIP // width)
    strips = zip(values.split(step), positives.split(step), columns.split(step), strict=True)
    closer = torch.cat([_closer(*strip) for strip in strips], 1)
    found = closer.flatten(1)[:, at].cpu().numpy()
    return found, positives.view(-1)[at].cpu().numpy()


def _closer(values: Tensor, positives: Tensor, columns: Tensor) -> Tensor:
    """Negatives closer than each positive of some rows: ties in gallery order, behind, before it.

    Args:
        values: (r, G), infinite where there is no negative.
        positives: (r, p) ascending, infinite where a row has no more.
        columns: (r, p) of the positives.

    Shape:
        returns (3, r, p) int64.
    """
    farthest = positives.masked_fill(positives == torch.inf, -torch.inf).amax(1, keepdim=True)
    places = (values <= farthest).view(-1).nonzero().flatten()
    row, column = places // values.shape[1], places % values.shape[1]
    kept, length = values.reshape(-1)[places], positives.shape[1]
    # a negative is closer than the positives from the first on that does not come before it
    orders: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
        lambda value, at: (value < kept) | ((value == kept) & (at < column)),
        lambda value, at: value <= kept,
        lambda value, at: value < kept,
    )
    counts = []
    for precedes in orders:
        first = _search(positives.view(-1), columns.view(-1), row * length, length, precedes)
        bins = torch.bincount(row * (length + 1) + first, minlength=len(values) * (length + 1))
        counts.append(bins.view(len(values), length + 1)[:, :-1].cumsum(1))
    return torch.stack(counts)


def _search(
    values: Tensor,
    columns: Tensor,
    begins: Tensor,
    length: int,
    precedes: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """How many of the ``length`` entries from each of ``begins`` (m,) on precede; by bisection."""
    found, step = torch.zeros_like(begins), 1 << (length.bit_length() - 1)
    while step:
        further = found + step
        at = begins + further.clamp(max=length) - 1
        found = torch.where((further <= length) & precedes(values[at], columns[at]), further, found)
        step >>= 1
    return found
