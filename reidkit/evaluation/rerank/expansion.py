"""Query expansion and database augmentation: an image becomes the mean of its near ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.evaluation.matchers.base import join_parts, tensor_of, unit_parts
from reidkit.evaluation.ranking.blocks import blocks
from reidkit.evaluation.ranking.repeats import Repeats
from reidkit.evaluation.rerank.base import Reranked, Reranker, as_matcher, refuse_across_only
from reidkit.evaluation.rerank.nearest_lists import smallest
from reidkit.registry import RERANKERS
from reidkit.structures import Embedding, ImageMeta


@RERANKERS.register_module()
class QueryExpansion(Reranker):
    """AQE: each query becomes the weighted mean of itself and its k nearest gallery images.

    Vectors are brought to length 1; a neighbour weighs cosine ** alpha, the query itself 1.

    Args:
        k: neighbours, at least 1.
        alpha: 0 for the plain mean (AQE), above 0 for closer ones to weigh more (alpha-QE).
        block_mb: memory for a block of distances, megabytes.

    Raises:
        ValueError: options out of range.
        UserError: embeddings without vectors.

    Source:
        Chum et al., Total Recall (ICCV 2007); Radenovic et al., arXiv 1711.02512 (alpha-QE).
        fast-reid expands queries and gallery from both together; here queries see the gallery.

    Example:
        >>> from reidkit.evaluation import CosineMatcher
        >>> query = Embedding(torch.tensor([[[1.0, 0.0]]]))
        >>> gallery = Embedding(torch.tensor([[[0.6, 0.8]], [[0.0, 1.0]]]))
        >>> step, metas = QueryExpansion(k=1, alpha=0.0), (ImageMeta([0]), ImageMeta([1, 1]))
        >>> step.rerank(query, gallery, CosineMatcher(), *metas)[0].vectors
        tensor([[[0.8000, 0.4000]]])
    """

    def __init__(self, k: int = 5, alpha: float = 3.0, block_mb: float = 64):
        _check(k, alpha)
        self.k, self.alpha, self.block_mb = k, alpha, block_mb

    def rerank(
        self,
        query: Embedding,
        gallery: Embedding,
        matcher: nn.Module,
        query_meta: ImageMeta,
        gallery_meta: ImageMeta,
    ) -> Reranked:
        """See `Reranker.rerank`; cameras and times are not used."""
        query = query.to(tensor_of(gallery).device)
        near = _nearest(query, gallery, matcher, self.k, self.block_mb)
        return _mean(query, gallery, near, self.alpha, own=True), gallery, matcher


@RERANKERS.register_module()
class DatabaseAugmentation(Reranker):
    """DBA: each gallery image becomes the weighted mean of its k nearest, itself among them.

    Vectors are brought to length 1; a neighbour weighs cosine ** alpha.

    Args:
        k: neighbours, the image itself among them, at least 1.
        alpha: 0 for the plain mean, above 0 for closer ones to weigh more.
        block_mb: memory for a block of distances, megabytes.

    Raises:
        ValueError: options out of range.
        UserError: embeddings without vectors.

    Source:
        Arandjelovic and Zisserman, Three things everyone should know (CVPR 2012).

    Example:
        >>> from reidkit.evaluation import CosineMatcher
        >>> gallery = Embedding(torch.tensor([[[1.0, 0.0]], [[0.6, 0.8]]]))
        >>> step, metas = DatabaseAugmentation(k=2, alpha=0.0), (ImageMeta([0]), ImageMeta([1, 1]))
        >>> step.rerank(gallery[:1], gallery, CosineMatcher(), *metas)[1].vectors
        tensor([[[0.8000, 0.4000]],
                [[0.8000, 0.4000]]])
    """

    def __init__(self, k: int = 5, alpha: float = 3.0, block_mb: float = 64):
        _check(k, alpha)
        self.k, self.alpha, self.block_mb = k, alpha, block_mb

    def rerank(
        self,
        query: Embedding,
        gallery: Embedding,
        matcher: nn.Module,
        query_meta: ImageMeta,
        gallery_meta: ImageMeta,
    ) -> Reranked:
        """See `Reranker.rerank`; cameras and times are not used."""
        refuse_across_only("DatabaseAugmentation", as_matcher(matcher))
        rows, places = Repeats.of(gallery).distinct(len(gallery))  # equal images stay equal
        images = gallery if len(rows) == len(gallery) else gallery[rows]
        near = _nearest(images, gallery, matcher, self.k, self.block_mb)
        means = _mean(images, gallery, near, self.alpha, own=False)
        return query, means if images is gallery else means[places], matcher


def _check(k: int, alpha: float) -> None:
    if k < 1 or alpha < 0:
        raise ValueError(f"k must be at least 1 and alpha not below 0, got {k} and {alpha}")


@torch.inference_mode()
def _nearest(
    query: Embedding, gallery: Embedding, matcher: nn.Module, k: int, block_mb: float
) -> Tensor:
    """(Q, k) gallery rows."""
    lists = [smallest(v, k)[1] for _, v in blocks(query, gallery, matcher, block_mb)]
    return torch.cat(lists)


def _mean(images: Embedding, of: Embedding, near: Tensor, alpha: float, own: bool) -> Embedding:
    """Weighted mean of neighbours' unit vectors, part by part; visibility stays the image's own."""
    if images.vectors is None or of.vectors is None:
        raise UserError("query expansion and database augmentation need embeddings with vectors")
    both = images.vectors, of.vectors
    joined = [nn.functional.normalize(join_parts(vectors)) for vectors in both]
    parts = [unit_parts(vectors) for vectors in both]
    out = torch.empty_like(parts[0])
    for rows in torch.arange(len(near), device=near.device).split(256):
        columns = near[rows]
        cosine = torch.einsum("nd,nkd->nk", joined[0][rows], joined[1][columns])
        weight = cosine.clamp_min(0.0) ** alpha
        total = torch.einsum("nk,nkpd->npd", weight, parts[1][columns])
        size = weight.sum(1)
        if own:
            total, size = total + parts[0][rows], size + 1
        out[rows] = total / size.clamp_min(1e-12)[:, None, None]
    return Embedding(out, images.visibility, images.maps)
