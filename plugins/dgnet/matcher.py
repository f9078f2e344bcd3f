"""The test: two heads, the second of which counts less."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from reidkit.config.ranges import SHARE
from reidkit.evaluation.matchers.base import Matcher, inner, unit_parts, vectors_of
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.registry import MATCHERS
from reidkit.structures import Embedding


@MATCHERS.register_module()
class WeightedHeadsMatcher(Matcher):
    """Minus the cosine of the first parts and, weighted, of the others; shifted to start at 0.

    Args:
        beta: weight of every part but the first, in [0, 1]; 0 leaves the primary head alone.

    Shape:
        vectors (q, P, D) and (g, P, D); returns (q, g) float32 in [0, 2 (1 + beta (P - 1))].

    Raises:
        ValueError: beta outside [0, 1]; embeddings without vectors.

    Source:
        DG-Net, arXiv 1904.07223: score = cos1 + 0.5 cos2, the factor on the query's side only.

    Example:
        >>> one = Embedding(torch.tensor([[[1.0, 0], [0, 1]]]))
        >>> two = Embedding(torch.tensor([[[1.0, 0], [1, 0]], [[0, 1.0], [0, 1]]]))
        >>> WeightedHeadsMatcher(beta=0.5)(one, two)
        tensor([[0.5000, 1.0000]])
    """

    bounds = (0.0, math.inf)
    ranges = {"beta": SHARE}

    def __init__(self, beta: float = 0.5):
        super().__init__()
        if not 0 <= beta <= 1:
            raise ValueError(f"beta must be in [0, 1], got {beta}")
        self.beta = beta

    def prepare(self, embedding: Embedding, side: str) -> Prepared:
        """The ``parts`` (n, P, D) at length 1; a query's are weighted and negated."""
        unit = unit_parts(vectors_of(embedding, self))
        if side == "gallery":
            return Prepared(parts=unit)
        weights = torch.full((unit.shape[1], 1), -self.beta, device=unit.device)
        weights[0] = -1.0
        return Prepared(parts=unit * weights)

    def order(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """Minus the score."""
        return inner(query.parts, gallery.parts, out)

    def compare(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """The largest possible score minus the score."""
        largest = 1 + self.beta * (query.parts.shape[1] - 1)
        return (inner(query.parts, gallery.parts, out) + largest).clamp_min(0)
