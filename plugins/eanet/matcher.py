"""The visibility distance.

Shapes: q queries, g gallery images, P parts, D dims.
"""

from __future__ import annotations

from torch import Tensor

from reidkit.evaluation.matchers.base import Matcher, inner, unit_parts, vectors_of
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.registry import MATCHERS
from reidkit.structures import Embedding


@MATCHERS.register_module()
class VisibilityMatcher(Matcher):
    """Mean cosine distance over the parts that the *query* shows; the gallery's are all used.

    A part hidden in the gallery image is compared with the constant embedding of an empty region,
    so the distance is not symmetric. A query that shows nothing is at distance ``offset`` from
    everything. Smaller is closer.

    Args:
        offset: added to every distance. It changes no ranking, but the eps of
            cluster-and-fine-tune and re-ranking depend on it.
        use_visibility: False gives every part the same weight (a control experiment).

    Shape:
        query vectors (q, P, D) with visibility (q, P) or None, gallery vectors (g, P, D);
        returns (q, g) float32 within ``bounds`` = (offset, offset + 2).

    Raises:
        ValueError: query and gallery differ in P or D, or have no vectors.

    Source:
        EANet, arXiv 1812.11369, Eq. 3: sum_p v_p (1 - cos_p) / (sum_p v_p + 1e-8). Departure: the
        released code adds 1, so do we by default.

    Example:
        >>> import torch
        >>> query = Embedding(torch.tensor([[[1., 0], [0, 1], [3, 4]]]), torch.ones(1, 3))
        >>> gallery = Embedding(torch.tensor([[[1., 0], [1, 0], [4, 3]]]))
        >>> VisibilityMatcher()(query, gallery)
        tensor([[1.3467]])
    """

    def __init__(self, offset: float = 1.0, use_visibility: bool = True):
        super().__init__()
        self.offset, self.use_visibility = offset, use_visibility
        self.bounds = (offset, offset + 2.0)

    def prepare(self, embedding: Embedding, side: str) -> Prepared:
        """Unit ``parts`` (n, P, D); those of a query times minus their share of its distance.

        A query's ``shares`` (n, P) sum to 1, or to 0 if it shows nothing.
        """
        units = unit_parts(vectors_of(embedding, self))
        if side == "gallery":
            return Prepared(parts=units)
        visible = embedding.visibility if self.use_visibility else None
        visible = units.new_ones(units.shape[:2]) if visible is None else visible.float()
        shares = visible / (visible.sum(1, keepdim=True) + 1e-8)  # [q,P]
        return Prepared(parts=units * -shares[..., None], shares=shares)

    def order(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """Minus the mean cosine over the query's visible parts: one matrix product."""
        return inner(query.parts, gallery.parts, out)

    def compare(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """The distance, kept within the bounds."""
        return self.finish(self.order(query, gallery, out), query)

    def finish(self, values: Tensor, query: Prepared) -> Tensor:
        """The distance, with what depends on the query alone."""
        # sum_p share_p (1 - cos_p) = sum_p share_p - sum_p share_p cos_p
        constant = query.shares.sum(1, keepdim=True) + self.offset
        return (values + constant).clamp(*self.bounds)
