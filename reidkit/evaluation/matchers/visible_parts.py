"""Distance over the parts that both images show, at the price of one matrix product."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reidkit.evaluation.matchers.base import EPS, Matcher, inner, unit_parts, vectors_of
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.registry import MATCHERS
from reidkit.structures import Embedding

CACHED = 1 << 18  # distances looked at together on the CPU; fit the processor's cache


def reference_visible_parts(
    query: Tensor, gallery: Tensor, query_visibility: Tensor, gallery_visibility: Tensor
) -> Tensor:
    """Distances of the `VisiblePartsMatcher`, part by part: its specification.

    The matcher takes one product instead. On the CPU without gradients numpy divides it by the
    shared visibilities a few rows at a time, else torch does.

    Shape:
        query (q, P, D), gallery (g, P, D), visibilities (q, P) and (g, P); returns (q, g).
    """
    cosine = torch.einsum("qpd,gpd->qgp", unit_parts(query), unit_parts(gallery))
    weight = query_visibility[:, None] * gallery_visibility[None]  # (q, g, P)
    shared = weight.sum(2)
    return ((weight * (1 - cosine)).sum(2) / shared).where(shared > 0, 1.0)


@MATCHERS.register_module()
class VisiblePartsMatcher(Matcher):
    """Mean cosine distance of parts, weighted by how visible each is in both images.

    d = sum_p v_p w_p (1 - cos_p) / sum_p v_p w_p, with visibilities v of the query and w of the
    gallery image in [0, 1]. Images that share no visible part are at distance 1, as unrelated ones
    are. Without visibilities it is the mean cosine distance of the parts.

    Shape:
        vectors (q, P, D) and (g, P, D), visibility (q, P) and (g, P) or None.
        returns (q, g), float32, in [0, 2].

    Raises:
        ValueError: embeddings without vectors; sides that differ in parts or dims.

    Source:
        The visibility-based part distance of occluded re-identification (BPBReID, arXiv
        2211.03679, Eq. 9, and others before it), here as one product of (P * D + P) columns.

    Example:
        >>> query = Embedding(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), torch.tensor([[1.0, 0.0]]))
        >>> parts = torch.tensor([[[1.0, 0.0], [9.0, 0.0]], [[0.0, 2.0], [0.0, 1.0]]])
        >>> VisiblePartsMatcher()(query, Embedding(parts, torch.ones(2, 2)))
        tensor([[0., 1.]])
    """

    bounds = (0.0, 2.0)
    symmetric = True

    def prepare(self, embedding: Embedding, side: str) -> Prepared:
        """``weights`` (n, P) of the parts, and ``vectors`` (n, 1, P*D + P).

        Those are the unit parts times their weights (of queries, negated), then the weights.
        """
        vectors = vectors_of(embedding, self).float()
        seen = embedding.visibility
        seen = vectors.new_ones(vectors.shape[:2]) if seen is None else seen.float()
        size = vectors.shape[1] * vectors.shape[2]
        out = torch.empty(len(vectors), 1, size + seen.shape[1], device=vectors.device)
        scale = seen / vectors.norm(dim=2).clamp_min(EPS)  # without a copy of unit parts
        torch.mul(
            vectors,
            (-scale if side == "query" else scale)[..., None],
            out=out[:, 0, :size].view(vectors.shape),
        )
        out[:, 0, size:] = seen
        return Prepared(vectors=out, weights=seen)

    def compare(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """Sum over shared parts, over the sum of their weights."""
        # sum_p v_p w_p - sum_p v_p w_p cos_p
        values = inner(query.vectors, gallery.vectors, out)
        seen, other = query.weights, gallery.weights
        if values.device.type == "cpu" and not values.requires_grad:
            _divide(values.numpy(), seen.detach().numpy(), other.detach().numpy().T, self.bounds)
            return values
        weight = seen @ other.T
        if weight.amin() <= 0:
            nothing = weight <= 0
            values, weight = values.masked_fill(nothing, 1.0), weight.masked_fill(nothing, 1.0)
        if values.requires_grad:
            return (values / weight).clamp(*self.bounds)
        return values.div_(weight).clamp_(*self.bounds)


def _divide(values: NDArray, seen: NDArray, other: NDArray, bounds: tuple[float, float]) -> None:
    """Divide values (q, g) by the products of seen (q, P) and other (P, g), 1 where those are 0.

    A few rows at a time, so that neither the products nor the values leave the cache in between.
    """
    step = max(1, CACHED // other.shape[1])
    for start in range(0, len(values), step):
        part = values[start : start + step]
        weight = seen[start : start + step] @ other
        if weight.min() <= 0:
            nothing = weight <= 0
            part[nothing] = weight[nothing] = 1
        part /= weight
        np.clip(part, *bounds, out=part)
