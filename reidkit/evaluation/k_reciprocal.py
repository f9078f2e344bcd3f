"""k-reciprocal re-ranking, sparse and streamed; equal to the dense algorithm of its authors.

Shape letters: Q queries, G gallery images, N = Q + G images, L = k1 + 1 neighbours of each, itself
among them, H = half of that list.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reidkit.evaluation.matchers import Matcher, tensor_of
from reidkit.evaluation.neighbours import Neighbours, nearest
from reidkit.evaluation.ranking import MEGABYTE
from reidkit.evaluation.rerank import Reranked, Reranker, UnitRange, as_matcher
from reidkit.evaluation.table import places, positions
from reidkit.registry import RERANKERS
from reidkit.structures import Embedding, Sight


@dataclass
class Sparse:
    """A matrix of N rows by its entries that are not zero, row after row.

    Attributes:
        starts: (rows + 1,) int64.
        columns: int64, ascending within a row.
        values: float32.
    """

    starts: Tensor
    columns: Tensor
    values: Tensor

    def rows(self) -> Tensor:
        """The row of each entry."""
        counts = self.starts.diff()
        return torch.arange(len(counts), device=counts.device).repeat_interleave(counts)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(place in ``rows``, entry) of all entries of some rows, in their order."""
        counts = (self.starts[1:] - self.starts[:-1])[rows]
        place = torch.arange(len(rows), device=rows.device).repeat_interleave(counts)
        begin = counts.cumsum(0) - counts
        entry = torch.arange(len(place), device=rows.device) - begin[place]
        return place, entry + self.starts[rows][place]

    @staticmethod
    def of(rows: Tensor, columns: Tensor, values: Tensor, count: int) -> Sparse:
        """From entries sorted by row, then column."""
        starts = torch.zeros(count + 1, dtype=torch.int64, device=rows.device)
        starts[1:] = torch.bincount(rows, minlength=count).cumsum(0)
        return Sparse(starts, columns, values)


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
        >>> sights = Sight([0] * 3), Sight([1] * 9)
        >>> step = KReciprocal(k1=4, k2=2)
        >>> query, gallery, matcher = step.rerank(query, gallery, CosineMatcher(), *sights)
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
    ):
        if k1 < 1 or k2 < 1 or not 0 <= weight <= 1 or scale <= 0:
            raise ValueError(
                "k1 and k2 must be at least 1, weight from 0 to 1, scale above 0; "
                f"got {k1}, {k2}, {weight}, {scale}"
            )
        self.k1, self.k2, self.weight = k1, k2, weight
        self.scale, self.block_mb = scale, block_mb

    @torch.inference_mode()
    def rerank(
        self,
        query: Embedding,
        gallery: Embedding,
        matcher: nn.Module,
        query_sight: Sight,
        gallery_sight: Sight,
    ) -> Reranked:
        """See `Reranker.rerank`; cameras and times are not used."""
        device = tensor_of(gallery).device
        inner = as_matcher(matcher)
        if inner.bounds[0] < 0:
            inner = UnitRange(inner, self.scale)
        images = Embedding.cat([query.to(device), gallery])
        near = nearest(images, inner, max(self.k1 + 1, self.k2), self.block_mb)
        distance = _Normalised(images, inner, near.farthest)
        weights = self._weights(near, distance)
        weights = _expanded(weights, near.index[:, : self.k2])
        found = JaccardMatcher(weights, distance, len(query), self.weight)
        return positions(len(query), device), positions(len(gallery), device), found

    def _weights(self, near: Neighbours, distance: _Normalised) -> Sparse:
        """V: for each image, weights exp(-d) on its expanded reciprocal neighbours, sum 1."""
        lists, half = near.index[:, : self.k1 + 1], (self.k1 + 2) // 2
        mutual, half_mutual = _reciprocal(lists), _reciprocal(lists[:, :half])
        count, size = len(lists), max(1, int(self.block_mb * MEGABYTE) // (2 * len(lists)))
        rows, columns = [], []
        for start in range(0, count, size):
            part = slice(start, min(start + size, count))
            member = _expand(lists, mutual, half_mutual, part, count)
            row, column = member.nonzero(as_tuple=True)
            rows.append(row + start)
            columns.append(column)
        row, column = torch.cat(rows), torch.cat(columns)
        values = torch.exp(-distance.of(row, column, near))
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


def _expanded(weights: Sparse, lists: Tensor) -> Sparse:
    """Each row replaced by the mean of its k2 nearest images' rows."""
    count, k2 = lists.shape
    if k2 == 1:
        return weights
    place, entry = weights.take(lists.flatten())
    key = (place // k2) * count + weights.columns[entry]
    key, at = key.unique(return_inverse=True)
    values = torch.zeros(len(key), device=key.device).index_add_(0, at, weights.values[entry])
    return Sparse.of(key // count, key % count, values / k2, count)


class _Normalised:
    """Squared distances over the row's maximum, for pairs and for blocks."""

    PAIRS = 1 << 15  # looked up at a time

    def __init__(self, images: Embedding, matcher: Matcher, farthest: Tensor):
        self.images, self.matcher = images, matcher
        self.ready = matcher.prepare(images, "gallery")
        self.power = 1 if matcher.squared else 2
        top = farthest if self.power == 1 else farthest.square()
        self.scale = top.clamp_min(torch.finfo(torch.float32).tiny).reciprocal()

    def of(self, rows: Tensor, columns: Tensor, near: Neighbours) -> Tensor:
        """(pairs,): from the neighbours' lists where they hold the pair, else computed."""
        count = len(self.images)
        known = torch.arange(count, device=rows.device)[:, None] * count + near.index
        key, turn = known.flatten().sort()
        wanted = rows * count + columns
        at = torch.searchsorted(key, wanted).clamp_max(len(key) - 1)
        found = near.distance.flatten()[turn[at]]
        missing = (key[at] != wanted).nonzero().flatten()
        for part in missing.split(self.PAIRS) if len(missing) else ():
            found[part] = self._pairs(rows[part], columns[part])
        return self._scaled(found, self.scale[rows])

    def _pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        matcher = self.matcher
        if type(matcher).pairs is not Matcher.pairs:
            queries = matcher.prepare(self.images[rows], "query")
            return matcher.pairs(queries, self.ready[columns])
        asked, counts = rows.unique_consecutive(return_counts=True)
        queries = matcher.prepare(self.images[asked], "query")
        parts = columns.split(counts.tolist())
        found = [matcher.compare(queries[[i]], self.ready[part])[0] for i, part in enumerate(parts)]
        return torch.cat(found)

    def block(self, rows: Tensor, first: int, out: Tensor | None) -> Tensor:
        """(rows, N - first) of some rows against the images from ``first`` on."""
        queries = self.matcher.prepare(self.images[rows], "query")
        values = self.matcher.compare(queries, self.ready[first:], out)
        return self._scaled(values, self.scale[rows][:, None])

    def _scaled(self, values: Tensor, scale: Tensor) -> Tensor:
        return (values if self.power == 1 else values.square_()).mul_(scale)


class JaccardMatcher(Matcher):
    """Re-ranked distances between `positions` of the queries and of the gallery.

    Args:
        weights: V of all N images, the queries first.
        distance: original distances of the same images.
        n_query: Q.
        weight: of the original distance.
    """

    bounds = (0.0, 1.0)

    def __init__(self, weights: Sparse, distance: _Normalised, n_query: int, weight: float):
        super().__init__()
        self.weights, self.distance = weights, distance
        self.n_query, self.weight = n_query, weight
        self.n_gallery = len(distance.images) - n_query
        row = weights.rows()
        of_gallery = row >= n_query
        columns, turn = weights.columns[of_gallery].sort(stable=True)
        images, values = row[of_gallery][turn] - n_query, weights.values[of_gallery][turn]
        self.inverse = Sparse.of(columns, images, values, len(distance.images))

    def compare(self, query: Embedding, gallery: Embedding, out: Tensor | None = None) -> Tensor:
        """(1 - weight) Jaccard + weight * original, for a block."""
        rows, columns = places(query), places(gallery)
        whole = len(columns) == self.n_gallery
        values = self.distance.block(rows, self.n_query, out if whole else None)
        shared = self._shared(rows)
        jaccard = shared.div_(2.0 - shared).neg_().add_(1.0)  # 1 - s / (2 - s)
        values.mul_(self.weight).add_(jaccard, alpha=1 - self.weight)
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
