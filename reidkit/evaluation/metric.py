"""Ranking metrics in someone else's loop: one function of distances, one class that gathers.

`RankingEvaluator` is what a config names, with protocols that pool or draw, re-ranking, intervals
and verification; these two are the plain test for a training script of your own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from reidkit.data.identities import number_identities
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
    junk: int | str | None = None,
    distractor: int | str | None = None,
) -> dict[str, float]:
    """mAP, mINP and R<k> of a matrix of distances, as fractions in [0, 1].

    Args:
        distances: of all queries to all gallery images; smaller is closer.
        query_identities: whole numbers or texts; each is a person.
        gallery_identities: likewise.
        query_cameras: integers.
        gallery_cameras: integers.
        protocol: a name in `PROTOCOLS`.
        topk: depths k of the CMC figures "R<k>".
        junk: the identity of images left out for every query (-1 in Market-1501); None: no mark.
        distractor: the identity of nobody who is looked for (0 in Market-1501); None: no mark.

    Shape:
        distances (Q, G), the others (Q,) and (G,).

    Raises:
        UserError: no valid query, distances that are NaN or infinite, or an identity that is no
            person's and no mark (see `number_identities`).
        ValueError: lengths that do not fit; an unknown protocol.

    Example:
        >>> ranking_metrics([[0.2, 0.1, 0.3]], [7], [7, 5, 8], [1], [2, 2, 2], topk=(1,))
        {'mAP': 0.5, 'mAP_official': 0.25, 'mINP': 0.5, 'R1': 0.0}
    """
    query, gallery, matcher = precomputed(distances)
    asked, shown = _listed(query_identities), _listed(gallery_identities)
    sides = _with_people(
        _side(query, asked, query_cameras, None, "query"),
        _side(gallery, shown, gallery_cameras, None, "gallery"),
        asked + shown,
        (junk, distractor),
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
        junk: as for `ranking_metrics`.
        distractor: likewise.

    Raises:
        UserError: in `compute`, no queries or no gallery, an identity that is no person's and no
            mark, or what `RankingEvaluator` refuses.
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
        junk: int | str | None = None,
        distractor: int | str | None = None,
    ):
        self.marks = junk, distractor
        self.matcher = CosineMatcher() if matcher is None else matcher
        self.evaluator = RankingEvaluator(protocol, topk)
        self.reset()

    def reset(self) -> None:
        """Forget all embeddings."""
        self._parts: dict[bool, list[tuple[LabelledEmbeddings, list]]] = {True: [], False: []}

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
            identities: (N,) whole numbers or texts; each is a person but for the marks.
            cameras: (N,) integers.
            query: these are queries; otherwise they are of the gallery.
            paths: N file names, for protocols that know images by them.
        """
        if isinstance(embedding, Tensor):
            embedding = Embedding(embedding.detach()[:, None])
        name, listed = "query" if query else "gallery", _listed(identities)
        side = _side(embedding.cpu(), listed, cameras, paths, name)
        self._parts[bool(query)].append((side, listed))

    def compute(self) -> dict[str, float]:
        """mAP, mINP and R<k> of everything since `reset`, as fractions in [0, 1]."""
        (query, asked), (gallery, shown) = self._joined(True), self._joined(False)
        sides = _with_people(query, gallery, asked + shown, self.marks)
        return self.evaluator.evaluate(*sides, self.matcher).metrics

    def _joined(self, is_query: bool) -> tuple[LabelledEmbeddings, list]:
        name = "query" if is_query else "gallery"
        if not self._parts[is_query]:
            raise UserError(
                f"RankingMetric: no {name} images yet; call update(..., query={is_query}) first"
            )
        sides, identities = zip(*self._parts[is_query], strict=True)
        joined = sides[0].labels
        for more in sides[1:]:
            joined = Labels.join(joined, more.labels)
        with torch.no_grad():
            embedding = Embedding.cat([side.embedding for side in sides])
        every = [identity for part in identities for identity in part]
        return LabelledEmbeddings(embedding, joined, name), every


def _listed(values: ArrayLike) -> list:
    return list(values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values))


def _side(
    embedding: Embedding,
    identities: list,
    cameras: ArrayLike,
    paths: Sequence[str] | None,
    name: str,
) -> LabelledEmbeddings:
    """A side whose people have no numbers yet."""
    labels = Labels.of(np.zeros(len(identities), np.int64), cameras, paths)
    return LabelledEmbeddings(embedding, labels, name)


def _with_people(
    query: LabelledEmbeddings,
    gallery: LabelledEmbeddings,
    identities: list,
    marks: tuple[int | str | None, int | str | None],
) -> tuple[LabelledEmbeddings, LabelledEmbeddings]:
    """Both sides with their people, numbered together."""
    people = number_identities(identities, "identities", *marks)

    def with_people(side: LabelledEmbeddings, rows: slice) -> LabelledEmbeddings:
        own = replace(side.labels, identities=people.numbers[rows], names=people.names)
        return replace(side, labels=own)

    first = len(query)
    return with_people(query, slice(first)), with_people(gallery, slice(first, None))
