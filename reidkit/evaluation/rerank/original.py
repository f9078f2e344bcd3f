"""The original distances that k-reciprocal re-ranking mixes: of listed pairs, of others, of blocks.

Shape letters: Q queries, G gallery images, N = Q + G images, U distinct ones among them, A distinct
ones among the queries.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.rerank.nearest_lists import Neighbours
from reidkit.structures import Embedding

PAIRS = 1 << 11  # compared at a time


class Kept:
    """Takes the distances of A distinct queries to the U - A other images from tiles of U images.

    Args:
        table: (A, U - A) memory for them.
    """

    def __init__(self, table: Tensor):
        self.table = table

    def __call__(self, rows: slice, columns: slice, tile: Tensor) -> None:
        """Take in a tile, as ``visit`` of `nearest_distinct`."""
        first = len(self.table)
        self.table[rows, columns.start - first : columns.stop - first] = tile


class OriginalDistances:
    """Squared distances over the row's maximum; equal images are at equal distances.

    Args:
        images: U distinct raw embeddings, those of queries first.
        matcher: of distances that are not negative.
        near: nearest neighbours of the distinct images.
        places: (N,) which of the distinct images each image is equal to.
        n_query: Q; the first images of N.
        kept: distances of the distinct queries to all other distinct images, where there are any;
            the gallery then holds only those others.
    """

    def __init__(
        self,
        images: Embedding,
        matcher: Matcher,
        near: Neighbours,
        places: Tensor,
        n_query: int,
        kept: Kept | None = None,
    ):
        self.images, self.matcher, self.near, self.kept = images, matcher, near, kept
        self.ready = matcher.prepare(images, "gallery")
        self.power = 1 if matcher.squared else 2
        top = near.farthest if self.power == 1 else near.farthest.square()
        self.scale = top.clamp_min(torch.finfo(torch.float32).tiny).reciprocal()
        self.places = places
        columns, self.turn = places[n_query:].unique(return_inverse=True)
        first = int(columns[0])
        together = int(columns[-1]) - first + 1 == len(columns)  # then without a copy
        self.gallery = self.ready[slice(first, first + len(columns)) if together else columns]

    def __len__(self) -> int:
        return len(self.places)

    def of(self, rows: Tensor, columns: Tensor) -> Tensor:
        """(pairs,): from the neighbours' lists where they hold the pair, else computed, once."""
        rows, columns = self.places[rows], self.places[columns]
        count = len(self.images)
        own = torch.arange(count, device=rows.device)[:, None]
        key, turn = (own * count + self.near.index).flatten().sort()
        wanted = rows * count + columns
        at = torch.searchsorted(key, wanted).clamp_max(len(key) - 1)
        values = self.near.distance.flatten()[turn[at]]
        missing = (key[at] != wanted).nonzero().flatten()
        if len(missing):
            if count < len(self.places):
                pairs, back = wanted[missing].unique(return_inverse=True)
                values[missing] = self._pairs(pairs // count, pairs % count)[back]
            else:
                values[missing] = self._pairs(rows[missing], columns[missing])
        return self._scaled(values, self.scale[rows])

    def block(self, rows: Tensor, out: Tensor | None) -> Tensor:
        """(rows, G) of some of the queries to the gallery, in ``out`` where that can be."""
        rows = self.places[rows]
        whole = len(self.gallery) == len(self.turn)
        if self.kept is not None:
            values = torch.index_select(self.kept.table, 0, rows, out=out if whole else None)
        else:
            queries = self.matcher.prepare(self.images[rows], "query")
            values = self.matcher.compare(queries, self.gallery, out if whole else None)
        if not whole:
            values = values.index_select(1, self.turn)
        return self._scaled(values, self.scale[rows][:, None])

    def _pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Distances (pairs,) that the lists do not hold."""
        parts = zip(rows.split(PAIRS), columns.split(PAIRS), strict=True)
        return torch.cat([self._some_pairs(*part) for part in parts])

    def _some_pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        matcher = self.matcher
        if type(matcher).pairs is not Matcher.pairs:
            queries = matcher.prepare(self.images[rows], "query")
            return matcher.pairs(queries, self.ready[columns])
        asked, counts = rows.unique_consecutive(return_counts=True)
        queries = matcher.prepare(self.images[asked], "query")
        parts = columns.split(counts.tolist())
        distances = [
            matcher.compare(queries[[i]], self.ready[part])[0] for i, part in enumerate(parts)
        ]
        return torch.cat(distances)

    def _scaled(self, values: Tensor, scale: Tensor) -> Tensor:
        return (values if self.power == 1 else values.square_()).mul_(scale)
