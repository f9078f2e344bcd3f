"""Nearest neighbours of a set within itself, tile by tile: no N x N table, each tile used twice.

Shape letters: N images, k neighbours, r rows and c columns of a tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from reidkit.evaluation.matchers.base import Matcher, tensor_of
from reidkit.evaluation.ranking.memory import MEGABYTE, empty
from reidkit.evaluation.ranking.prefilter import BF16Cosine, BF16Lists, bf16_prefilter
from reidkit.evaluation.ranking.repeats import Repeats
from reidkit.evaluation.rerank.nearest_lists import NearestLists, Neighbours, smallest, sorted_rows
from reidkit.structures import Embedding

STEP = 512  # rows of a tile on the diagonal that are compared together
LOOKED = 1 << 20  # candidates of lists that are sorted together


def nearest(images: Embedding, matcher: Matcher, k: int, block_mb: float = 64) -> Neighbours:
    """Neighbours of every image as a query among all of them as a gallery.

    Equal images are at the same distance from every image, so they stand by index in its list.

    Args:
        images: N raw embeddings, on the device where the work is done.
        matcher: where it is symmetric, a tile above the diagonal serves both its sides.
        k: length of the lists; N if there are fewer images.
        block_mb: memory of a tile of distances, megabytes.

    Example:
        >>> from reidkit.evaluation import EuclideanMatcher
        >>> line = Embedding(torch.tensor([0.0, 1.0, 3.0, 7.0])[:, None, None])
        >>> nearest(line, EuclideanMatcher(), 2).index.tolist()
        [[0, 1], [1, 0], [2, 1], [3, 2]]
    """
    repeats = Repeats.of(images)
    if not len(repeats):
        return nearest_distinct(images, matcher, k, block_mb)
    rows, places = repeats.distinct(len(images))
    return with_repeats(nearest_distinct(images[rows], matcher, k, block_mb), rows, places, k)


def nearest_distinct(
    images: Embedding,
    matcher: Matcher,
    k: int,
    block_mb: float = 64,
    visit: Callable[[slice, slice, Tensor], None] | None = None,
    n_visited: int = 0,
) -> Neighbours:
    """As `nearest`, for images of which no two are equal.

    Args:
        images, matcher, k, block_mb: as for `nearest`.
        visit: called with (rows, columns, distances (r, c) in float32) of every tile between the
            first ``n_visited`` images and the others, to take copies.
        n_visited: how many images' distances to the others are visited.
    """
    device, count = tensor_of(images).device, len(images)
    k, size = min(k, count), max(1, min(count, int((block_mb * MEGABYTE / 4) ** 0.5)))
    exact, bf16 = _Exact(images, matcher), bf16_prefilter(images, matcher, k)
    memory = empty(size * size, device=device)
    lists: NearestLists | BF16Lists | _Merged
    if bf16 is not None:
        lists = BF16Lists(bf16, k)
    else:
        lists = NearestLists(count, k) if device.type == "cpu" else _Merged(count, k, device)
    for rows, columns in _spans(count, size, n_visited, matcher.symmetric):
        visited = visit is not None and rows.stop <= n_visited <= columns.start
        source = exact if visited or bf16 is None else bf16
        shape = rows.stop - rows.start, columns.stop - columns.start
        tile = memory[: shape[0] * shape[1]].view(shape)
        mirrored = matcher.symmetric and rows == columns
        if mirrored:
            _mirrored(source, rows, tile)
        else:
            tile = source.compare(rows, columns, tile)
        if visit is not None and visited:
            visit(rows, columns, tile)
        lists.add(rows, columns, tile, matcher.symmetric and not mirrored)
    return lists.result()


def _spans(count: int, size: int, first: int, symmetric: bool) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of all tiles, or of those on and above the diagonal.

    The ``first`` images and the others never share a side of a tile.
    """
    edges = [*range(0, first, size), *range(first, count, size), count]
    spans = [slice(start, stop) for start, stop in pairwise(edges)]
    for place, rows in enumerate(spans):
        for columns in spans[place:] if symmetric else spans:
            yield rows, columns


