"""Nearest neighbours of a set within itself, tile by tile: no N x N table, each tile used twice.

Shape letters: N images, k neighbours, t images of a tile.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reidkit.evaluation.matchers import Matcher, tensor_of
from reidkit.evaluation.ranking import MEGABYTE
from reidkit.structures import Embedding


@dataclass
class Neighbours:
    """The k nearest images of each, itself among them, the closest first.

    Attributes:
        index: (N, k) int64; equal distances by index.
        distance: (N, k) float32.
        farthest: (N,) float32, the largest distance of each image to any.
    """

    index: Tensor
    distance: Tensor
    farthest: Tensor


def nearest(images: Embedding, matcher: Matcher, k: int, block_mb: float = 64) -> Neighbours:
    """Neighbours of every image as a query among all of them as a gallery.

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
    count = len(images)
    k, size = min(k, count), max(1, min(count, int((block_mb * MEGABYTE / 4) ** 0.5)))
    device = tensor_of(images).device
    ready = matcher.prepare(images, "gallery")
    found = Neighbours(
        torch.full((count, k), count, dtype=torch.int64, device=device),
        torch.full((count, k), torch.inf, device=device),
        torch.full((count,), -torch.inf, device=device),
    )
    memory = torch.empty(size * size, device=device)
    for top in range(0, count, size):
        rows = slice(top, min(top + size, count))
        queries = matcher.prepare(images[rows], "query")
        for left in range(top if matcher.symmetric else 0, count, size):
            columns = slice(left, min(left + size, count))
            shape = rows.stop - rows.start, columns.stop - columns.start
            out = memory[: shape[0] * shape[1]].view(shape)
            tile = matcher.compare(queries, ready[columns], out)
            _merge(found, rows, tile, left)
            if matcher.symmetric and left > top:
                _merge(found, columns, tile.T.contiguous(), top)
    return found


def _merge(found: Neighbours, rows: slice, tile: Tensor, offset: int) -> None:
    """Put a tile's neighbours of some rows among those found so far."""
    k = found.index.shape[1]
    distance, index = smallest(tile, k)
    distance = torch.cat([found.distance[rows], distance], 1)
    index = torch.cat([found.index[rows], index + offset], 1)
    found.distance[rows], found.index[rows] = (x[:, :k] for x in _sorted(distance, index))
    found.farthest[rows] = torch.maximum(found.farthest[rows], tile.amax(1))


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
