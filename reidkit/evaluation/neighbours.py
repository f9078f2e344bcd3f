"""Nearest neighbours of a set within itself, tile by tile: no N x N table, each tile used twice.

Shape letters: N images, k neighbours, r rows and c columns of a tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from reidkit.evaluation.matchers import Matcher, tensor_of
from reidkit.evaluation.memory import empty
from reidkit.evaluation.nearest_lists import NearestLists, Neighbours
from reidkit.evaluation.ranking import MEGABYTE
from reidkit.structures import Embedding

STEP = 512  # rows of a tile on the diagonal that are compared together


def nearest(
    images: Embedding,
    matcher: Matcher,
    k: int,
    block_mb: float = 64,
    visit: Callable[[slice, slice, Tensor], None] | None = None,
) -> Neighbours:
    """Neighbours of every image as a query among all of them as a gallery.

    Args:
        images: N raw embeddings, on the device where the work is done.
        matcher: where it is symmetric, a tile above the diagonal serves both its sides.
        k: length of the lists; N if there are fewer images.
        block_mb: memory of a tile of distances, megabytes.
        visit: called with (rows, columns, distances (r, c)) of every tile that is made, to take
            copies; all pairs with row < column are among them, all others where not symmetric.

    Example:
        >>> from reidkit.evaluation import EuclideanMatcher
        >>> line = Embedding(torch.tensor([0.0, 1.0, 3.0, 7.0])[:, None, None])
        >>> nearest(line, EuclideanMatcher(), 2).index.tolist()
        [[0, 1], [1, 0], [2, 1], [3, 2]]
    """
    device = tensor_of(images).device
    lists = NearestLists if device.type == "cpu" else _Merged
    found = lists(len(images), min(k, len(images)), device)
    for rows, columns, tile in _tiles(images, matcher, block_mb):
        if visit is not None:
            visit(rows, columns, tile)
        both = matcher.symmetric and rows != columns
        found.add(rows, columns, tile, both)
    return found.result()


def _tiles(
    images: Embedding, matcher: Matcher, block_mb: float
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Tiles (rows, columns, distances): all of them, or those on and above the diagonal."""
    count = len(images)
    size = max(1, min(count, int((block_mb * MEGABYTE / 4) ** 0.5)))
    ready = matcher.prepare(images, "gallery")
    memory = empty(size * size, device=tensor_of(images).device)
    for top in range(0, count, size):
        rows = slice(top, min(top + size, count))
        queries = matcher.prepare(images[rows], "query")
        for left in range(top if matcher.symmetric else 0, count, size):
            columns = slice(left, min(left + size, count))
            shape = rows.stop - rows.start, columns.stop - columns.start
            out = memory[: shape[0] * shape[1]].view(shape)
            if matcher.symmetric and rows == columns:
                tile = _mirrored(queries, ready[columns], matcher, out)
            else:
                tile = matcher.compare(queries, ready[columns], out)
            yield rows, columns, tile


def _mirrored(queries: Embedding, ready: Embedding, matcher: Matcher, out: Tensor) -> Tensor:
    """The distances of images among themselves: those above the diagonal, copied below it."""
    for start in range(0, len(queries), STEP):
        rows = slice(start, min(start + STEP, len(queries)))
        part = matcher.compare(queries[rows], ready[start:])
        out[rows, start:] = part
        out[rows.stop :, rows] = part[:, rows.stop - start :].T
    return out


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
        self.distance[rows], self.index[rows] = (x[:, :k] for x in _sorted(distance, index))
        self.farthest[rows] = torch.maximum(self.farthest[rows], tile.amax(1))

    def result(self) -> Neighbours:
        """The lists."""
        return Neighbours(self.index, self.distance, self.farthest)


def smallest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest of each row and their columns, ascending; equal values by column.

    Example:
        >>> [x.tolist() for x in smallest(torch.tensor([[2.0, 1.0, 1.0, 1.0]]), 2)]
        [[[1.0, 1.0]], [[1, 2]]]
    """
    k = min(k, values.shape[1])
    taken, index = values.topk(min(k + 1, values.shape[1]), largest=False)
    taken, index = _sorted(taken, index)
    if taken.shape[1] > k:
        tied = torch.nonzero(taken[:, k] == taken[:, k - 1]).flatten()
        if len(tied):  # which of the tied ones topk took is chance
            whole = values[tied].sort(dim=1, stable=True)
            taken[tied], index[tied] = whole.values[:, : k + 1], whole.indices[:, : k + 1]
    return taken[:, :k], index[:, :k]


def _sorted(values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Rows ascending by value, then by index."""
    index, turn = index.sort(dim=1)
    values, turn = values.gather(1, turn).sort(dim=1, stable=True)
    return values, index.gather(1, turn)
