"""The report as one HTML file: everything inside, nothing fetched, all text escaped."""

from __future__ import annotations

import base64
import functools
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from reidkit.data.datasets.doctor import Finding, examine
from reidkit.errors import UserError
from reidkit.evaluation.protocols import find_protocol
from reidkit.report import sections
from reidkit.report.cases import TITLES, TestView, cases, tag_counts
from reidkit.report.crops import Crops, data_uri
from reidkit.report.run_files import config_table
from reidkit.report.source import Source, first_line
from reidkit.utils.io import atomic_write
from reidkit.version import __version__

MOST_BYTES = 10_000_000
SIZES = ((144, 80), (112, 70), (80, 55), (0, 0))  # height and quality of crops, until it fits
DECODED = 1000  # files that the data doctor decodes


def write_report(path: str | Path, sources: Sequence[Source], seed: int = 0) -> int:
    """Write the report of one run, or of two beside each other.

    Args:
        path: of the HTML file.
        sources: one run or two.
        seed: of the queries shown at random and of the embedding map.

    Returns:
        Its size in bytes, at most 10 MB: pictures get smaller until it fits.

    Raises:
        DiskError: the file cannot be written.
    """
    fixed = _fixed(sources, seed)
    for height, quality in SIZES:
        text = _render(sources, fixed, seed, height, quality)
        data = text.encode("utf-8", "replace")
        if len(data) <= MOST_BYTES:
            break
    else:
        raise UserError(
            f"{path}: {len(data):,} bytes even without pictures; a report has at most "
            f"{MOST_BYTES:,}: the config or the logs of the run are too large"
        )
    with atomic_write(path) as file:
        file.write(data)
    return len(data)


def _labels(sources: Sequence[Source]) -> list[str]:
    return [""] if len(sources) == 1 else ["A", "B"]


def _fixed(sources: Sequence[Source], seed: int) -> dict[str, Any]:
    """What does not depend on the size of the pictures."""
    labels = _labels(sources)
    tests = list(dict.fromkeys(name for s in sources for name in s.files.metrics["tests"]))
    return dict(
        labels=labels,
        runs=[dict(label=l, name=s.files.name) for l, s in zip(labels, sources, strict=True)],
        tests={name: _charts(sources, labels, name, seed) for name in tests},
        training=sections.training(sources, labels),
        doctor=_doctor(sources),
        config=config_table([source.files for source in sources]),
        version=__version__,
    )


def _charts(
    sources: Sequence[Source], labels: Sequence[str], test: str, seed: int
) -> dict[str, Any]:
    """Numbers and charts of a test."""
    views = _views(sources, labels, test, Crops({}), Crops({}))
    charts = [
        sections.cmc_chart(sources, labels, test),
        sections.roc_chart(views),
        *(sections.histogram_chart(one) for one in views),
        *(sections.camera_matrix(one) for one in views),
        *(sections.map_chart(one, seed) for one in views),
    ]
    notes = []
    for label, source in zip(labels, sources, strict=True):
        recorded, own = source.files.metrics["tests"].get(test), source.tests.get(test)
        if recorded is None or own is None:
            continue
        texts = list(own.notes)
        if own.ranking is not None:
            texts.append(sections.recomputed(own.ranking, recorded))
        notes += [f"{label}: {text}" if label else text for text in texts if text]
    return dict(
        headline=sections.headline(sources, test),
        charts=[one for one in charts if one],
        notes=notes,
    )


def _views(
    sources: Sequence[Source], labels: Sequence[str], test: str, *crops: Crops
) -> list[TestView]:
    """The runs whose test was ranked."""
    views: list[TestView] = []
    for source, label, own in zip(sources, labels, crops, strict=False):
        one = source.tests.get(test)
        if one is not None and one.ranking is not None:
            own_distances = one.ranking.matcher is one.ranking.own_matcher
            calibration = getattr(source.run.model.matcher, "calibration", None)
            views.append(TestView(label, one.ranking, own, calibration if own_distances else None))
    return views


