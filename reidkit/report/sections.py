"""Sections of a report: what the template shows, as plain values and drawings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reidkit.errors import UserError
from reidkit.evaluation.compare import compare_tables, query_tables
from reidkit.report import charts
from reidkit.report.axes import Axis, Series, axis_over
from reidkit.report.cases import TestView, image_of
from reidkit.report.curves import cmc_curve, histogram, roc_curve, thresholds
from reidkit.report.embedding_map import embedding_map
from reidkit.report.people import confusions, hardest
from reidkit.report.ranking import Ranking
from reidkit.report.run_files import RunFiles, first_ranks_of
from reidkit.report.source import Source, first_line

METRICS = ("mAP", "R1", "R5", "R10", "mINP", "mAP_official")


def headline(sources: Sequence[Source], test: str) -> dict[str, Any]:
    """Metrics of a test with intervals, their protocol, and the paired test of two runs."""
    files = [source.files for source in sources if test in source.files.metrics["tests"]]
    numbers = [one.metrics["tests"][test] for one in files]
    intervals = [one.intervals(test) if test in one.tables else {} for one in files]
    known = dict.fromkeys([*METRICS, *numbers[0]["metrics"]])
    names = [n for n in known if any(n in one["metrics"] for one in numbers)]
    paired, why = _paired(files, test)
    rows = [
        dict(
            name=name,
            cells=[
                dict(value=one["metrics"].get(name), interval=own.get(name))
                for one, own in zip(numbers, intervals, strict=True)
            ],
            paired=paired.get(name),
        )
        for name in names
    ]
    return dict(rows=rows, has_test=bool(paired), why_no_test=why, facts=_facts(files, test))


def _paired(files: Sequence[RunFiles], test: str) -> tuple[dict[str, Any], str]:
    """Metric -> paired test of two runs; empty where there is none, with the reason."""
    if len(files) < 2:
        return {}, ""
    tables = [query_tables(one.folder).get(test) for one in files]
    if tables[0] is None or tables[1] is None:
        return {}, "one of the runs has no per-query table of this test"
    try:
        compared = compare_tables(tables[0], tables[1])
    except UserError as error:
        return {}, first_line(error)
    return {name: pair for name, (_, _, pair) in compared.items()}, ""


def _facts(files: Sequence[RunFiles], test: str) -> list[tuple[str, list[str]]]:
    """What makes the numbers comparable, a row per fact and a value per run."""
    rows: list[tuple[str, list[str]]] = []
    for title, value in (
        ("data", lambda f, t: t.get("data", "")),
        ("trained on", lambda f, t: f.metrics.get("trained_on", "")),
        ("protocol", lambda f, t: t.get("protocol", "")),
        ("distance", lambda f, t: t.get("matcher", "")),
        ("valid queries", lambda f, t: f"{t.get('n_valid', '?')} of {t.get('n_query', '?')}"),
        ("queries without positive", lambda f, t: t.get("policy", "")),
        ("gallery images", lambda f, t: str(t.get("n_gallery", "?"))),
        ("recipe", lambda f, t: (f.metrics.get("groups") or {}).get("recipe", "")),
        ("seed", lambda f, t: str(f.metrics.get("seed", ""))),
        ("device", lambda f, t: f.metrics.get("device", "")),
        ("precision of training", lambda f, t: f.metrics.get("precision", "")),
        ("query images", lambda f, t: str(t.get("query_fingerprint", ""))[:12]),
        ("ties could move", _ties),
    ):  # fmt: skip
        values = [str(value(one, one.metrics["tests"][test])) for one in files]
        if any(values):
            rows.append((title, values))
    return rows


def _ties(_: RunFiles, test: dict[str, Any]) -> str:
    """Metrics that equal distances could change by more than 1e-4."""
    bounds = test.get("bounds") or {}
    moved = [
        f"{n} {100 * lo:.2f} to {100 * hi:.2f}" for n, (lo, hi) in bounds.items() if hi - lo > 1e-4
    ]
    return ", ".join(moved)


def cmc_chart(sources: Sequence[Source], labels: Sequence[str], test: str) -> dict[str, Any] | None:
    """CMC of every run, from its per-query table."""
    series = []
    for label, source in zip(labels, sources, strict=True):
        values = cmc_curve(first_ranks_of(source.files.tables.get(test, {})))
        if len(values):
            series.append(Series(label, np.arange(1, len(values) + 1), values))
    if not series:
        return None
    low = min(float(np.min(one.y)) for one in series)
    text = "CMC: share of queries whose person is among the first k images. " + "; ".join(
        f"{one.name} {100 * np.asarray(one.y)[0]:.1f} % at rank 1".strip() for one in series
    )
    drawing = charts.lines(
        series,
        Axis("rank k", 1, 50),
        Axis("found, %", max(0.0, np.floor(10 * low - 0.5) / 10), 1, percent=True),
        text,
    )
    points = [1, 2, 3, 5, 10, 20, 50]
    table = [[str(k), *(f"{100 * np.asarray(s.y)[k - 1]:.1f}" for s in series)] for k in points]
    return dict(
        title="CMC", svg=drawing, note=text, legend=[s.name for s in series],
        head=["rank", *(f"{s.name}, %" for s in series)], table=table,
    )  # fmt: skip


def roc_chart(tests: Sequence[TestView]) -> dict[str, Any] | None:
    """True accept rate over false accept rate of every run."""
    series = []
    for test in tests:
        far, tar = roc_curve(test.ranking.verification)
        if len(far):
            series.append(Series(test.label, far, tar))
    if not series:
        return None
    least = min(float(np.min(s.x)) for s in series)
    text = "ROC: pairs of one person that are accepted, over pairs of two people that are."
    drawing = charts.lines(
        series,
        Axis("false accept rate, %", least, 1, log=True, percent=True),
        Axis("true accept rate, %", 0, 1, percent=True),
        text,
    )
    table = []
    for rate in (1e-4, 1e-3, 1e-2, 1e-1):
        cells = [f"{100 * one.at(rate):.1f}" if rate >= np.min(one.x) else "-" for one in series]
        table.append([f"{100 * rate:g}", *cells])
    return dict(
        title="ROC", svg=drawing, note=text, legend=[s.name for s in series],
        head=["FAR, %", *(f"{s.name}: TAR, %" for s in series)], table=table,
    )  # fmt: skip


def histogram_chart(test: TestView) -> dict[str, Any] | None:
    """Distances of genuine and impostor pairs of one run, with thresholds."""
    counted = histogram(test.ranking.verification)
    if counted is None:
        return None
    limits = thresholds(test.ranking.verification)
    marks = [(one.name, one.distance) for one in limits if one.distance is not None]
    tallest = float(max(counted.genuine.max(), counted.impostor.max()))
    text = (
        f"Distances of {counted.n_genuine:,} pairs of one person and {counted.n_impostor:,} pairs "
        "of two people; small is close."
    )
    drawing = charts.bars(
        counted.edges,
        [("one person", counted.genuine), ("two people", counted.impostor)],
        Axis("distance", float(counted.edges[0]), float(counted.edges[-1])),
        Axis("share of its pairs, %", 0, 1.3 * tallest, percent=True),
        text,
        marks,
    )
    table = [[one.name, _number(one.distance), _percent(one.far), _percent(one.tar),
              _chance(test, one.distance)] for one in limits]  # fmt: skip
    return dict(
        title=f"Distances{f', {test.label}' if test.label else ''}", svg=drawing, note=text,
        legend=["one person", "two people"],
        head=["threshold", "distance", "FAR, %", "TAR, %", "same, %"], table=table,
        open=True, areas=True,
    )  # fmt: skip


def _chance(test: TestView, distance: float | None) -> str:
    """Probability of one person at a distance, where the run has a calibration."""
    if test.calibration is None or distance is None:
        return "-"
    return f"{100 * float(test.calibration.probability([distance])[0]):.1f}"


def _number(value: float | None) -> str:
    return "any" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.3g}"


def camera_matrix(test: TestView) -> dict[str, Any] | None:
    """mAP of the queries of one camera in the gallery of another."""
    pairs = test.ranking.cameras
    if not pairs:
        return None
    rows, columns = (
        sorted({one[key] for one in pairs}) for key in ("query_camera", "gallery_camera")
    )
    values = np.full((len(rows), len(columns)), np.nan)
    for one in pairs:
        values[rows.index(one["query_camera"]), columns.index(one["gallery_camera"])] = one["mAP"]
    worst = min(pairs, key=lambda one: one["mAP"])
    text = (
        f"mAP in percent by pair of cameras; lowest: camera {worst['query_camera']} searched in "
        f"camera {worst['gallery_camera']}, {100 * worst['mAP']:.1f} %"
    )
    table = [
        [str(one["query_camera"]), str(one["gallery_camera"]), str(one["n_valid"]),
         f"{100 * one['mAP']:.1f}", f"{100 * one['R1']:.1f}"] for one in pairs
    ]  # fmt: skip
    return dict(
        title=f"Pairs of cameras{f', {test.label}' if test.label else ''}", note=text, legend=[],
        svg=charts.matrix([*map(str, rows)], [*map(str, columns)], values, text,
                          "camera of the gallery", "camera of the query"),
        head=["query camera", "gallery camera", "queries", "mAP, %", "R1, %"], table=table,
    )  # fmt: skip


def map_chart(test: TestView, seed: int) -> dict[str, Any] | None:
    """Embeddings in the plane."""
    plane = embedding_map(*test.ranking.raw, seed=seed)
    if plane is None:
        return None
    text = (
        f"t-SNE of {len(plane.points)} images of {len(plane.names)} of {plane.total} people, one "
        "colour each; discs are queries, rings gallery images. What is near is similar to the "
        "model; distances between groups mean little."
    )
    drawing = charts.scatter(plane.points, plane.people, plane.names, plane.queries, text)
    title = f"Embedding map{f', {test.label}' if test.label else ''}"
    return dict(
        title=title, svg=drawing, note=text, legend=[], groups=plane.names, head=[], table=[]
    )


def people_tables(test: TestView) -> dict[str, Any]:
    """Hardest identities and confusions of one run."""
    ranking = test.ranking
    hard = [
        dict(name=one.name, queries=one.queries, precision=one.precision, found=one.first_right,
             image=image_of(ranking.query, one.row, test.crops))
        for one in hardest(ranking)
    ]  # fmt: skip
    confused = [
        dict(name=one.name, other=one.other, count=one.count, queries=one.queries,
             distance=one.distance, query=image_of(ranking.query, one.row, test.crops),
             image=image_of(ranking.gallery, one.place, test.crops))
        for one in confusions(ranking)
    ]  # fmt: skip
    return dict(label=test.label, hardest=hard, confusions=confused)


def training(
    sources: Sequence[Source], labels: Sequence[str], most: int = 12
) -> list[dict[str, Any]]:
    """A chart per logged number, losses first."""
    names = sorted(
        {name for source in sources for name in source.files.curves},
        key=lambda name: (": " in name, not name.startswith("loss"), name != "loss", name),
    )
    drawings: list[dict[str, Any]] = []
    for name in names:
        series = [
            Series(label, *source.files.curves[name])
            for label, source in zip(labels, sources, strict=True)
            if len(source.files.curves.get(name, ((), ()))[0]) > 1
        ]
        if not series or len(drawings) == most:
            continue
        across = axis_over("iteration", [s.x for s in series])
        down = axis_over(name, [s.y for s in series])
        ends = "; ".join(
            f"{s.name or name}: {np.asarray(s.y)[0]:.4g} to {np.asarray(s.y)[-1]:.4g}"
            for s in series
        )
        text = f"{name} over training. {ends}"
        drawings.append(
            dict(title=name, svg=charts.lines(series, across, down, text), note=text, head=[],
                 legend=[s.name for s in series if s.name], table=[])
        )  # fmt: skip
    return drawings


def recomputed(ranking: Ranking, recorded: dict[str, Any]) -> str:
    """A warning where the ranking gives another mAP than the run recorded; empty where not."""
    known = recorded.get("metrics", {}).get("mAP")
    valid = ranking.precision[np.isfinite(ranking.precision)]
    once = recorded.get("n_trials", 1) == 1 and recorded.get("policy") != "zero"
    if known is None or not once or not len(valid):
        return ""
    if abs((now := float(valid.mean())) - known) <= 5e-5:
        return ""
    return (
        f"The features give mAP {100 * now:.2f}, the run recorded {100 * known:.2f}: another "
        "device, other library versions or other data. Charts and lists are of the features."
    )
