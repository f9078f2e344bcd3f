"""Ranking metrics in someone else's loop: one function of distances, one class that gathers.

`RankingEvaluator` is what a config names, with protocols that pool or draw, re-ranking, intervals
and verification; these two are the plain test for a training script of your own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.evaluation.evaluator import RankingEvaluator
from reidkit.evaluation.labelled import LabelledEmbeddings, Labels
from reidkit.evaluation.matchers.precomputed import precomputed
from reidkit.evaluation.matchers.vectors import CosineMatcher
from reidkit.evaluation.protocols import ProtocolName
from reidkit.structures import Embedding


def ranking_metrics(
    distances: ArrayLike,
    query_identities: ArrayLike,
    gallery_identities: ArrayLike,
    query_cameras: ArrayLike,
    gallery_cameras: ArrayLike,
    protocol: ProtocolName = "market",
    topk: Sequence[int] = (1, 5, 10),
) -> dict[str, float]:
    """mAP, mINP and R<k> of a matrix of distances, as fractions in [0, 1].

    Args:
        distances: of all queries to all gallery images; smaller is closer.
        query_identities: integers; people from 1.
        gallery_identities: likewise; 0 for distractors, -1 for junk.
        query_cameras: integers.
        gallery_cameras: integers.
        protocol: a name in `PROTOCOLS`.
        topk: depths k of the CMC figures "R<k>".

    Shape:
        distances (Q, G), the others (Q,) and (G,).

    Raises:
        UserError: no valid query, or distances that are NaN or infinite.
        ValueError: lengths that do not fit; an unknown protocol.

    Example:
        >>> ranking_metrics([[0.2, 0.1, 0.3]], [7], [7, 5, 8], [1], [2, 2, 2], topk=(1,))
        {'mAP': 0.5, 'mAP_official': 0.25, 'mINP': 0.5, 'R1': 0.0}
    """
    query, gallery, matcher = precomputed(distances)
    sides = (
        LabelledEmbeddings(query, Labels.of(query_identities, query_cameras)),
        LabelledEmbeddings(gallery, Labels.of(gallery_identities, gallery_cameras), "gallery"),
    )
    return RankingEvaluator(protocol, topk).evaluate(*sides, matcher).metrics


class RankingMetric:
    """Gathers embeddings batch by batch, then ranks the gallery for every query.

    Embeddings are kept on the CPU until they are ranked; under several processes, gather them
    before `update`.

    Args:
        matcher: a `Matcher` or a module with ``forward(query, gallery)``; None: cosine distance.
        protocol: a name in `PROTOCOLS`.
        topk: depths k of the CMC figures "R<k>".

    Raises:
        UserError: in `compute`, no queries or no gallery, or what `RankingEvaluator` refuses.
        ValueError: an unknown protocol; lengths that do not fit.

    Example:
        >>> metric = RankingMetric(topk=(1,))
        >>> metric.update(torch.tensor([[1.0, 0.0]]), [7], [1], query=True)
        >>> metric.update(torch.tensor([[1.0, 0.1], [0.0, 1.0]]), [7, 5], [2, 2], query=False)
        >>> metric.compute()["mAP"]
        1.0
    """

    def __init__(
        self,
        matcher: nn.Module | None = None,
        protocol: ProtocolName = "market",
        topk: Sequence[int] = (1, 5, 10),
    ):
        self.matcher = CosineMatcher() if matcher is None else matcher
        self.evaluator = RankingEvaluator(protocol, topk)
        self.reset()

    def reset(self) -> None:
        """Forget all embeddings."""
        self._parts: dict[bool, list[tuple[Embedding, Labels]]] = {True: [], False: []}

    def update(
        self,
        embedding: Embedding | Tensor,
        identities: ArrayLike,
        cameras: ArrayLike,
        query: bool,
        paths: Sequence[str] | None = None,
    ) -> None:
        """Take in a batch of queries or of gallery images.

        Args:
            embedding: of N images, or their vectors (N, D).
            identities: (N,) integers; people from 1, 0 distractors, -1 junk.
            cameras: (N,) integers.
            query: these are queries; otherwise they are of the gallery.
            paths: N file names, for protocols that know images by them.
        """
        if isinstance(embedding, Tensor):
            embedding = Embedding(embedding.detach()[:, None])
        part = LabelledEmbeddings(embedding.cpu(), Labels.of(identities, cameras, paths))
        self._parts[bool(query)].append((part.embedding, part.labels))

    def compute(self) -> dict[str, float]:
        """mAP, mINP and R<k> of everything since `reset`, as fractions in [0, 1]."""
        query, gallery = self._side(True), self._side(False)
        return self.evaluator.evaluate(query, gallery, self.matcher).metrics

    def _side(self, is_query: bool) -> LabelledEmbeddings:
        name = "query" if is_query else "gallery"
        if not self._parts[is_query]:
            raise UserError(
                f"RankingMetric: no {name} images yet; call update(..., query={is_query}) first"
            )
        embeddings, labels = zip(*self._parts[is_query], strict=True)
        joined = labels[0]
        for more in labels[1:]:
            joined = Labels.join(joined, more)
        with torch.no_grad():
            return LabelledEmbeddings(Embedding.cat(embeddings), joined, name)
