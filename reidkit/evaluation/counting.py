"""How many wrong gallery images are closer than each right one, counted in a block of distances.

On the CPU numpy counts row by row, in the processor's cache; elsewhere torch counts whole blocks.

Shape letters: G gallery images, b queries of a block, n right images of a query.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reidkit.evaluation.blocks import refuse
from reidkit.evaluation.protocols import Relations

EIGHT = 8  # truth values in the bytes of one integer
SORTED = 1024  # as few distances are sorted; of more, those below each right image are counted


def leave_out(values: Tensor, queries: NDArray, relations: Relations) -> None:
    """Put own images and junk infinitely far, so that impostors are left."""
    rows, own, _ = _flatten(queries, relations)
    at = torch.from_numpy(rows * values.shape[1] + own).to(values.device)
    values.view(-1)[at] = torch.inf
    if len(relations.junk):
        values[:, torch.from_numpy(relations.junk).to(values.device)] = torch.inf


def count_cpu(
    values: Tensor, queries: NDArray, relations: Relations, matcher: nn.Module | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each right image, in order of distance, the number of bad images before it.

    Args:
        values: (b, G); all but the bad images are put infinitely far.
        queries: index of each row's query.
        matcher: gave the values; named when some are refused.

    Returns:
        (3, right images): ties in gallery order, ties behind it, ties before it; and their values.

    Raises:
        UserError: NaN or infinite values.
    """
    table, counts = values.numpy(), relations.n_good[queries]
    out = np.empty((3, counts.sum()), np.int64)
    right, columns = np.empty(out.shape[1], np.float32), np.empty(out.shape[1], np.int64)
    start = 0
    with np.errstate(over="ignore", invalid="ignore"):  # nothing is refused for large squares
        for i, (row, query, count) in enumerate(
            zip(table, queries.tolist(), counts.tolist(), strict=True)
        ):
            # row by row, so that a row is read from memory once and all else is done in the cache
            if not math.isfinite(row.dot(row)):
                refuse(values, i, matcher)
            if len(relations.junk):
                row[relations.junk] = np.inf
            own, good = relations.of(query)
            near = row[own][good]
            row[own] = np.inf  # what is left are the bad images
            if count:
                turn = near.argsort(kind="stable")  # columns ascend: ties stay in gallery order
                part = slice(start, start + count)
                right[part], columns[part] = near[turn], own[good][turn]
                _count_closer(row, right[part], out[:, part])
            start += count
    out[0] = out[1]
    rows = np.repeat(np.arange(len(queries)), counts)
    for j in np.flatnonzero(out[1] < out[2]):  # bad images at exactly the same distance
        out[0, j] += np.count_nonzero(table[rows[j], : columns[j]] == right[j])
    return out, right


def _count_closer(row: NDArray, right: NDArray, out: NDArray) -> None:
    """How many of a row are below each right value (``out[1]``), and at most it (``out[2]``).

    From the farthest right value down: those beyond it are dropped. Counting is a hundredth of the
    work of sorting the same values, so only the last few are sorted.
    """
    closer, left = _at_most(row, right[-1]), len(right)
    while left and len(closer) > SORTED:
        left -= 1
        within = closer <= right[left]
        out[2, left] = count = np.count_nonzero(within)
        out[1, left] = np.count_nonzero(closer < right[left])
        if 2 * count < len(closer):
            closer = closer.compress(within)
    if left:
        closer.sort()
        out[1, :left] = closer.searchsorted(right[:left], "left")
        out[2, :left] = closer.searchsorted(right[:left], "right")


def _at_most(row: NDArray, limit: np.float32) -> NDArray:
    """The values of a row that are at most ``limit``, in order.

    Which eights of truth values hold a true one takes half the time of looking at each.
    """
    even = len(row) - len(row) % EIGHT
    eights = np.flatnonzero((row <= limit)[:even].view(np.uint64) != 0)
    near = row[:even].reshape(-1, EIGHT).take(eights, 0).ravel()
    near = np.concatenate([near, row[even:]])
    return near.compress(near <= limit)


def count_device(
    values: Tensor, queries: NDArray, relations: Relations, matcher: nn.Module | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """As `count_cpu`, with whole-block operations: one comparison per n, not per right image."""
    if not torch.isfinite(values.sum()):
        refuse(values, 0, matcher)
    device, width = values.device, values.shape[1]
    rows, own, good = _flatten(queries, relations)
    at = torch.from_numpy(rows * width + own).to(device)
    mine = values.view(-1)[at].cpu().numpy()
    leave_out(values, queries, relations)
    turn = np.lexsort((own[good], mine[good], rows[good]))
    rows, right, columns = (x[good][turn] for x in (rows, mine, own))
    first = np.searchsorted(rows, np.arange(len(queries)))
    nth = np.arange(len(rows)) - first[rows]
    counts = np.bincount(rows, minlength=len(queries))
    found = torch.zeros(3, len(rows), dtype=torch.int64, device=device)
    for n in range(counts.max(initial=0)):  # the queries that have an n-th right image, all at once
        picked = np.flatnonzero(nth == n)
        index = torch.from_numpy(rows[picked]).to(device)
        limit = torch.from_numpy(right[picked]).to(device)[:, None]
        block = values if len(picked) == len(queries) else values[index]
        lowest, highest = (block < limit).sum(1), (block <= limit).sum(1)
        found[1, picked], found[2, picked] = lowest, highest
        found[0, picked] = lowest
        tied = torch.nonzero(lowest < highest).flatten().tolist()
        for i in tied:
            found[0, picked[i]] += (block[i, : columns[picked[i]]] == limit[i]).sum()
    return found.cpu().numpy(), right


def _flatten(queries: NDArray, relations: Relations) -> tuple[NDArray, NDArray, NDArray]:
    """Own images of several queries as flat (row in the block, gallery index, good)."""
    counts = relations.starts[queries + 1] - relations.starts[queries]
    rows = np.repeat(np.arange(len(queries)), counts)
    begin = np.cumsum(counts) - counts
    at = np.arange(len(rows)) - begin[rows] + relations.starts[queries][rows]
    return rows, relations.own[at], relations.good[at]