def _render(
    sources: Sequence[Source], fixed: dict[str, Any], seed: int, height: int, quality: int
) -> str:
    """The page with pictures of a size; without any of height 0."""
    labels, tests = fixed["labels"], []
    count = 0
    for name, own in fixed["tests"].items():
        crops = [_crops(source, name, height, quality) for source in sources]
        views = _views(sources, labels, name, *crops)
        groups = _cases(views, seed)
        tables = [sections.people_tables(one) for one in views]
        notes = own["notes"] + [
            f"A crop could not be read: {c.missing}" for c in crops if c.missing
        ]
        attention = [_attention(source, name) for source in sources if height]
        tests.append(
            dict(own, name=name, notes=notes, cases=groups, people=tables,
                 attention=[one for one in attention if one])
        )  # fmt: skip
        count += sum(one.count for one in crops)
    page = {**fixed, "tests": tests, "pictures": count, "tag_titles": TITLES}
    return environment().get_template("report.html").render(page)


def _crops(source: Source, test: str, height: int, quality: int) -> Crops:
    """The crops of a test, if they may be shown."""
    own = source.tests.get(test)
    if own is None or not source.with_pictures or not height:
        return Crops({})
    return Crops(own.splits, height, quality)


def _cases(views: Sequence[TestView], seed: int) -> list[dict[str, Any]]:
    """Queries to show: of both runs together where they are the same ones."""
    files = [one.ranking.query.labels for one in views]
    together = len(views) == 2 and [str(p) for p in files[0].paths or ()] == [
        str(p) for p in files[1].paths or ()
    ]
    groups = [list(views)] if together or len(views) < 2 else [[one] for one in views]
    listed = []
    for group in groups:
        if group:
            queries = cases(group, seed)
            title = "" if len(group) == len(views) else group[0].label
            listed.append(dict(title=title, cases=queries, tags=tag_counts(queries)))
    return listed


def _attention(source: Source, test: str) -> dict[str, str] | None:
    """What the head draws of a few queries, where it draws and the data is at hand."""
    own = source.tests.get(test)
    head: Any = getattr(source.run.model, "head", None)
    if own is None or not own.splits or not source.with_pictures or not hasattr(head, "visualize"):
        return None
    from reidkit.engine.products.pictures import query_batch

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "head.png")
        try:
            batch = query_batch(source.run.cfg, source.run.domains, own.splits["query"])
            head.visualize(file, source.run.model, batch)
            pixels = np.asarray(Image.open(file).convert("RGB"))
        except (UserError, OSError, cv2.error) as error:
            own.notes.append(f"The head drew nothing: {first_line(error)}")
            return None
    name = type(head).__name__
    return dict(uri=data_uri(np.asarray(pixels, np.uint8), 1000, 75), name=name)


def _doctor(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Findings about every data set that is tested on and at hand, once each."""
    listed: dict[str, list[Finding]] = {}
    for source in sources:
        for name, own in source.tests.items():
            if not own.splits:
                continue
            reader = source.run.domains.reader(name)
            splits = reader.splits()
            title = next(iter(splits.values())).dataset
            if title in listed:
                continue
            every = max(1, -(-sum(map(len, splits.values())) // DECODED))
            across = find_protocol(reader.protocol).across_cameras
            listed[title] = examine(splits, every, across)
    return [dict(title=title, findings=some) for title, some in listed.items()]


@functools.cache
def environment() -> jinja2.Environment:
    """Templates of this package; everything that they are given is escaped."""
    loader = jinja2.PackageLoader("reidkit.report")
    templates = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    for name in ("style.css", "script.js", "browse.js"):
        source = loader.get_source(templates, name)[0]
        templates.globals[name.replace(".", "_")] = Markup(source)  # our own files, no data in them
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        templates.globals[f"{name.partition('.')[0]}_hash"] = Markup(f"sha256-{digest}")
    return templates
