"""Which gallery images count for a query: positives, negatives, or junk that is left out.

Every gallery image is, for one query (identity p, camera c):

- **junk**, left out: identity -1 for every query; identity p under the
  same camera c, or, under ``single-camera``, the query image itself;
- **positive**: identity p otherwise;
- **negative**: everything else, distractors (identity 0) and same-camera images of others included.

A query without a positive is *invalid*: it is listed with its reason, never dropped in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reidkit.data.identities import DISTRACTOR, JUNK
from reidkit.errors import UserError
from reidkit.evaluation.labelled import Labels

# the keys of PROTOCOLS, so that a config is refused before anything runs
ProtocolName = Literal[
    "market", "cuhk03-np", "cuhk03-single-shot", "mars-official", "mars-minus-queries",
    "two-camera", "multi-query", "single-camera",
]  # fmt: skip


@dataclass(frozen=True)
class Protocol:
    """A named and versioned set of rules; its label stands beside every result.

    Args:
        name: as in configs, "market".
        version: raised when the same name would give other numbers.
        summary: one sentence for reports and documentation.
        across_cameras: leave out gallery images of the query's identity under its own camera;
            otherwise only the query's own file.
        gallery: "given" as it comes; "with-queries": queries that it lacks are added;
            "without-queries": queries that it holds are taken out. Images are known by their paths.
        single_shot: the ranking holds one image of each identity, all of other cameras than the
            query's; scores are expectations over which image that is.
        multi_query: a query is the pooled embedding of all images of its identity and camera.
        random_halves: scores are means over random halves of the identities, unless the data set
            brings trials of its own.

    Example:
        >>> PROTOCOLS["market"].label
        'market-v1'
    """

    name: str
    version: int
    summary: str
    across_cameras: bool = True
    gallery: str = "given"
    single_shot: bool = False
    multi_query: bool = False
    random_halves: bool = False

    @property
    def label(self) -> str:
        """Name and version, as printed with results."""
        return f"{self.name}-v{self.version}"

    @property
    def extra_splits(self) -> tuple[str, ...]:
        """Names of the splits that it needs beside query and gallery."""
        return ("multi_query",) if self.multi_query else ()


PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("market", 1, "same identity under another camera is positive; same camera out"),
        Protocol("cuhk03-np", 1, "the market rule on the 767/700 split of CUHK03"),
        Protocol(
            "cuhk03-single-shot", 1,
            "one random image of each identity, none of the query's camera; CMC only",
            single_shot=True,
        ),
        Protocol(
            "mars-official", 1, "the market rule; query tracklets are in the gallery",
            gallery="with-queries",
        ),
        Protocol(
            "mars-minus-queries", 1, "the market rule; query tracklets are not in the gallery",
            gallery="without-queries",
        ),
        Protocol(
            "two-camera", 1, "query camera against gallery camera, mean over halves of the people",
            random_halves=True,
        ),
        Protocol(
            "multi-query", 1, "the market rule; all images of a query's person and camera pooled",
            multi_query=True,
        ),
        Protocol(
            "single-camera", 1, "same identity is positive; only the query's file is out",
            across_cameras=False,
        ),
    )
}  # fmt: skip


def find_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        ValueError: there is none; the text lists what there is.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"no protocol named {name!r}; available: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


@dataclass(frozen=True)
class GroundTruth:
    """For every query, the gallery images of its own identity; everything else is negative or junk.

    Attributes:
        starts: (Q + 1,) int64; query i owns ``own[starts[i]:starts[i + 1]]``.
        own: gallery indices of the query's identity, ascending within a query.
        positive: bool, as long as ``own``: a positive (True) or left out (False).
        junk: gallery indices left out for every query.
        n_positives: positives of each query (Q,).
        n_gallery: size of the gallery, junk included.
        is_person: the query's identity is a person's, not a mark (Q,).
        invalid: (query index, reason) for each query without a positive.
    """

    starts: NDArray[np.int64]
    own: NDArray[np.int64]
    positive: NDArray[np.bool_]
    junk: NDArray[np.int64]
    n_positives: NDArray[np.int64]
    n_gallery: int
    is_person: NDArray[np.bool_]
    invalid: list[tuple[int, str]]

    @property
    def valid(self) -> NDArray[np.int64]:
        """Indices of the valid queries, ascending."""
        mask = np.ones(len(self.starts) - 1, bool)
        mask[[index for index, _ in self.invalid]] = False
        return np.flatnonzero(mask)

    @property
    def people(self) -> NDArray[np.int64]:
        """Indices of the queries that show a person, valid or not, ascending."""
        return np.flatnonzero(self.is_person)

    @property
    def without_mate(self) -> NDArray[np.int64]:
        """Indices of the queries whose person the gallery does not show at all."""
        return np.flatnonzero(self.is_person & (np.diff(self.starts) == 0))

    def n_impostors(self, queries: NDArray[np.int64]) -> int:
        """Pairs of these queries with images of others, distractors included, junk not."""
        own = np.diff(self.starts)[queries]
        return int(len(queries) * (self.n_gallery - len(self.junk)) - own.sum())

    def of(self, query: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(gallery indices of the query's identity, which of them are positive)."""
        part = slice(self.starts[query], self.starts[query + 1])
        return self.own[part], self.positive[part]


