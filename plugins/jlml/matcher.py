"""The L1 distance of the metric ablation; L2 and cosine are the core's.

Shapes: q queries, g gallery images, B branches, D dims.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from reidkit.evaluation.matchers.base import Matcher, unit_parts, vectors_of
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.registry import MATCHERS
from reidkit.structures import Embedding


@MATCHERS.register_module()
class L1Matcher(Matcher):
    """Sum of absolute differences of the embeddings; 0 is equal, smaller is closer.

    Args:
        normalize: bring every branch to (Euclidean) length 1 first.

    Shape:
        vectors (q, B, D) and (g, B, D), any float type; returns (q, g), float32, >= 0.

    Raises:
        ValueError: embeddings without vectors; sides that differ in branches or dims.

    Source:
        JLML, arXiv 1705.04724, 4.2: the comparison of L1 with L2.

    Example:
        >>> query = Embedding(torch.tensor([[[3.0, 4.0]]]))
        >>> L1Matcher()(query, Embedding(torch.eye(2)[:, None]))
        tensor([[1.2000, 0.8000]])
    """

    bounds = (0.0, math.inf)

    def __init__(self, normalize: bool = True):
        super().__init__()
        self.normalize = normalize

    def prepare(self, embedding: Embedding, side: str) -> Prepared:
        """The ``branches`` (n, B, D) in float32, each at length 1 if that is wanted."""
        vectors = vectors_of(embedding, self)
        return Prepared(branches=unit_parts(vectors) if self.normalize else vectors.float())

    def compare(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """The distance."""
        a, b = query.branches, gallery.branches
        if a.shape[1:] != b.shape[1:]:
            raise ValueError(
                "query and gallery embeddings differ in (branches, dims): "
                f"{tuple(a.shape[1:])} and {tuple(b.shape[1:])}"
            )
        return torch.cdist(a.flatten(1), b.flatten(1), p=1.0)
