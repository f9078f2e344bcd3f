"""Ranks of the positives, counted in streamed blocks of distances, no rows sorted.

AP, CMC and mINP need only the rank of each positive: one more than the number of closer valid
images. So a block of queries is compared with the gallery, counted, and its memory used again.

Shape letters: Q queries, G gallery images, b queries of a block, n positives of a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.evaluation.metrics.verification import Verification
from reidkit.evaluation.protocols import GroundTruth
from reidkit.evaluation.ranking.blocks import blocks, prepared_blocks
from reidkit.evaluation.ranking.counting import count_cpu, leave_out
from reidkit.evaluation.ranking.counting_device import count_device
from reidkit.evaluation.ranking.repeats import Repeats
from reidkit.evaluation.ranking.tiles import count_in_tiles, tiled
from reidkit.structures import Embedding


@dataclass(frozen=True)
class Ranks:
    """Ranks of the positives of the valid queries, ascending within a query, 1 = closest.

    Attributes:
        starts: (V + 1,) int64; valid query i has ``ranks[starts[i]:starts[i + 1]]``.
        ranks: images at exactly the same distance stand in gallery order.
        lowest: the positives before all negatives at the same distance (optimistic).
        highest: the positives behind all negatives at the same distance (pessimistic).
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


@torch.inference_mode()
def rank_positives(
    query: Embedding,
    gallery: Embedding,
    truth: GroundTruth,
    matcher: nn.Module,
    block_mb: float = 64,
    queries: NDArray[np.int64] | None = None,
    verification: Verification | None = None,
) -> Ranks:
    """Rank every positive of every valid query by counting closer images.

    Memory beyond the embeddings (and what the matcher prepares) is about ``block_mb``, whatever
    the gallery. On the CPU the counting is numpy's, on other devices torch's; both are exact
    counts, so they agree wherever the distances do.

    Args:
        query: Q raw embeddings.
        gallery: G raw embeddings.
        truth: from `match_labels`.
        matcher: smaller is closer.
        block_mb: memory of a block of distances, megabytes.
        queries: indices of the queries to take, ascending; default: all valid ones. Those without
            a positive have no ranks, but take part in the verification.
        verification: gathers the distances on the way.

    Raises:
        UserError: NaN or infinite distances.
        ValueError: the matcher returns another shape or type.
    """
    taken = truth.valid if queries is None else queries
    owner = np.repeat(np.arange(len(taken)), truth.n_positives[taken])  # of each positive
    closer = np.zeros((3, len(owner)), np.int64)
    left, repeats = np.ones(len(taken), bool), Repeats.of(gallery)
    if verification is None and tiled(gallery, matcher, block_mb, len(taken), len(repeats.sources)):
        assert isinstance(matcher, Matcher)
        left = truth.n_positives[taken] > 0
        for done, counted in count_in_tiles(
            query, gallery, truth, matcher, block_mb, taken, repeats
        ):
            closer[:, np.isin(owner, done)] = counted
            left[done] = False
    if left.any():
        rest = (matcher, block_mb, taken[left], verification, repeats)
        closer[:, left[owner]] = _count_blocks(query, gallery, truth, *rest)
    counts = truth.n_positives[taken]
    nth = np.arange(closer.shape[1]) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    starts = np.concatenate([[0], np.cumsum(counts[counts > 0])])
    return Ranks(starts, *(closer + nth))


def _count_blocks(
    query: Embedding,
    gallery: Embedding,
    truth: GroundTruth,
    matcher: nn.Module,
    block_mb: float,
    taken: NDArray[np.int64],
    verification: Verification | None,
    repeats: Repeats,
) -> NDArray[np.int64]:
    """Negatives closer than each positive (3, n), from blocks of whole rows."""
    starts = np.concatenate([[0], np.cumsum(truth.n_positives[taken])])
    closer = np.zeros((3, starts[-1]), np.int64)
    chosen = query if len(taken) == len(query) else query[torch.from_numpy(taken)]
    finishes = isinstance(matcher, Matcher) and matcher.finishes
    distances = verification is not None and not finishes
    for rows, values, ready in prepared_blocks(
        chosen, gallery, matcher, block_mb, distances, repeats
    ):
        count = count_cpu if values.device.type == "cpu" else count_device
        limits = starts[rows.start : rows.stop + 1]
        members = taken[rows]
        closer[:, limits[0] : limits[-1]], positives = count(values, members, truth, matcher)
        if verification is not None:
            counts = truth.n_positives[members]
            if finishes:
                assert isinstance(matcher, Matcher) and ready is not None
                positives = _finished(positives, counts, ready, matcher)
                values = matcher.finish(values, ready)
            leave_out(values, members, truth)
            verification.add(members, values, positives, counts)
        del ready  # before the next ones are prepared
    return closer


def _finished(positives: NDArray, counts: NDArray, ready: Prepared, matcher: Matcher) -> NDArray:
    """Distances of the positives from their order values, padded to a row per query."""
    table = np.full((len(counts), max(1, counts.max())), np.float32(0))
    filled = np.arange(table.shape[1]) < counts[:, None]
    table[filled] = positives
    return matcher.finish(torch.from_numpy(table).to(ready.device), ready).cpu().numpy()[filled]


@torch.inference_mode()
def top_matches(
    query: Embedding,
    gallery: Embedding,
    matcher: nn.Module,
    truth: GroundTruth,
    k: int = 10,
    block_mb: float = 64,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k closest gallery images of each query, junk left out; for pictures and lists.

    Args:
        truth: from `match_labels`; invalid queries are listed too.
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
            own, positive = truth.of(q)
            row[own[~positive]] = np.inf
            row[truth.junk] = np.inf
            last = np.partition(row, k - 1)[k - 1] if k < len(row) else np.inf
            near = np.flatnonzero((row <= last) & (row < np.inf))
            near = near[np.argsort(row[near], kind="stable")[:k]]
            indices[q, : len(near)], distances[q, : len(near)] = near, row[near]
    return indices, distances
