"""Re-ranking: a step between distances and ranking, which never sees an identity.

A re-ranker takes the embeddings of a whole test, their matcher, and what it may know of the images
(`ImageMeta`: cameras and times). It gives new embeddings and a matcher of them; what comes after,
from streamed blocks to pictures, goes on as before, and several re-rankers can follow each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.registry import RERANKERS
from reidkit.structures import Embedding, ImageMeta

Reranked = tuple[Embedding, Embedding, nn.Module]


class Reranker:
    """What a re-ranker must offer; the contract of the RERANKERS registry.

    Results depend on all queries together (re-ranking is transductive), and junk images take part.

    Example:
        >>> class Nothing(Reranker):
        ...     def rerank(self, query, gallery, matcher, query_meta, gallery_meta):
        ...         return query, gallery, matcher
    """

    def rerank(
        self,
        query: Embedding,
        gallery: Embedding,
        matcher: nn.Module,
        query_meta: ImageMeta,
        gallery_meta: ImageMeta,
    ) -> Reranked:
        """New embeddings of the same images, and a matcher that gives their new distances.

        A step whose result is a matrix returns ``precomputed(distances)``.

        Args:
            query: Q embeddings.
            gallery: G embeddings, on the device where distances are to be computed.
            matcher: of these embeddings; see `as_matcher`, and `unit_range` for its range.
            query_meta: cameras and times of the queries.
            gallery_meta: of the gallery.
        """
        raise NotImplementedError(f"{type(self).__name__} must define rerank")


def build_rerankers(
    configs: Mapping[str, dict] | None, block_mb: float, settings: Mapping | None = None
) -> dict[str, Reranker]:
    """The steps of ``evaluation.rerank`` by their label, in order.

    Args:
        configs: step name -> ``type`` and options.
        block_mb: memory for blocks, handed to those that declare it.
        settings: of the run, handed to those that declare them.
    """
    return {
        _label(config): RERANKERS.build(dict(config), dict(block_mb=block_mb, settings=settings))
        for config in (configs or {}).values()
    }


def _label(config: Mapping[str, Any]) -> str:
    """As reported: ``KReciprocal(k1=50, k2=15)``."""
    options = ", ".join(f"{key}={value}" for key, value in config.items() if key != "type")
    return f"{config['type']}({options})" if options else str(config["type"])


def as_matcher(module: nn.Module) -> Matcher:
    """A module with only ``forward(query, gallery)`` as a `Matcher`; matchers as they are."""
    return module if isinstance(module, Matcher) else _Plain(module)


def refuse_across_only(step: str, matcher: Matcher) -> None:
    """Refuse distances that are of queries to gallery images alone.

    Args:
        step: name of the re-ranking that needs others, too.
        matcher: of the distances.

    Raises:
        UserError: there are no others.
    """
    if matcher.across_only:
        raise UserError(
            f"{step} needs distances among the queries and among the gallery images, and "
            f"{type(matcher).__name__} has only those between the two: give "
            "precomputed(distances, query_query, gallery_gallery), or put this step before the one "
            "that made these distances"
        )


class _Plain(Matcher):
    """A plain module behind the interface of a matcher."""

    whole_rows = True  # it prepares both sides whenever it is called

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module
        self.bounds = getattr(module, "bounds", (-math.inf, math.inf))

    def compare(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        return self.module(Embedding(**query.tensors), Embedding(**gallery.tensors))


class UnitRange(Matcher):
    """The distances of another matcher brought into [0, 1], in the same order.

    With finite bounds (a, b): (d - a) / (b - a). Otherwise sigmoid(d / scale), which for learned
    scores (distance = -score) is 1 - sigmoid(score / scale). Without this, re-ranking divides
    distances by a maximum that may be negative, and the order is turned round.

    Args:
        matcher: gives distances of any range.
        scale: of the sigmoid, in units of the distance.

    Source:
        QAConv 2.1 brings its scores to [0, 1] for re-ranking and TLift this way, scale 10.

    Example:
        >>> class Learned(Matcher):
        ...     def compare(self, query, gallery, out=None):
        ...         return torch.tensor([[-30.0, 0.0, 5.0]])
        >>> one = Embedding(torch.zeros(1, 1, 1))
        >>> UnitRange(Learned())(one, one)
        tensor([[0.0474, 0.5000, 0.6225]])
    """

    bounds = (0.0, 1.0)

    def __init__(self, matcher: Matcher, scale: float = 10.0):
        super().__init__()
        self.matcher, self.scale = matcher, scale
        self.symmetric, self.whole_rows = matcher.symmetric, matcher.whole_rows
        self.across_only = matcher.across_only

    def prepare(self, embedding: Embedding, side: str) -> Prepared:
        """As the matcher within does."""
        return self.matcher.prepare(embedding, side)

    def compare(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """The distances in [0, 1]."""
        return self._moved(self.matcher.compare(query, gallery, out))

    def pairs(self, query: Prepared, gallery: Prepared) -> Tensor:
        """The distances in [0, 1] of the i-th query and the i-th gallery image."""
        return self._moved(self.matcher.pairs(query, gallery))

    def _moved(self, distances: Tensor) -> Tensor:
        low, high = self.matcher.bounds
        if math.isfinite(low) and math.isfinite(high):
            return ((distances - low) / (high - low)).clamp(0.0, 1.0)
        return torch.sigmoid(distances / self.scale)


def unit_range(module: nn.Module, scale: float = 10.0) -> Matcher:
    """The matcher as it is when its distances lie in [0, 1] already, else in `UnitRange`."""
    matcher = as_matcher(module)
    low, high = matcher.bounds
    return matcher if low >= 0 and high <= 1 else UnitRange(matcher, scale)