def match_labels(protocol: Protocol, query: Labels, gallery: Labels) -> GroundTruth:
    """Sort the gallery into positives, negatives and junk for every query, without a Q x G mask.

    Raises:
        UserError: an empty side; the single-camera protocol without paths.

    Example:
        >>> import numpy as np
        >>> gallery = Labels(np.array([7, -1, 0, 7, 5, 7, 7]), np.array([1, 3, 2, 2, 1, 1, 3]))
        >>> truth = match_labels(PROTOCOLS["market"], Labels(np.array([7]), np.array([1])), gallery)
        >>> truth.own[truth.positive].tolist(), truth.own[~truth.positive].tolist()
        ([3, 6], [0, 5])
        >>> truth.junk.tolist()
        [1]
    """
    for side, labels in (("query", query), ("gallery", gallery)):
        if not len(labels):
            raise UserError(f"the {side} is empty: there is nothing to rank; check the data set")
    kept = np.flatnonzero(gallery.identities != JUNK)
    kept = kept[np.argsort(gallery.identities[kept], kind="stable")]
    sorted_ids = gallery.identities[kept]
    low = np.searchsorted(sorted_ids, query.identities, "left")
    high = np.searchsorted(sorted_ids, query.identities, "right")
    counts = np.where(query.identities > DISTRACTOR, high - low, 0)
    starts = np.concatenate([[0], np.cumsum(counts)])
    rows = np.repeat(np.arange(len(query)), counts)
    own = kept[np.arange(starts[-1]) - starts[rows] + low[rows]]
    if protocol.across_cameras:
        positive = query.cameras[rows] != gallery.cameras[own]
    else:
        positive = ~_same_file(query, gallery, rows, own)
    n_positives = np.bincount(rows[positive], minlength=len(query))
    invalid = [
        (int(i), _reason(protocol, query, int(i), int(counts[i])))
        for i in np.flatnonzero(n_positives == 0)
    ]
    junk = np.flatnonzero(gallery.identities == JUNK)
    is_person = query.identities > DISTRACTOR
    return GroundTruth(starts, own, positive, junk, n_positives, len(gallery), is_person, invalid)


def _same_file(query: Labels, gallery: Labels, rows: NDArray, own: NDArray) -> NDArray[np.bool_]:
    if query.paths is None or gallery.paths is None:
        raise UserError(
            "protocol single-camera needs file names on both sides, to leave each query's own "
            "file out of its ranking: give them as column `file` of a table, or as `paths` of a "
            "feature file"
        )
    left, right = np.asarray(query.paths), np.asarray(gallery.paths)
    return left[rows] == right[own]


def _reason(protocol: Protocol, query: Labels, index: int, n_own: int) -> str:
    identity, camera = query.person(index), query.cameras[index]
    if query.identities[index] <= DISTRACTOR:
        number = int(query.identities[index])
        name = {JUNK: "junk", DISTRACTOR: "distractors"}.get(number, "no person")
        return f"identity {identity} marks {name}; people are numbered from 1"
    if n_own == 0:
        return f"no gallery image of identity {identity}"
    if protocol.across_cameras:
        return f"identity {identity} is in the gallery only under the query's own camera {camera}"
    if n_own > 1:
        name = query.file(index)
        return f"all {n_own} gallery images of identity {identity} have the query's name, {name!r}"
    return f"the gallery's only image of identity {identity} is the query itself"
