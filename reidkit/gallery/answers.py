"""Answers of a search: identities from the nearest images, and whether the nearest one is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.ranking.nearest import SearchedImages, nearest
from reidkit.gallery.snapshot import Snapshot
from reidkit.structures import Embedding

UNKNOWN = "unknown"
SHOWN = 3  # images of an identity that are listed


@dataclass(frozen=True)
class EnrolledImage:
    """An image of the gallery that came near.

    Attributes:
        distance: to the query.
        path: of its file, or "".
        camera: None where it is not known.
        time: seconds on the cameras' clock; None where it is not known.
        enrolled: when, in seconds since 1970.
        source: what was said of where it comes from.
    """

    distance: float
    path: str
    camera: int | None
    time: float | None
    enrolled: float
    source: str


@dataclass(frozen=True)
class Candidate:
    """An identity that came near.

    Attributes:
        identity: its name.
        distance: of the nearest of its images.
        probability: that it is the right one, for the nearest identity of a calibrated gallery;
            else None.
        images: the nearest of its images, at most three.
    """

    identity: str
    distance: float
    probability: float | None
    images: tuple[EnrolledImage, ...]


@dataclass(frozen=True)
class Answer:
    """What a gallery says of one query.

    Attributes:
        identity: of the nearest person, or "unknown".
        candidates: the nearest people, at most k, whoever is answered.
    """

    identity: str
    candidates: tuple[Candidate, ...]

    @property
    def known(self) -> bool:
        """Whether someone is answered."""
        return self.identity != UNKNOWN

    @property
    def distance(self) -> float:
        """Of the nearest person; inf in an empty gallery."""
        return self.candidates[0].distance if self.candidates else float("inf")

    @property
    def probability(self) -> float | None:
        """That the nearest person is the right one; None without a calibration."""
        return self.candidates[0].probability if self.candidates else None

    @property
    def images(self) -> tuple[EnrolledImage, ...]:
        """The images that decided: the nearest ones of the nearest person."""
        return self.candidates[0].images if self.candidates else ()


class Answers(Sequence[Answer]):
    """One answer per query.

    Args:
        answers: in the order of the queries.
        threshold: distance up to which someone is answered; None where the nearest one always is.
        warnings: why the stated rate may not hold.
        recall: of the shortlists, as measured (`reidkit.gallery.milvus.Recall`); None where every
            image was compared.
    """

    def __init__(
        self,
        answers: Sequence[Answer],
        threshold: float | None,
        warnings: Sequence[str] = (),
        recall: Any = None,
    ):
        self._answers, self.threshold = list(answers), threshold
        self.warnings, self.recall = tuple(warnings), recall

    def __len__(self) -> int:
        return len(self._answers)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._answers[index]

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._answers)

    def __repr__(self) -> str:
        said = ", ".join(f"{a.identity} at {a.distance:.3f}" for a in self._answers[:5])
        return f"<Answers: {said}{', ...' if len(self) > 5 else ''}>"


class Shortlist(Protocol):
    """What says which images a query is to be compared with.

    Attributes:
        candidates: images of a list.
    """

    candidates: int

    def rows(self, query: Embedding, snapshot: Snapshot, count: int) -> list[NDArray[np.int64]]:
        """Rows of a snapshot for each query, ascending."""


def nearest_people(
    query: Embedding,
    snapshot: Snapshot,
    matcher: Matcher,
    k: int,
    hidden: NDArray[np.bool_] | None,
    shortlist: Shortlist | None = None,
) -> list[tuple[Candidate, ...]]:
    """The k nearest identities of each query: of all images, or of those of a shortlist.

    So many images are asked for as k identities have on average; queries that get fewer identities
    out of them ask again for twice as many.

    Args:
        query: Q raw embeddings.
        snapshot: of the gallery.
        matcher: that of the model.
        k: identities, >= 1.
        hidden: images that are not to be found.
        shortlist: of the gallery; None: every image is compared.
    """
    there = len(snapshot) - (0 if hidden is None else int(hidden.sum()))
    if not there:
        return [() for _ in range(len(query))]
    names, numbers = snapshot.people
    groups = len(names) if hidden is None else len(np.unique(numbers[~hidden]))
    if shortlist is not None:
        return _people_of_shortlists(query, snapshot, matcher, min(k, groups), hidden, shortlist)
    parts = snapshot.searched(matcher)
    found: list[tuple[Candidate, ...]] = [() for _ in range(len(query))]
    left, count = np.arange(len(query)), min(there, k * -(-there // groups))
    while len(left):
        rows, distances = nearest(query[left.tolist()], parts, matcher, count, hidden)
        short = []
        for place, images, values in zip(left, rows, distances, strict=True):
            owners = list(dict.fromkeys(numbers[images[images >= 0]].tolist()))
            if len(owners) < min(k, groups) and count < there:
                short.append(place)
                continue
            found[place] = tuple(
                _candidate(snapshot, images, values, numbers, owner) for owner in owners[:k]
            )
        left, count = np.array(short, np.int64), min(there, 2 * count)
    return found


def _people_of_shortlists(
    query: Embedding, snapshot: Snapshot, matcher: Matcher, k: int,
    hidden: NDArray[np.bool_] | None, shortlist: Shortlist,
) -> list[tuple[Candidate, ...]]:  # fmt: skip
    """As ``nearest_people``, among listed images; lists of fewer than k people are doubled."""
    numbers = snapshot.people[1]
    found: list[tuple[Candidate, ...]] = [() for _ in range(len(query))]
    left, count = np.arange(len(query)), min(shortlist.candidates, len(snapshot))
    while len(left):
        short = []
        lists = shortlist.rows(query[left.tolist()], snapshot, count)
        for place, rows in zip(left, lists, strict=True):
            kept = rows if hidden is None else rows[~hidden[rows]]
            if len(np.unique(numbers[kept])) < k and len(rows) >= count < len(snapshot):
                short.append(place)
            elif len(kept):
                found[place] = _people_among(query[[int(place)]], snapshot, matcher, k, kept)
        left, count = np.array(short, np.int64), min(len(snapshot), 2 * count)
    return found


def _people_among(
    query: Embedding, snapshot: Snapshot, matcher: Matcher, k: int, rows: NDArray[np.int64]
) -> tuple[Candidate, ...]:
    """The k nearest identities of one query among some images, ascending rows."""
    part = SearchedImages(snapshot.rows(rows), matcher)
    order, distances = nearest(query, [part], matcher, len(rows))
    images, numbers = rows[order[0]], snapshot.people[1]
    owners = list(dict.fromkeys(numbers[images].tolist()))[:k]
    return tuple(_candidate(snapshot, images, distances[0], numbers, owner) for owner in owners)


def _candidate(
    snapshot: Snapshot, images: NDArray, values: NDArray, numbers: NDArray, owner: int
) -> Candidate:
    """One identity with those of the nearest images that are its own."""
    own = np.flatnonzero((images >= 0) & (numbers[images] == owner))[:SHOWN]
    shown = tuple(_image(snapshot, int(images[i]), float(values[i])) for i in own)
    name = snapshot.people[0][owner].decode()
    return Candidate(name, shown[0].distance, None, shown)


def _image(snapshot: Snapshot, row: int, distance: float) -> EnrolledImage:
    starts = np.cumsum([0, *map(len, snapshot.segments)])
    part = int(np.searchsorted(starts, row, "right")) - 1
    columns, at = snapshot.segments[part].columns, row - starts[part]
    camera, time = int(columns["cameras"][at]), float(columns["times"][at])
    return EnrolledImage(
        distance,
        columns["paths"][at].decode("utf-8", "surrogateescape"),
        None if camera < 0 else camera,
        None if np.isnan(time) else time,
        float(columns["enrolled"][at]),
        columns["sources"][at].decode(),
    )
