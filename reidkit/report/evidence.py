"""Why two images are near: local matches, or distances of parts, where the method has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from reidkit.evaluation.labelled import LabelledEmbeddings
from reidkit.evaluation.matchers.base import unit_parts
from reidkit.report.ranking import Ranking

LINES = 14


@dataclass(frozen=True)
class PartDistance:
    """One part of two images.

    Attributes:
        number: of the part, from 1.
        distance: 1 - cosine of its two vectors.
        visible: how visible it is in both, 0..1.
    """

    number: int
    distance: float
    visible: float


@dataclass(frozen=True)
class Evidence:
    """What a method compared in a query and a gallery image.

    Attributes:
        row, place: of the query and of the gallery image.
        distance: of the two, as ranked.
        is_positive: they show the same person.
        matches: (x, y) in the query, (x, y) in the gallery image, all in [0, 1], and strength.
        parts: distances part by part; empty of an embedding with one part.
    """

    row: int
    place: int
    distance: float
    is_positive: bool
    matches: list[tuple[float, float, float, float, float]]
    parts: list[PartDistance]


def has_evidence(ranking: Ranking) -> bool:
    """Whether the method has local matches or parts."""
    vectors = ranking.raw[0].embedding.vectors
    return hasattr(ranking.own_matcher, "correspondences") or (
        vectors is not None and vectors.shape[1] > 1
    )


@torch.inference_mode()
def evidence(ranking: Ranking, row: int) -> list[Evidence]:
    """Of a query's nearest positive, then of its nearest negative.

    Args:
        ranking: of the test.
        row: of the query.
    """
    own, positive = ranking.truth.of(row)
    mates = own[positive]
    pairs = []
    if len(mates):
        near = ranking.gallery.embedding[torch.from_numpy(mates)]
        values = ranking.matcher(ranking.query.embedding[[row]], near)[0].cpu().numpy()
        best = int(np.argmin(values))
        pairs.append((int(mates[best]), float(values[best]), True))
    others = np.flatnonzero(~ranking.positive(row) & (ranking.places[row] >= 0))
    if len(others):
        first = int(others[0])
        place = int(ranking.places[row, first])
        pairs.append((place, float(ranking.distances[row, first]), False))
    return [_of(ranking, row, *one) for one in pairs]


def _of(ranking: Ranking, row: int, place: int, distance: float, is_positive: bool) -> Evidence:
    query, gallery = (side[[n]] for side, n in zip(ranking.raw, (row, place), strict=True))
    if hasattr(ranking.own_matcher, "correspondences"):
        matches = _matches(ranking.own_matcher, query, gallery)
        return Evidence(row, place, distance, is_positive, matches, [])
    return Evidence(row, place, distance, is_positive, [], _parts(query, gallery))


def _matches(
    matcher: Any, query: LabelledEmbeddings, gallery: LabelledEmbeddings
) -> list[tuple[float, float, float, float, float]]:
    matches = matcher.correspondences(query.embedding, gallery.embedding)
    height, width = matches.map_size
    worth = matches.contribution.double().tolist()
    strongest = max(worth[0], 1e-12) if worth else 1.0
    return [
        (
            (a[1] + 0.5) / width, (a[0] + 0.5) / height, (b[1] + 0.5) / width,
            (b[0] + 0.5) / height, min(1.0, max(0.0, value / strongest)),
        )
        for (a, b), value in zip(matches.places(LINES), worth, strict=False)
    ]  # fmt: skip


def _parts(query: LabelledEmbeddings, gallery: LabelledEmbeddings) -> list[PartDistance]:
    sides = [query.embedding, gallery.embedding]
    if any(side.vectors is None or side.vectors.shape[1] < 2 for side in sides):
        return []
    first, second = (unit_parts(side.vectors)[0] for side in sides if side.vectors is not None)
    cosine = (first * second).sum(1).tolist()
    seen = [1.0] * len(cosine)
    if sides[0].visibility is not None and sides[1].visibility is not None:
        seen = (sides[0].visibility[0] * sides[1].visibility[0]).float().tolist()
    pairs = zip(cosine, seen, strict=True)
    return [PartDistance(i, 1 - value, v) for i, (value, v) in enumerate(pairs, 1)]
