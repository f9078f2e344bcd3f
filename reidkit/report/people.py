"""Whom a model finds hard, and for whom it takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidkit.data.identities import DISTRACTOR
from reidkit.evaluation.labelled import Labels
from reidkit.report.ranking import Ranking


@dataclass(frozen=True)
class Person:
    """One identity of the queries.

    Attributes:
        identity: the number that its queries share.
        name: what it is called.
        queries: valid ones.
        precision: mean average precision over them.
        first_right: share of them whose nearest image shows the person.
        row: the query with the lowest average precision.
    """

    identity: int
    name: str
    queries: int
    precision: float
    first_right: float
    row: int


@dataclass(frozen=True)
class Confusion:
    """A person taken for another one.

    Attributes:
        name, other: of the person searched for, and of the one found first.
        count: queries in which that happened.
        queries: valid ones of the person.
        row: query at which the other one was closest.
        place: row of the gallery image found there.
        distance: of the two.
    """

    name: str
    other: str
    count: int
    queries: int
    row: int
    place: int
    distance: float


def hardest(ranking: Ranking, count: int = 20) -> list[Person]:
    """Identities with the lowest mean average precision, the hardest first."""
    labels, valid = ranking.query.labels, ranking.truth.valid
    people = []
    for identity in np.unique(labels.identities[valid]).tolist():
        rows = valid[labels.identities[valid] == identity]
        scores = ranking.precision[rows]
        worst = int(rows[int(np.argmin(scores))])
        first_right = float((ranking.first[rows] == 1).mean())
        people.append(
            Person(
                identity, called(labels, worst), len(rows), float(scores.mean()), first_right, worst
            )
        )
    return sorted(people, key=lambda one: (one.precision, one.identity))[:count]


def called(labels: Labels, row: int) -> str:
    """What an image's identity is called; "distractor" where it is nobody's who is looked for."""
    is_person = labels.identities[row] > DISTRACTOR
    return labels.person(row) if is_person else "distractor"


def confusions(ranking: Ranking, count: int = 20) -> list[Confusion]:
    """Pairs of people of whom the first was searched for and the second found first, most often."""
    labels, others = ranking.query.labels, ranking.gallery.labels
    valid = ranking.truth.valid
    wrong = valid[ranking.first[valid] > 1]
    places = ranking.places[wrong, 0]
    pairs: dict[tuple[int, int], list[int]] = {}
    for row, place in zip(wrong.tolist(), places.tolist(), strict=True):
        key = int(labels.identities[row]), int(others.identities[place])
        pairs.setdefault(key, []).append(row)
    own = dict(zip(*np.unique(labels.identities[valid], return_counts=True), strict=True))
    listed = []
    for (identity, _), rows in pairs.items():
        row = min(rows, key=lambda one: float(ranking.distances[one, 0]))
        place, distance = int(ranking.places[row, 0]), float(ranking.distances[row, 0])
        names = called(labels, row), called(others, place)
        listed.append(Confusion(*names, len(rows), int(own[identity]), row, place, distance))
    return sorted(listed, key=lambda one: (-one.count, one.distance))[:count]