class _Exact:
    """The matcher's distances of N images among themselves."""

    def __init__(self, images: Embedding, matcher: Matcher):
        self.images, self.matcher = images, matcher
        self.ready = matcher.prepare(images, "gallery")
        self.rows, self.queries = slice(0, 0), self.ready[:0]

    def compare(self, rows: slice, columns: slice, out: Tensor | None = None) -> Tensor:
        """Distances (r, c), in ``out`` where the matcher uses it."""
        if rows != self.rows:  # the same for many tiles
            self.rows, self.queries = rows, self.matcher.prepare(self.images[rows], "query")
        return self.matcher.compare(self.queries, self.ready[columns], out)


def _mirrored(source: _Exact | BF16Cosine, images: slice, out: Tensor) -> None:
    """The distances of some images among themselves: those above the diagonal, copied below it."""
    for start in range(images.start, images.stop, STEP):
        rows = slice(start, min(start + STEP, images.stop))
        here = slice(rows.start - images.start, rows.stop - images.start)
        part = source.compare(rows, slice(start, images.stop))
        out[here, here.start :] = part
        out[here.stop :, here] = part[:, rows.stop - rows.start :].T


class _Merged:
    """As `NearestLists`, with whole-tile operations for devices other than the CPU."""

    def __init__(self, count: int, k: int, device: torch.device):
        self.index = torch.full((count, k), count, dtype=torch.int64, device=device)
        self.distance = torch.full((count, k), torch.inf, device=device)
        self.farthest = torch.full((count,), -torch.inf, device=device)

    def add(self, rows: slice, columns: slice, tile: Tensor, both: bool) -> None:
        """Take in a tile for its rows and, if ``both``, for its columns."""
        self._merge(rows, tile, columns.start)
        if both:
            self._merge(columns, tile.T.contiguous(), rows.start)

    def _merge(self, rows: slice, tile: Tensor, offset: int) -> None:
        k = self.index.shape[1]
        distance, index = smallest(tile, k)
        distance = torch.cat([self.distance[rows], distance], 1)
        index = torch.cat([self.index[rows], index + offset], 1)
        self.distance[rows], self.index[rows] = (x[:, :k] for x in sorted_rows(distance, index))
        self.farthest[rows] = torch.maximum(self.farthest[rows], tile.amax(1))

    def result(self) -> Neighbours:
        """The lists."""
        return Neighbours(self.index, self.distance, self.farthest)


def with_repeats(lists: Neighbours, rows: Tensor, places: Tensor, k: int) -> Neighbours:
    """The lists of N images from those of the U distinct ones among them.

    Args:
        lists: lists of the distinct images, of length k, or U where that is less.
        rows: (U,) where the distinct images stand among all, ascending.
        places: (N,) which of the distinct images each image is equal to.
        k: length of the lists; N if there are fewer images.
    """
    count, k = len(places), min(k, len(places))
    members, counts = places.argsort(stable=True), places.bincount()  # equal ones by index
    begins = counts.cumsum(0) - counts
    index = rows.new_empty(len(rows), k)
    distance = lists.distance.new_empty(len(rows), k)
    if lists.index.shape[1] == k:  # else every list changes below
        index, distance = rows[lists.index], lists.distance.clone()
    nth = torch.arange(min(k, int(counts.max())), device=places.device)
    touched = (counts[lists.index] > 1).any(1).nonzero().flatten()
    for some in touched.split(max(1, LOOKED // (k * len(nth)))):
        near = lists.index[some][..., None]  # (s, k, 1)
        there = nth < counts[near]
        member = members[torch.where(there, begins[near] + nth, 0)].where(there, count)
        far = lists.distance[some][..., None].where(there, torch.nan)  # NaN stands last
        ordered = sorted_rows(far.flatten(1), member.flatten(1))
        distance[some], index[some] = (x[:, :k] for x in ordered)
    return Neighbours(index[places], distance[places], lists.farthest[places])
