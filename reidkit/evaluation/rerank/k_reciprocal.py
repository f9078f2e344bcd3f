"""k-reciprocal re-ranking, sparse and streamed; equal to the dense algorithm of its authors.

Shape letters: Q queries, G gallery images, N = Q + G images, L = k1 + 1 neighbours of each, itself
among them, H = half of that list.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from reidkit.evaluation.matchers.base import Matcher, tensor_of
from reidkit.evaluation.matchers.precomputed import RowIds, ids_of
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.evaluation.ranking.memory import MEGABYTE
from reidkit.evaluation.ranking.repeats import Repeats
from reidkit.evaluation.rerank.base import (
    Reranked,
    Reranker,
    UnitRange,
    as_matcher,
    refuse_across_only,
)
from reidkit.evaluation.rerank.neighbours import Neighbours, nearest_distinct, with_repeats
from reidkit.evaluation.rerank.original import Kept, OriginalDistances
from reidkit.evaluation.rerank.sparse import Sparse
from reidkit.registry import RERANKERS
from reidkit.structures import Embedding, ImageMeta

CACHED = 1 << 18  # distances mixed together on the CPU; fit the processor's cache


@RERANKERS.register_module()
class KReciprocal(Reranker):
    """Distances mixed with how many near neighbours two images share, both ways.

    Published settings: 20 / 6 / 0.3 (the authors' for Market-1501, the default), 50 / 15 / 0.3
    (TransReID, CLIP-ReID). Images are near when each is among the other's k1 nearest; shared
    neighbours are measured by a Jaccard distance J over weights exp(-d); the result is
    (1 - weight) J + weight d. Inside, d is the squared distance over its row's maximum.

    Distances that may be negative (learned scores) are brought into [0, 1] first, see `UnitRange`.
    Asymmetric ones are taken with the row as query. No N x N table is made.

    Args:
        k1: neighbours that count as near, at least 1.
        k2: neighbours whose weights are averaged, at least 1.
        weight: of the original distance, 0 to 1.
        scale: of the sigmoid for distances without bounds.
        block_mb: memory for a block of distances, megabytes.
        keep_mb: the distances of queries to gallery images, made in the search for neighbours, are
            kept for the mixing where they need no more megabytes than this, else computed again.

    Raises:
        ValueError: options out of range.

    Source:
        Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding (CVPR 2017),
        MATLAB code: the half list has round((k1 + 1) / 2) images, itself among them. The Python
        code rounds k1 / 2 to even, which differs for k1 = 23 (13 instead of 12), not for 20 or 50.

    Example:
        >>> from reidkit.evaluation import CosineMatcher
        >>> torch.manual_seed(0)
        <torch._C.Generator object at ...>
        >>> query, gallery = (Embedding(torch.randn(n, 1, 8)) for n in (3, 9))
        >>> metas = ImageMeta([0] * 3), ImageMeta([1] * 9)
        >>> step = KReciprocal(k1=4, k2=2)
        >>> query, gallery, matcher = step.rerank(query, gallery, CosineMatcher(), *metas)
        >>> matcher(query, gallery).shape
        torch.Size([3, 9])
    """

    def __init__(
        self,
        k1: int = 20,
        k2: int = 6,
        weight: float = 0.3,
        scale: float = 10.0,
        block_mb: float = 64,
        keep_mb: float = 256,
    ):
        if k1 < 1 or k2 < 1 or not 0 <= weight <= 1 or scale <= 0:
            raise ValueError(
                "k1 and k2 must be at least 1, weight from 0 to 1, scale above 0; "
                f"got {k1}, {k2}, {weight}, {scale}"
            )
        self.k1, self.k2, self.weight = k1, k2, weight
        self.scale, self.block_mb, self.keep_mb = scale, block_mb, keep_mb

    @torch.inference_mode()
    def rerank(
        self,
        query: Embedding,
        gallery: Embedding,
        matcher: nn.Module,
        query_meta: ImageMeta,
        gallery_meta: ImageMeta,
    ) -> Reranked:
        """See `Reranker.rerank`; cameras and times are not used."""
        device = tensor_of(gallery).device
        inner = as_matcher(matcher)
        refuse_across_only("KReciprocal", inner)
        if inner.bounds[0] < 0:
            inner = UnitRange(inner, self.scale)
        images = Embedding.cat([query.to(device), gallery])
        near, distance = self.search(images, inner, len(query))
        jaccard = self.matcher(near, distance, len(query))
        rows, columns = (RowIds.arange(len(side), device=device) for side in (query, gallery))
        return rows, columns, jaccard

    def search(
        self, images: Embedding, matcher: Matcher, n_query: int
    ) -> tuple[Neighbours, OriginalDistances]:
        """The first half, nearly all products: each image's nearest ones, and distances at hand.

        Args:
            images: Q queries, then G gallery images.
            matcher: of distances that are not negative.
            n_query: Q.
        """
        rows, places = Repeats.of(images).distinct(len(images))
        distinct = images if len(rows) == len(images) else images[rows]
        n_asked = int((rows < n_query).sum())
        apart = bool((places[n_query:] >= n_asked).all())  # no gallery image repeats a query
        kept, size = None, 4 * n_asked * (len(rows) - n_asked)
        if apart and size <= self.keep_mb * MEGABYTE:
            kept = Kept(torch.empty(n_asked, len(rows) - n_asked, device=rows.device))
        k = max(self.k1 + 1, self.k2)
        lists = nearest_distinct(distinct, matcher, k, self.block_mb, kept, n_asked)
        distance = OriginalDistances(distinct, matcher, lists, places, n_query, kept)
        return with_repeats(lists, rows, places, k), distance

    def matcher(
        self, near: Neighbours, distance: OriginalDistances, n_query: int
    ) -> JaccardMatcher:
        """The second half: weights of shared neighbours from what `search` found."""
        weights = self._weights(near, distance).means(near.index[:, : self.k2])
        return JaccardMatcher(weights, distance, n_query, self.weight)

    def _weights(self, near: Neighbours, distance: OriginalDistances) -> Sparse:
        """V: for each image, weights exp(-d) on its expanded reciprocal neighbours, sum 1."""
        lists, half = near.index[:, : self.k1 + 1], (self.k1 + 2) // 2
        mutual, half_mutual = _reciprocal(lists), _reciprocal(lists[:, :half])
        room = 16 * CACHED if lists.device.type == "cpu" else self.block_mb * MEGABYTE / 2
        count, size = len(lists), max(1, int(room) // len(lists))
        rows, columns = [], []
        for start in range(0, count, size):
            part = slice(start, min(start + size, count))
            member = _expand(lists, mutual, half_mutual, part, count)
            row, column = _places(member)
            rows.append(row + start)
            columns.append(column)
        row, column = torch.cat(rows), torch.cat(columns)
        values = torch.exp(-distance.of(row, column))
        total = torch.zeros(count, device=values.device).index_add_(0, row, values)
        return Sparse.of(row, column, values / total[row], count)


def _reciprocal(lists: Tensor) -> Tensor:
    """(N, L) bool: the image is in its neighbour's list, too."""
    own = torch.arange(len(lists), device=lists.device)
    step = max(1, (8 * MEGABYTE) // lists.shape[1] ** 2)
    parts = [
        (lists[lists[start : start + step]] == own[start : start + step, None, None]).any(2)
        for start in range(0, len(lists), step)
    ]
    return torch.cat(parts)


def _expand(lists: Tensor, mutual: Tensor, half_mutual: Tensor, part: slice, count: int) -> Tensor:
    """(rows, N) bool: R*, the reciprocal neighbours and those of them that mostly agree.

    A neighbour's own reciprocal set (of the half list) joins when more than two thirds of it are
    reciprocal neighbours already.
    """
    half = half_mutual.shape[1]
    row, place = mutual[part].nonzero(as_tuple=True)
    candidate = lists[part][row, place]
    member = torch.zeros(part.stop - part.start, count, dtype=torch.bool, device=lists.device)
    member[row, candidate] = True
    theirs = half_mutual[candidate]  # (candidates, H)
    shared = member[row[:, None], lists[candidate, :half]] & theirs
    agree = 3 * shared.sum(1) > 2 * theirs.sum(1)
    joining = theirs & agree[:, None]
    at, which = joining.nonzero(as_tuple=True)
    member[row[at], lists[candidate[at], which]] = True
    return member


def _places(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of what is true, row after row."""
    if mask.device.type != "cpu":
        rows, columns = mask.nonzero(as_tuple=True)
        return rows, columns
    flat = torch.from_numpy(np.flatnonzero(mask.numpy()))  # several times as fast as torch's
    return flat // mask.shape[1], flat % mask.shape[1]


class JaccardMatcher(Matcher):
    """Re-ranked distances by `RowIds` of the queries and of the gallery, each from 0.

    Args:
        weights: V of all N images, the queries first.
        distance: original distances of the same images.
        n_query: Q.
        weight: of the original distance.
    """

    bounds = (0.0, 1.0)
    whole_rows = True
    across_only = True

    def __init__(self, weights: Sparse, distance: OriginalDistances, n_query: int, weight: float):
        super().__init__()
        self.weights, self.distance = weights, distance
        self.n_query, self.weight = n_query, weight
        self.n_gallery = len(distance) - n_query
        row = weights.rows()
        of_gallery = row >= n_query
        columns, turn = weights.columns[of_gallery].sort(stable=True)
        images, values = row[of_gallery][turn] - n_query, weights.values[of_gallery][turn]
        self.inverse = Sparse.of(columns, images, values, len(distance))

    def prepare(self, embedding: Embedding, side: str) -> Prepared:
        """The ``ids`` (n,)."""
        return Prepared(ids=ids_of(embedding, self))

    def compare(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """(1 - weight) Jaccard + weight * original, for a block."""
        rows, columns = query.ids, gallery.ids
        whole = len(columns) == self.n_gallery
        values = self.distance.block(rows, out if whole else None)
        step = max(1, CACHED // self.n_gallery) if values.device.type == "cpu" else len(rows)
        for some, part in zip(rows.split(step), values.split(step), strict=True):
            shared = self._shared(some)
            jaccard = shared.div_(2.0 - shared).neg_().add_(1.0)  # 1 - s / (2 - s)
            part.mul_(self.weight).add_(jaccard, alpha=1 - self.weight)
        return values if whole else values[:, columns]

    def _shared(self, rows: Tensor) -> Tensor:
        """Sum over images of the smaller of two weights (rows, G)."""
        place, entry = self.weights.take(rows)
        column, value = self.weights.columns[entry], self.weights.values[entry]
        at, other = self.inverse.take(column)
        smaller = torch.minimum(value[at], self.inverse.values[other])
        target = place[at] * self.n_gallery + self.inverse.columns[other]
        flat = torch.zeros(len(rows) * self.n_gallery, device=rows.device)
        return flat.index_add_(0, target, smaller).view(len(rows), self.n_gallery)
