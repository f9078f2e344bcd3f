"""The queries that a report shows: worst, best, some at random, and where two runs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidkit.data.identities import DISTRACTOR
from reidkit.evaluation.calibration import Calibration
from reidkit.evaluation.labelled import LabelledEmbeddings
from reidkit.report import charts
from reidkit.report.crops import Crops
from reidkit.report.evidence import Evidence, evidence, has_evidence
from reidkit.report.people import called
from reidkit.report.ranking import Ranking

COUNTS = {"worst": 10, "best": 5, "random": 8, "better": 6, "worse": 6}
TITLES = {
    "worst": "worst", "best": "best", "random": "random",
    "better": "second run better", "worse": "second run worse",
}  # fmt: skip
EXPLAINED = 3  # queries of each kind but the random ones


@dataclass
class TestView:
    """A test of one run with what its crops are read by.

    Attributes:
        label: "A" or "B".
        ranking: of the test.
        crops: of its images.
        calibration: of the run's own distances; None where there is none.
    """

    label: str
    ranking: Ranking
    crops: Crops
    calibration: Calibration | None = None


@dataclass
class Case:
    """A query with its lists.

    Attributes:
        tags: why it is here: keys of ``TITLES``.
        image: of the query.
        lists: of each run.
    """

    tags: list[str]
    image: dict[str, Any]
    lists: list[dict[str, Any]] = field(default_factory=list)


def choose(tests: Sequence[Ranking], seed: int = 0) -> dict[int, list[str]]:
    """Rows of the queries to show, each with its tags.

    Args:
        tests: of one run, or of two on the same queries.
        seed: of the random ones.

    Example:
        >>> from types import SimpleNamespace as N
        >>> ranking = N(precision=np.array([0.5, 0.1, np.nan, 0.9]))
        >>> choose([ranking])[1]
        ['worst', 'best', 'random']
    """
    first = tests[0].precision
    valid = np.flatnonzero(np.isfinite(first))
    order = valid[np.argsort(first[valid], kind="stable")]
    rng = np.random.default_rng(seed)
    groups: dict[str, NDArray] = {
        "worst": order[: COUNTS["worst"]],
        "best": order[::-1][: COUNTS["best"]],
        "random": np.sort(rng.permutation(valid)[: COUNTS["random"]]),
    }
    if len(tests) > 1:
        gain = tests[1].precision - first
        order = valid[np.argsort(gain[valid], kind="stable")]
        groups["worse"] = order[gain[order] < 0][: COUNTS["worse"]]
        groups["better"] = order[gain[order] > 0][::-1][: COUNTS["better"]]
    rows: dict[int, list[str]] = {}
    for tag in ("better", "worse", "worst", "best", "random"):
        for row in groups.get(tag, ()):
            rows.setdefault(int(row), []).append(tag)
    return rows


def cases(tests: Sequence[TestView], seed: int = 0) -> list[Case]:
    """The queries to show, with their lists and what the method compared.

    Args:
        tests: of one run, or of two on the same queries.
        seed: of the random ones.
    """
    explained: dict[str, int] = {}
    listed: list[Case] = []
    for row, tags in choose([test.ranking for test in tests], seed).items():
        case = Case(tags, image_of(tests[0].ranking.query, row, tests[0].crops))
        tag = next((tag for tag in tags if tag != "random"), "")
        explain = bool(tag) and explained.get(tag, 0) < EXPLAINED
        if explain:
            explained[tag] = explained.get(tag, 0) + 1
        case.lists = [_list(test, row, explain) for test in tests]
        listed.append(case)
    return listed


def image_of(side: LabelledEmbeddings, row: int, crops: Crops) -> dict[str, Any]:
    """What a page says of an image: who, where, which file, and the crop if it is at hand."""
    labels = side.labels
    assert labels.paths is not None
    path: Any = labels.paths[row]
    name = called(labels, row)
    return dict(
        who=f"identity {name}" if labels.identities[row] > DISTRACTOR else name,
        camera=int(labels.cameras[row]),
        file=short(path),
        uri=crops.uri(path),
    )


def short(path: str) -> str:
    """The last two parts of a path: where data lies on this machine is nobody's business.

    Example:
        >>> short("/home/me/data/market/query/0001_c1.jpg")
        'query/0001_c1.jpg'
    """
    return "/".join(str(path).split("/")[-2:])


def _list(test: TestView, row: int, explain: bool) -> dict[str, Any]:
    """One run's ranked list of a query."""
    ranking = test.ranking
    items = []
    pairs = zip(ranking.places[row], ranking.distances[row], ranking.positive(row), strict=True)
    for rank, (place, distance, positive) in enumerate(pairs, 1):
        if place < 0:
            break
        item: dict[str, Any] = image_of(ranking.gallery, int(place), test.crops)
        chance = None
        if test.calibration is not None:
            chance = float(test.calibration.probability([distance])[0])
        item.update(rank=rank, distance=float(distance), positive=bool(positive), chance=chance)
        items.append(item)
    reasons = []
    if explain and has_evidence(ranking):
        reasons = [_reason(test, one) for one in evidence(ranking, row)]
    return dict(
        label=test.label,
        precision=float(ranking.precision[row]),
        first=int(ranking.first[row]),
        n_positives=int(ranking.truth.n_positives[row]),
        items=items,
        reasons=reasons,
    )


def _reason(test: TestView, one: Evidence) -> dict[str, Any]:
    """What the method compared in two images, as a drawing or a table."""
    query = image_of(test.ranking.query, one.row, test.crops)
    other = image_of(test.ranking.gallery, one.place, test.crops)
    kind = "nearest image of the same person" if one.is_positive else "nearest image of another"
    drawing = None
    if one.matches and query["uri"] and other["uri"]:
        text = f"Strongest local matches between the query and the {kind}, {other['who']}"
        drawing = charts.correspondences((query["uri"], other["uri"]), one.matches, text)
    return dict(
        kind=kind, query=query, other=other, distance=one.distance, drawing=drawing, parts=one.parts
    )


def tag_counts(listed: Sequence[Case]) -> Mapping[str, int]:
    """How many cases carry each tag, in the order of ``TITLES``."""
    return {tag: n for tag in TITLES if (n := sum(tag in case.tags for case in listed))}
