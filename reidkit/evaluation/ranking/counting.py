"""How many negatives are closer than each positive, counted in tiles of distances on the CPU.

numpy gathers what can decide a rank from each tile, while it lies in the processor's cache.

Shape letters: G gallery images, b queries of a block, w columns of a tile, n positives of all
queries of a block, k negatives kept of one query.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reidkit.evaluation.protocols import GroundTruth
from reidkit.evaluation.ranking.blocks import refuse

EIGHT = 8  # truth values in the bytes of one integer
SORTED = 1024  # as few distances are sorted; of more, those below each positive are counted
CACHED = 1 << 18  # distances looked at together; fits the processor's cache
STEP = 256  # rows of a tile whose places (8 bytes each) are made together
STRIP = 1 << 20  # distances of whole rows that are counted together


def leave_out(values: Tensor, queries: NDArray, truth: GroundTruth) -> None:
    """Put own images and junk infinitely far, so that impostors are left.

    Args:
        values: (b, G), changed.
        queries: index of each row's query (b,).
        truth: of all queries.
    """
    rows, own, _ = flatten(queries, truth)
    at = torch.from_numpy(rows * values.shape[1] + own).to(values.device)
    values.view(-1)[at] = torch.inf
    if len(truth.junk):
        values[:, torch.from_numpy(truth.junk).to(values.device)] = torch.inf


class CloserNegatives:
    """Counts the negatives closer than each positive of b queries, from tiles of their distances.

    Tiles come from left to right. Of each, only the negatives at most as far as the query's
    farthest positive are kept, one in hundreds as a rule, since the others decide no rank; counting
    is left to the end, when all are there.

    Args:
        queries: index of each row's query (b,).
        truth: of all queries.
        limits: how far negatives are kept (b,) float32; None: as far as the farthest positive of
            the first tile, which then must be all there is.

    Attributes:
        kept: how many negatives are kept so far, of each row (b,).

    Example:
        >>> from reidkit.evaluation import PROTOCOLS, Labels, match_labels
        >>> gallery = Labels([5, 7, 8, 7], [1, 2, 2, 2])  # images 1 and 3 are positives
        >>> truth = match_labels(PROTOCOLS["market"], Labels([7], [1]), gallery)
        >>> closer = CloserNegatives(np.array([0]), truth)
        >>> closer.take(np.float32([[0.5, 0.1, 0.2, 0.3]]), first=0)
        >>> counts, distances = closer.count()
        >>> counts[0].tolist(), distances
        ([0, 1], array([0.1, 0.3], dtype=float32))
    """

    def __init__(self, queries: NDArray, truth: GroundTruth, limits: NDArray | None = None):
        self.queries, self.truth, self.limits = queries, truth, limits
        self.rows, self.columns, self.positive = flatten(queries, truth)
        self.values = np.empty(len(self.rows), np.float32)  # of own images
        self.before = np.zeros(len(self.rows), np.int64)  # of the kept ones, left of an own image
        self.kept = np.zeros(len(queries), np.int64)
        # of each tile, of each strip of rows: the values kept, and where each row's begin
        self._strips: list[list[tuple[NDArray, NDArray]]] = []

    def take(self, tile: NDArray, first: int, matcher: nn.Module | None = None) -> None:
        """Take in a tile.

        Args:
            tile: (b, w) float32, contiguous; not changed.
            first: the gallery image of its first column.
            matcher: gave the values; named when some are refused.

        Raises:
            UserError: NaN or infinite values.
        """
        width = tile.shape[1]
        own = np.flatnonzero((self.columns >= first) & (self.columns < first + width))
        rows, columns = self.rows[own], self.columns[own] - first
        self.values[own] = tile[rows, columns]
        if self.limits is None:
            self.limits = self._farthest()
        junk = self.truth.junk - first
        junk = junk[(junk >= 0) & (junk < width)]
        strips = []
        for start in range(0, len(tile), STEP):
            part = tile[start : start + STEP]
            near = _at_most(part, self.limits[start : start + STEP], matcher)
            inside = slice(*np.searchsorted(rows, (start, start + STEP)))
            at = (rows[inside] - start) * width + columns[inside]
            near.reshape(-1)[at] = False
            near[:, junk] = False
            places = _true_places(near.reshape(-1))
            begins = np.searchsorted(places, np.arange(len(part) + 1) * width)
            left = np.searchsorted(places, at) - begins[rows[inside] - start]
            self.before[own[inside]] = self.kept[rows[inside]] + left
            self.kept[start : start + STEP] += np.diff(begins)
            strips.append((part.reshape(-1).take(places), begins))
        self._strips.append(strips)

    def keep_rows(self, count: int) -> None:
        """Forget all rows but the first ``count``."""
        own = slice(np.searchsorted(self.rows, count))
        for name in ("rows", "columns", "positive", "values", "before"):
            setattr(self, name, getattr(self, name)[own])
        self.queries, self.kept = self.queries[:count], self.kept[:count]
        self.limits = None if self.limits is None else self.limits[:count]
        self._strips = [strips[: -(-count // STEP)] for strips in self._strips]

    @property
    def complete(self) -> NDArray[np.bool_]:
        """(b,): no positive lies beyond the row's limit, so that nothing was missed."""
        assert self.limits is not None  # once a tile was taken
        return self._farthest() <= self.limits

    def count(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """For each positive, in order of distance, the number of negatives before it.

        Returns:
            (3, n): ties in gallery order, ties behind it, ties before it; and their values.
        """
        rows, columns = self.rows[self.positive], self.columns[self.positive]
        turn = np.lexsort((columns, self.values[self.positive], rows))
        rows, positives = rows[turn], self.values[self.positive][turn]
        before = self.before[self.positive][turn]
        out = np.empty((3, len(rows)), np.int64)
        starts = np.searchsorted(rows, np.arange(len(self.queries) + 1)).tolist()
        for row, (start, stop) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
            if start < stop:
                _count_closer(self._of(row), positives[start:stop], out[:, start:stop])
        out[0] = out[1]
        tied = np.flatnonzero(out[1] < out[2])  # with negatives at exactly the same distance
        for row in np.unique(rows[tied]):
            closer = self._of(row)
            for i in tied[slice(*np.searchsorted(rows[tied], (row, row + 1)))]:
                out[0, i] += np.count_nonzero(closer[: before[i]] == positives[i])
        return out, positives

    def _farthest(self) -> NDArray[np.float32]:
        """Value of each row's farthest positive (b,); -inf where it has none."""
        return farthest(self.rows[self.positive], self.values[self.positive], len(self.queries))

    def _of(self, row: int) -> NDArray[np.float32]:
        """The kept values of a row, in gallery order."""
        strip, row = divmod(row, STEP)
        parts = [strips[strip] for strips in self._strips]
        return np.concatenate([values[begins[row] : begins[row + 1]] for values, begins in parts])


def farthest(rows: NDArray, values: NDArray, count: int) -> NDArray[np.float32]:
    """The largest value of each of ``count`` rows, -inf where it has none."""
    out = np.full(count, -np.inf, np.float32)
    with np.errstate(invalid="ignore"):  # NaN is refused when its tile is taken
        np.maximum.at(out, rows, values)
    return out


def count_cpu(
    values: Tensor, queries: NDArray, truth: GroundTruth, matcher: nn.Module | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """What `CloserNegatives.count` says of a block of whole rows.

    Args:
        values: (b, G); not changed.
        queries: index of each row's query.
        matcher: gave the values; named when some are refused.

    Raises:
        UserError: NaN or infinite values.
    """
    parts, step = [], max(1, STRIP // values.shape[1])
    for start in range(0, len(queries), step):
        closer = CloserNegatives(queries[start : start + step], truth)
        closer.take(values[start : start + step].numpy(), 0, matcher)
        parts.append(closer.count())
    counts, positives = zip(*parts, strict=True)
    return np.concatenate(counts, 1), np.concatenate(positives)


def _at_most(tile: NDArray, limits: NDArray, matcher: nn.Module | None) -> NDArray[np.bool_]:
    """(b, w): which values are at most their row's limit; all must be numbers."""
    out, step = np.empty(tile.shape, bool), max(1, CACHED // tile.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):  # nothing is refused for large squares
        for start in range(0, len(tile), step):
            part = tile[start : start + step]
            if not math.isfinite(part.reshape(-1).dot(part.reshape(-1))):
                refuse(torch.from_numpy(tile), start, matcher)
            np.less_equal(part, limits[start : start + step, None], out=out[start : start + step])
    return out


def _true_places(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where a flat mask is true; where few are, several times as fast as numpy's own search.

    Eight truth values are one integer: which of those are not zero is seen first.
    """
    even = mask[: len(mask) - len(mask) % EIGHT]
    eights = np.flatnonzero(even.view(np.uint64) != 0)
    if 2 * EIGHT * len(eights) > len(mask):
        return np.flatnonzero(mask)
    within = np.flatnonzero(even.reshape(-1, EIGHT).take(eights, 0))
    places = (eights << 3).take(within >> 3)
    places += within & 7
    rest = np.flatnonzero(mask[len(even) :])
    return np.concatenate([places, len(even) + rest]) if len(rest) else places


def _count_closer(closer: NDArray, positives: NDArray, out: NDArray) -> None:
    """How many negatives are below each positive (``out[1]``), and at most as far (``out[2]``).

    From the farthest positive down: negatives beyond it are dropped. Counting is a hundredth of the
    work of sorting the same values, so only the last few are sorted.

    Args:
        closer: distances of the negatives, in any order.
        positives: (n,) ascending.
        out: (3, n), changed.
    """
    left = len(positives)
    while left and len(closer) > SORTED:
        left -= 1
        within = closer <= positives[left]
        out[2, left] = count = np.count_nonzero(within)
        out[1, left] = np.count_nonzero(closer < positives[left])
        if 2 * count < len(closer):
            closer = closer.compress(within)
    if left:
        closer = np.sort(closer)
        out[1, :left] = closer.searchsorted(positives[:left], "left")
        out[2, :left] = closer.searchsorted(positives[:left], "right")


def flatten(queries: NDArray, truth: GroundTruth) -> tuple[NDArray, NDArray, NDArray]:
    """Own images of several queries, query by query: row in the block, gallery index, positive."""
    counts = truth.starts[queries + 1] - truth.starts[queries]
    rows = np.repeat(np.arange(len(queries)), counts)
    begin = np.cumsum(counts) - counts
    at = np.arange(len(rows)) - begin[rows] + truth.starts[queries][rows]
    return rows, truth.own[at], truth.positive[at]
