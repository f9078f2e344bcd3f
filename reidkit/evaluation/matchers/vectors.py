"""Cosine and Euclidean distance of vectors.

Shape letters: q queries and g gallery images of a block, P parts, D dims, n images of one side.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from reidkit.evaluation.matchers.base import EPS, Matcher, inner, join_parts, unit_parts, vectors_of
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.registry import MATCHERS
from reidkit.structures import Embedding

UNIT = 4 * torch.finfo(torch.float32).eps  # as far from 1 as the length of a unit vector may read


def reference_cosine(query: Tensor, gallery: Tensor) -> Tensor:
    """Distances of the `CosineMatcher`, by its definition: its specification.

    The matcher leaves the gallery as it is and divides products by lengths, which saves a copy.

    Shape:
        query (q, P, D) and gallery (g, P, D); returns (q, g).

    Example:
        >>> east, north = torch.tensor([[[2.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])
        >>> reference_cosine(east, torch.cat([3 * east, north, -east]))
        tensor([[0., 1., 2.]])
    """
    unit = [normalize(normalize(one, dim=2).flatten(1)) for one in (query, gallery)]
    return 1 - unit[0] @ unit[1].T


def reference_euclidean(query: Tensor, gallery: Tensor, normalized: bool = False) -> Tensor:
    """Distances of the `EuclideanMatcher`, by their definition: its specification.

    The matcher makes them from one matrix product, which needs no table of (q, g, P * D) numbers.

    Shape:
        query (q, P, D) and gallery (g, P, D); returns (q, g).

    Example:
        >>> east, north = torch.tensor([[[3.0, 0.0]]]), torch.tensor([[[0.0, 4.0]]])
        >>> reference_euclidean(east, torch.cat([east, north]))
        tensor([[0., 5.]])
    """
    if normalized:
        query, gallery = normalize(query, dim=2), normalize(gallery, dim=2)
    return (query.flatten(1)[:, None] - gallery.flatten(1)[None]).norm(dim=2)


@MATCHERS.register_module()
class CosineMatcher(Matcher):
    """One minus the cosine of the two embeddings; 0 is the same direction, 2 the opposite one.

    With several parts, each part is brought to length 1, the parts are joined, and the cosine of
    the joined vectors is taken: the mean cosine of the parts when no part is zero. A zero vector
    is at distance 1 from everything. Visibility is not used.

    Shape:
        vectors (q, P, D) and (g, P, D), any float type.
        returns (q, g), float32, in [0, 2].

    Raises:
        ValueError: embeddings without vectors; sides that differ in parts or dims.

    Source:
        EANet, arXiv 1812.11369, as the released code tests GlobalPool and PCB.

    Example:
        >>> query = Embedding(torch.tensor([[[1.0, 0], [0, 1], [3, 4]]]))
        >>> both = torch.tensor([[[1.0, 0], [1, 0], [4, 3]], [[0, 2], [0, 1], [0, 0]]])
        >>> CosineMatcher()(query, Embedding(both))
        tensor([[0.3467, 0.5918]])
    """

    bounds = (0.0, 2.0)
    symmetric = True

    def prepare(self, embedding: Embedding, side: str) -> Prepared:
        """Joined ``vectors`` (n, 1, P*D); the gallery's ``scale`` (n,) is one over their length.

        Queries are brought to length 1 and negated. The gallery's vectors are copied only when they
        are not float32 or have several parts; lengths that are 1, as far as float32 can tell, count
        as 1.
        """
        joined = join_parts(vectors_of(embedding, self))
        scale = joined.norm(dim=1, keepdim=True).clamp_min(EPS).reciprocal()
        scale = torch.where((scale - 1).abs() <= UNIT, 1.0, scale)
        if side == "query":
            return Prepared(vectors=(joined * -scale)[:, None])
        return Prepared(vectors=joined[:, None], scale=scale[:, 0])

    def order(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """Minus the cosine."""
        values, scale = inner(query.vectors, gallery.vectors, out), gallery.scale
        if values.requires_grad:
            return values * scale
        return values if bool((scale == 1).all()) else values.mul_(scale)  # a pass over all pairs

    def compare(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """One minus the cosine, kept within the bounds."""
        return self.finish(self.order(query, gallery, out), query)

    def finish(self, values: Tensor, query: Prepared) -> Tensor:
        """One minus the cosine."""
        if values.requires_grad:
            return (values + 1.0).clamp(*self.bounds)
        return values.add_(1.0).clamp_(*self.bounds)

    def pairs(self, query: Prepared, gallery: Prepared) -> Tensor:
        """As `compare`, of the i-th query and the i-th gallery image."""
        return (_paired(query, gallery) * gallery.scale + 1.0).clamp(*self.bounds)


@MATCHERS.register_module()
class EuclideanMatcher(Matcher):
    """The straight-line distance of the two embeddings (not squared); 0 is equal.

    Parts are joined as they are, unless ``normalize`` brings each to length 1 first. Distances are
    made from one matrix product, so those far below the vectors' length are rounded: with vectors
    of length 50, a true distance of 0.0045 may read 0.04. They are never negative or NaN.

    Args:
        normalize: bring every part to length 1 first. For one part the ranking is then that of
            `CosineMatcher`.

    Shape:
        vectors (q, P, D) and (g, P, D), any float type.
        returns (q, g), float32, >= 0.

    Raises:
        ValueError: embeddings without vectors; sides that differ in parts or dims.

    Example:
        >>> EuclideanMatcher()(Embedding(torch.zeros(1, 1, 2)), Embedding(torch.ones(1, 1, 2) * 3))
        tensor([[4.2426]])
    """

    bounds = (0.0, math.inf)
    symmetric = True
    squared = False

    def __init__(self, normalize: bool = False):
        super().__init__()
        self.normalize = normalize

    def prepare(self, embedding: Embedding, side: str) -> Prepared:
        """Joined ``vectors`` (n, 1, P*D), queries negated; ``half`` (n,) their squared length."""
        vectors = vectors_of(embedding, self)
        joined = (unit_parts(vectors) if self.normalize else vectors.float()).flatten(1)
        half = joined.norm(dim=1).square() / 2  # without a copy of the vectors
        return Prepared(vectors=(-joined if side == "query" else joined)[:, None], half=half)

    def order(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """Half the squared distance less what depends on the query alone."""
        values = inner(query.vectors, gallery.vectors, out)
        return values + gallery.half if values.requires_grad else values.add_(gallery.half)

    def compare(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """The distance; the square is clamped at 0 before its root."""
        return self.finish(self.order(query, gallery, out), query)

    def finish(self, values: Tensor, query: Prepared) -> Tensor:
        """The distance, with what depends on the query alone."""
        if values.requires_grad:
            return (2 * (values + query.half[:, None])).clamp_min(0.0).sqrt()
        return values.add_(query.half[:, None]).mul_(2.0).clamp_(min=0.0).sqrt_()

    def pairs(self, query: Prepared, gallery: Prepared) -> Tensor:
        """As `compare`, of the i-th query and the i-th gallery image."""
        half = _paired(query, gallery) + gallery.half + query.half
        return (2 * half).clamp_min(0.0).sqrt()


def _paired(query: Prepared, gallery: Prepared) -> Tensor:
    """Inner products (n,) of the i-th query with the i-th gallery image."""
    return torch.einsum("npd,npd->n", query.vectors, gallery.vectors)
