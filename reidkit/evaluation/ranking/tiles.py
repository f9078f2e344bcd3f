"""Negatives closer than positives, counted in tiles that about fit the processor's cache.

A block of whole rows is written to main memory and read again, and its product lays out the whole
gallery anew, with a large gallery for a few hundred queries. A tile has more queries and a part of
the gallery. But then a query's positives are in several tiles, and how far negatives matter is
known only after the last. So the positives are compared first, by themselves. Products of other
shapes round otherwise, so negatives are kept a little farther than that, and counting takes the
tiles' values alone. Queries for which the little was too little are left to whole rows.

Shape letters: Q queries, G gallery images, b queries of a block, n positives.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reidkit.evaluation.matchers.base import Matcher, tensor_of
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.evaluation.protocols import GroundTruth
from reidkit.evaluation.ranking.blocks import check
from reidkit.evaluation.ranking.counting import CloserNegatives, farthest, flatten
from reidkit.evaluation.ranking.memory import MEGABYTE, empty
from reidkit.evaluation.ranking.repeats import Repeats, TileLevel
from reidkit.structures import Embedding

ROWS, COLUMNS = 2048, 4096  # of a tile: 32 MB, about what a processor's last cache holds
GROUP = 32  # queries that are compared with each other's positives
MARGIN = 1e-4  # of the largest value; rounding of a product is a hundredth of it


def tiled(
    gallery: Embedding, matcher: nn.Module, block_mb: float, n_queries: int, held: int = 0
) -> bool:
    """Whether `count_in_tiles` pays: on the CPU, where a tile has more queries than whole rows.

    Args:
        gallery, matcher, block_mb: as for `count_in_tiles`.
        n_queries: how many queries are to be ranked.
        held: gallery images that are repeated, whose values are kept beside a tile.
    """
    if not isinstance(matcher, Matcher) or matcher.whole_rows:
        return False
    rows, _, whole_rows = _shape(n_queries, gallery, block_mb, held)
    return tensor_of(gallery).device.type == "cpu" and rows > whole_rows


def count_in_tiles(
    query: Embedding,
    gallery: Embedding,
    truth: GroundTruth,
    matcher: Matcher,
    block_mb: float,
    queries: NDArray[np.int64],
    repeats: Repeats,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Queries that tiles can settle, block by block; the others need whole rows.

    Those are the queries whose positives lie beyond what was kept, and all that are left when so
    many images matter to them that the memory holds no more queries than whole rows would.

    Args:
        query: Q raw embeddings.
        gallery: G raw embeddings, on the CPU.
        block_mb: memory of a tile and of the negatives kept, megabytes.
        queries: indices of the queries to take.
        repeats: of the gallery.

    Shape:
        yields (places in ``queries`` (b,), and (3, n) as `CloserNegatives.count` gives it).

    Raises:
        UserError: NaN or infinite distances.
        ValueError: the matcher returns another shape or type.
    """
    work = _Tiles(query, gallery, truth, matcher, block_mb, len(queries), repeats)
    left = np.flatnonzero(truth.n_positives[queries])
    while len(left) and work.rows > work.whole_rows:
        negatives = work.gather(queries[left])
        done, left = left[: len(negatives.queries)], left[len(negatives.queries) :]
        complete = negatives.complete
        counted = np.repeat(complete, truth.n_positives[negatives.queries])
        yield done[complete], negatives.count()[0][:, counted]
        del negatives  # before the next ones are gathered


class _Tiles:
    """Gathers the negatives of some queries from tiles of the whole gallery."""

    def __init__(
        self,
        query: Embedding,
        gallery: Embedding,
        truth: GroundTruth,
        matcher: Matcher,
        block_mb: float,
        n_queries: int,
        repeats: Repeats,
    ):
        self.query, self.truth, self.matcher = query, truth, matcher
        self.ready = matcher.prepare(gallery, "gallery")
        held = len(repeats.sources)
        self.rows, width, self.whole_rows = _shape(n_queries, gallery, block_mb, held)
        self.spans = [
            slice(start, min(start + width, len(gallery)))
            for start in range(0, len(gallery), width)
        ]
        self.most, self.memory = self.rows, empty(self.rows * width)
        self.level = TileLevel(repeats, self.rows)
        taken = len(self.memory) + self.level.memory.numel()
        self.room = int(block_mb * MEGABYTE) // 4 - taken  # for values kept

    def gather(self, queries: NDArray) -> CloserNegatives:
        """The negatives that matter to the first few of these queries, as fit the memory."""
        queries = queries[: self.rows]
        together = queries[-1] - queries[0] + 1 == len(queries)  # no copy of them then
        chosen = slice(queries[0], queries[-1] + 1) if together else torch.from_numpy(queries)
        part = self.matcher.prepare(self.query[chosen].to(self.ready.device), "query")
        negatives = CloserNegatives(queries, self.truth, self.positive_limits(part, queries))
        for number, span in enumerate(self.spans, 1):
            shape = len(part), span.stop - span.start
            out = self.memory[: shape[0] * shape[1]].view(shape)
            values = self.matcher.order(part, self.ready[span], out)
            check(values, shape, self.matcher)
            values = values.contiguous()
            self.level.apply(values, span.start)
            negatives.take(values.numpy(), span.start, self.matcher)
            expected = negatives.kept.sum() / number * len(self.spans)
            self.rows = max(1, min(self.most, int(len(part) * self.room / max(1, expected))))
            if self.rows < len(part):
                part = part[: self.rows]
                negatives.keep_rows(self.rows)
        return negatives

    def positive_limits(self, part: Prepared, queries: NDArray) -> NDArray[np.float32]:
        """A little farther than the farthest positive of each query (b,)."""
        out = np.empty(len(queries), np.float32)
        for start in range(0, len(queries), GROUP):
            some = slice(start, min(start + GROUP, len(queries)))
            rows, own, positive = flatten(queries[some], self.truth)
            images, places = np.unique(own[positive], return_inverse=True)
            values = self.matcher.order(part[some], self.ready[torch.from_numpy(images)]).numpy()
            positives = farthest(rows[positive], values[rows[positive], places], some.stop - start)
            with np.errstate(invalid="ignore"):  # infinite ones are refused with their tile
                out[some] = positives + MARGIN * np.abs(values).max(initial=0)
        return out


def _shape(
    n_queries: int, gallery: Embedding, block_mb: float, held: int = 0
) -> tuple[int, int, int]:
    """Rows and columns of a tile, which takes half the memory, and whole rows that would fit it.

    The tile's queries themselves take as much at most, and so does the tile together with the
    values ``held`` for images that are repeated. Tiles are about equal: none is left that is so
    small that its product would be another kind.
    """
    numbers = int(block_mb * MEGABYTE) // 4
    columns = -(-len(gallery) // max(1, round(len(gallery) / COLUMNS)))
    columns += 16 * (columns % 1024 == 0)  # else rows meet in the cache: a tenth slower
    rows = -(-n_queries // max(1, round(n_queries / ROWS)))
    most = numbers // 2 // max(columns + held, tensor_of(gallery)[0].numel())
    return max(1, min(rows, most)), columns, numbers // len(gallery)
