"""The k nearest images of each query in a gallery that is searched again and again.

`top_matches` lists the images of a test, junk left out. A gallery in use has no junk; it is
searched with one query or with many, lies in memory-mapped files that may be larger than main
memory, and has images that must not be found any more. So it is taken in tiles, the first k are
kept, and of each tile only values below the k-th so far are looked at.

Shape letters: Q queries, G gallery images, w images of a tile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.evaluation.ranking.blocks import check, refuse
from reidkit.evaluation.ranking.memory import MEGABYTE, empty
from reidkit.structures import Embedding

COLUMNS = 4096  # images of a tile, of many queries
TILE_MB = 8  # raw numbers of a tile whose preparation is not kept
EXTRA_MB = 32  # what preparing all images may add to main memory
QUERIES = 256  # that are compared with a tile together
STAGES = (256, 4096)  # columns of the first tile up to which the nearest are looked for beforehand
MOST = 32  # times k values of a tile that are sorted; of more, the k smallest are found first


class SearchedImages:
    """Gallery images, prepared once where that adds little memory, else tile by tile.

    A `CosineMatcher` takes float32 vectors of one part as they are, so memory-mapped ones stay in
    their file and only their lengths are kept. A matcher that copies is asked again for each tile.

    Args:
        images: G raw embeddings, perhaps memory-mapped.
        matcher: whose distances count.

    Example:
        >>> from reidkit.evaluation import CosineMatcher
        >>> SearchedImages(Embedding(torch.eye(3)[:, None]), CosineMatcher()).kept
        True
    """

    def __init__(self, images: Embedding, matcher: Matcher):
        self.images, self.matcher = images, matcher
        self._ready: Prepared | None = None
        if len(images):
            sample = matcher.prepare(images[:1], "gallery")
            if _added(sample, images) * len(images) <= EXTRA_MB * MEGABYTE:
                self._ready = matcher.prepare(images, "gallery")

    @property
    def kept(self) -> bool:
        """Whether all images are prepared already."""
        return self._ready is not None

    def __len__(self) -> int:
        return len(self.images)

    def tiles(self, queries: int) -> Iterator[tuple[slice, Prepared]]:
        """The images from first to last, as many at a time as suits so many queries."""
        width = COLUMNS * max(1, min(16, QUERIES // max(1, queries)))
        if not self.kept:
            numbers = sum(t[0].numel() for t in self.images._tensors().values())
            width = max(1, min(width, TILE_MB * MEGABYTE // (4 * numbers)))
        for start in range(0, len(self), width):
            span = slice(start, min(start + width, len(self)))
            if self._ready is not None:
                yield span, self._ready[span]
            else:
                yield span, self.matcher.prepare(self.images[span], "gallery")


def _added(ready: Prepared, images: Embedding) -> int:
    """Bytes of prepared tensors that are not the embedding's own memory."""
    own = {t.untyped_storage().data_ptr() for t in images._tensors().values()}
    return sum(
        t.numel() * t.element_size()
        for t in ready.tensors.values()
        if t.untyped_storage().data_ptr() not in own
    )


@torch.inference_mode()
def nearest(
    query: Embedding,
    parts: Sequence[SearchedImages],
    matcher: Matcher,
    k: int,
    hidden: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k nearest of all images of all parts, one part behind the other.

    Args:
        query: Q raw embeddings, on the CPU.
        parts: of the gallery, G images together.
        matcher: that of the parts.
        k: length of the lists, >= 1.
        hidden: images that are not to be found.

    Shape:
        hidden (G,) bool.
        returns indices (Q, k) int64 and distances (Q, k) float32, ascending; equal distances in
        gallery order; -1 and NaN where there are fewer than k images.

    Raises:
        UserError: NaN or infinite distances.
        ValueError: k < 1; a matcher that returns another shape or type.

    Example:
        >>> from reidkit.evaluation import CosineMatcher
        >>> images = Embedding(torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[1.0, 1.0]]]))
        >>> parts = [SearchedImages(images, CosineMatcher())]
        >>> nearest(images[:1], parts, CosineMatcher(), k=2)
        (array([[0, 2]]), array([[0.        , 0.29289323]], dtype=float32))
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    count = len(query)
    indices = np.full((count, k), -1, np.int64)
    distances = np.full((count, k), np.nan, np.float32)
    for start in range(0, count, QUERIES):
        rows = slice(start, min(start + QUERIES, count))
        asked = matcher.prepare(query[rows], "query")
        found, values = _search(asked, parts, matcher, k, hidden)
        missing = values == np.inf
        if matcher.finishes:
            finished = torch.from_numpy(np.where(missing, np.float32(0), values))
            values = matcher.finish(finished, asked).numpy()
        indices[rows] = np.where(missing, -1, found)
        distances[rows] = np.where(missing, np.nan, values)
    return indices, distances


def _search(
    asked: Prepared,
    parts: Sequence[SearchedImages],
    matcher: Matcher,
    k: int,
    hidden: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Indices and order values of the first k; inf where there are none."""
    best = np.full((len(asked), k), np.inf, np.float32)
    where = np.full((len(asked), k), -1, np.int64)
    compare = matcher.order if matcher.finishes else matcher.compare
    memory, offset = empty(0), 0
    for part in parts:
        for span, ready in part.tiles(len(asked)):
            shape = (len(asked), len(ready))
            if len(memory) < shape[0] * shape[1]:
                memory = empty(shape[0] * shape[1])
            values = compare(asked, ready, memory[: shape[0] * shape[1]].view(shape))
            check(values, shape, matcher)
            if not torch.isfinite(values.sum()):
                refuse(values, 0, matcher)
            first = offset + span.start
            table = values.contiguous().numpy()
            if hidden is not None and (gone := hidden[first : first + shape[1]]).any():
                table[:, gone] = np.inf
            _take(table, first, best, where)
        offset += len(part)
    return where, best


def _take(table: NDArray, first: int, best: NDArray, where: NDArray) -> None:
    """Merge a tile (Q, w) into the first k of each query; equal values stay in gallery order."""
    start = 0
    if np.isinf(best[:, -1]).any():  # a few images first, so that few of the others are below
        for start, stop in zip((0, *STAGES), STAGES, strict=False):
            _merge(table[:, start:stop], first + start, best, where)
        start = STAGES[-1]
    if start < table.shape[1]:
        _merge(table[:, start:], first + start, best, where)


def _merge(table: NDArray, first: int, best: NDArray, where: NDArray) -> None:
    """As ``_take``, of some columns."""
    if not table.shape[1]:
        return
    rows = np.flatnonzero(table.min(axis=1) < best[:, -1])
    if not len(rows):
        return
    k = best.shape[1]
    some = table if len(rows) == len(table) else table[rows]
    below = some < best[rows, -1:]
    counts = below.sum(1)
    if counts.max() > MOST * k:
        last = np.partition(some, k - 1, axis=1)[:, k - 1 : k]
        below &= some <= last
        counts = below.sum(1)
    row, column = np.nonzero(below)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    values = np.full((len(rows), k + counts.max()), np.inf, np.float32)
    images = np.full(values.shape, -1, np.int64)
    values[:, :k], images[:, :k] = best[rows], where[rows]
    values[row, k + place] = some[row, column]
    images[row, k + place] = first + column
    order = np.argsort(values, axis=1, kind="stable")[:, :k]
    best[rows] = np.take_along_axis(values, order, 1)
    where[rows] = np.take_along_axis(images, order, 1)
