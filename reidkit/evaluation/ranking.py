"""Ranks of the right gallery images, counted in streamed blocks of distances, no rows sorted.

AP, CMC and mINP need only the rank of each right image: one more than the number of closer valid
images. So a block of queries is compared with the gallery, counted, and its memory used again.

Shape letters: Q queries, G gallery images, b queries of a block, n right images of a query.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.evaluation.matchers import Matcher, tensor_of
from reidkit.evaluation.memory import empty
from reidkit.evaluation.protocols import Relations
from reidkit.evaluation.verification import Verification
from reidkit.structures import Embedding

MEGABYTE = 1 << 20
SORTED = 2048  # as few distances are sorted; of more, those below each right image are counted


@dataclass(frozen=True)
class Ranks:
    """Ranks of the right images of the valid queries, ascending within a query, 1 = closest.

    Attributes:
        starts: (V + 1,) int64; valid query i has ``ranks[starts[i]:starts[i + 1]]``.
        ranks: images at exactly the same distance stand in gallery order.
        lowest: the right images before all wrong ones at the same distance (optimistic).
        highest: the right images behind all wrong ones at the same distance (pessimistic).
    """

    starts: NDArray[np.int64]
    ranks: NDArray[np.int64]
    lowest: NDArray[np.int64]
    highest: NDArray[np.int64]

    @staticmethod
    def join(parts: Sequence[Ranks]) -> Ranks:
        """Ranks of several shares of the queries, one after the other."""
        counts = np.concatenate([np.diff(part.starts) for part in parts])
        flat = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("ranks", "lowest", "highest")
        )
        return Ranks(np.concatenate([[0], np.cumsum(counts)]), *flat)


def blocks(
    query: Embedding,
    gallery: Embedding,
    matcher: nn.Module,
    block_mb: float,
    distances: bool = False,
) -> Iterator[tuple[slice, Tensor]]:
    """Blocks of values of some queries against the whole gallery, in one reused buffer.

    Args:
        query: raw query embeddings; moved to the gallery's device block by block.
        gallery: raw gallery embeddings.
        matcher: a `Matcher`, or any module with ``forward(query, gallery)``.
        block_mb: memory of a block, megabytes; at least one query is taken at a time.
        distances: give distances; otherwise values that order each row as distances do.

    Shape:
        yields (rows, values (b, G) float32); values are overwritten by the next block.
    """
    for rows, values, _ in _prepared_blocks(query, gallery, matcher, block_mb, distances):
        if not torch.isfinite(values.sum()):
            _refuse(values, 0, matcher)
        yield rows, values


def _prepared_blocks(
    query: Embedding, gallery: Embedding, matcher: nn.Module, block_mb: float, distances: bool
) -> Iterator[tuple[slice, Tensor, Embedding]]:
    """As `blocks`, with the prepared queries of each block; values may be NaN or infinite."""
    device = tensor_of(gallery).device
    ready = matcher.prepare(gallery, "gallery") if isinstance(matcher, Matcher) else gallery
    size = max(1, min(len(query), int(block_mb * MEGABYTE) // (4 * len(gallery))))
    memory = empty(size * len(gallery), device=device)
    for start in range(0, len(query), size):
        rows = slice(start, min(start + size, len(query)))
        part, count = query[rows].to(device), rows.stop - start
        out = memory[: count * len(gallery)].view(count, len(gallery))
        if isinstance(matcher, Matcher):
            part = matcher.prepare(part, "query")
            values = (matcher.compare if distances else matcher.order)(part, ready, out)
        else:
            values = matcher(part, ready)
        if values.shape != (count, len(gallery)) or values.dtype != torch.float32:
            raise ValueError(
                f"matcher {type(matcher).__name__} must return ({count}, {len(gallery)}) float32, "
                f"got {tuple(values.shape)} {values.dtype}"
            )
        yield rows, values.contiguous(), part
        del part  # before the next ones are prepared


def _refuse(values: Tensor, first: int, matcher: nn.Module | None) -> None:
    """Raise if there are NaN or infinite values in a block from its row ``first`` on."""
    if bad := int((~torch.isfinite(values[first:])).sum()):
        raise UserError(
            f"matcher {type(matcher).__name__} gave {bad} distances that are NaN or infinite in "
            f"one block of {len(values)} x {values.shape[1]}; such distances cannot be ranked"
        )


@torch.inference_mode()
def rank_positives(
    query: Embedding,
    gallery: Embedding,
    relations: Relations,
    matcher: nn.Module,
    block_mb: float = 64,
    queries: NDArray[np.int64] | None = None,
    verification: Verification | None = None,
) -> Ranks:
    """Rank every right image of every valid query by counting closer images.

    Memory beyond the embeddings (and what the matcher prepares) is about ``block_mb``, whatever
    the gallery. On the CPU the counting is numpy's, on other devices torch's; both are exact
    counts, so they agree wherever the distances do.

    Args:
        query: Q raw embeddings.
        gallery: G raw embeddings.
        relations: from `reidkit.evaluation.protocols.relate`.
        matcher: smaller is closer.
        block_mb: memory of a block of distances, megabytes.
        queries: indices of the queries to take, ascending; default: all valid ones. Those without
            a right image have no ranks, but take part in the verification.
        verification: gathers the distances on the way.

    Raises:
        UserError: NaN or infinite distances.
        ValueError: the matcher returns another shape or type.
    """
    taken = relations.valid if queries is None else queries
    starts = np.concatenate([[0], np.cumsum(relations.n_good[taken])])
    closer = np.zeros((3, starts[-1]), np.int64)
    chosen = query if len(taken) == len(query) else query[torch.from_numpy(taken)]
    finishes = isinstance(matcher, Matcher) and matcher.finishes
    distances = verification is not None and not finishes
    for rows, values, ready in _prepared_blocks(chosen, gallery, matcher, block_mb, distances):
        count = _count_cpu if values.device.type == "cpu" else _count_device
        limits = starts[rows.start : rows.stop + 1]
        members = taken[rows]
        closer[:, limits[0] : limits[-1]], right = count(values, members, relations, matcher)
        if verification is not None:
            counts = relations.n_good[members]
            if finishes:
                assert isinstance(matcher, Matcher)
                right = _finished(right, counts, ready, matcher)
                values = matcher.finish(values, ready)
                _leave_out(values, members, relations)  # finish may have brought them back
            verification.add(members, values, right, counts)
        del ready  # before the next ones are prepared
    counts = np.diff(starts)
    nth = np.arange(starts[-1]) - np.repeat(starts[:-1], counts) + 1
    starts = np.concatenate([[0], np.cumsum(counts[counts > 0])])
    return Ranks(starts, *(closer + nth))


def _finished(right: NDArray, counts: NDArray, ready: Embedding, matcher: Matcher) -> NDArray:
    """Distances of the right images from their order values, padded to a row per query."""
    table = np.full((len(counts), max(1, counts.max())), np.float32(0))
    filled = np.arange(table.shape[1]) < counts[:, None]
    table[filled] = right
    device = tensor_of(ready).device
    return matcher.finish(torch.from_numpy(table).to(device), ready).cpu().numpy()[filled]


def _leave_out(values: Tensor, queries: NDArray, relations: Relations) -> None:
    """Put own images and junk infinitely far, so that impostors are left."""
    rows, own, _ = _flatten(queries, relations)
    at = torch.from_numpy(rows * values.shape[1] + own).to(values.device)
    values.view(-1)[at] = torch.inf
    if len(relations.junk):
        values[:, torch.from_numpy(relations.junk).to(values.device)] = torch.inf


def _count_cpu(
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
    table = values.numpy()
    total = int(relations.n_good[queries].sum())
    out, right = np.empty((3, total), np.int64), np.empty(total, np.float32)
    start = 0
    for i, (row, query) in enumerate(zip(table, queries.tolist(), strict=True)):
        # row by row, so that a row is read from memory once and all else is done in the cache
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(row.dot(row))  # one pass; nothing is refused for large squares
        if not finite:
            _refuse(values, i, matcher)
        if len(relations.junk):
            row[relations.junk] = np.inf
        own, good = relations.of(query)
        stop = start + int(relations.n_good[query])
        if stop > start:
            right[start:stop] = _count_row(row, own, good, out[:, start:stop])
        elif len(own):
            row[own] = np.inf
        start = stop
    return out, right


def _count_row(row: NDArray, own: NDArray, good: NDArray, out: NDArray) -> NDArray:
    right = row[own][good]
    row[own] = np.inf  # what is left are the bad images
    turn = right.argsort(kind="stable")  # columns ascend: ties stay in gallery order
    right = right[turn]
    _count_closer(row, right, out)
    out[0] = out[1]
    if (out[1] < out[2]).any():
        columns = own[good][turn]
        for i in np.flatnonzero(out[1] < out[2]):
            out[0, i] += np.count_nonzero(row[: columns[i]] == right[i])
    return right


def _count_closer(row: NDArray, right: NDArray, out: NDArray) -> None:
    """How many of a row are below each right value (``out[1]``), and at most it (``out[2]``).

    From the farthest right value down: those beyond it are dropped. Counting is a hundredth of the
    work of sorting the same values, so only the last few are sorted.
    """
    closer, left = row.compress(row <= right[-1]), len(right)
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


def _count_device(
    values: Tensor, queries: NDArray, relations: Relations, matcher: nn.Module | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """As `_count_cpu`, with whole-block operations: one comparison per n, not per right image."""
    if not torch.isfinite(values.sum()):
        _refuse(values, 0, matcher)
    device, width = values.device, values.shape[1]
    rows, own, good = _flatten(queries, relations)
    at = torch.from_numpy(rows * width + own).to(device)
    mine = values.view(-1)[at].cpu().numpy()
    _leave_out(values, queries, relations)
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


@torch.inference_mode()
def top_matches(
    query: Embedding,
    gallery: Embedding,
    matcher: nn.Module,
    relations: Relations,
    k: int = 10,
    block_mb: float = 64,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k closest gallery images of each query, junk left out; for pictures and lists.

    Args:
        relations: from `relate`; invalid queries are listed too.
        k: length of the lists, >= 1.

    Shape:
        returns gallery indices (Q, k) int64 and distances (Q, k) float32; equal distances in
        gallery order; -1 and NaN where fewer than k images remain.

    Raises:
        ValueError: k < 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    indices = np.full((len(query), k), -1, np.int64)
    distances = np.full((len(query), k), np.nan, np.float32)
    for rows, values in blocks(query, gallery, matcher, block_mb, distances=True):
        for q, row in zip(range(rows.start, rows.stop), values.cpu().numpy(), strict=True):
            own, good = relations.of(q)
            row[own[~good]] = np.inf
            row[relations.junk] = np.inf
            last = np.partition(row, k - 1)[k - 1] if k < len(row) else np.inf
            near = np.flatnonzero((row <= last) & (row < np.inf))
            near = near[np.argsort(row[near], kind="stable")[:k]]
            indices[q, : len(near)], distances[q, : len(near)] = near, row[near]
    return indices, distances
