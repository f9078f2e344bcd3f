"""A run as a report sees it: its files, and each test ranked from features and shown from data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reidkit.data.split import Split
from reidkit.engine.evaluate import build_evaluator
from reidkit.engine.run import Run
from reidkit.engine.stores import FOLDER, features
from reidkit.errors import UserError
from reidkit.report.ranking import Ranking, rank_test
from reidkit.report.run_files import RunFiles


@dataclass
class TestSource:
    """One test of a run.

    Attributes:
        ranking: None where there are neither features nor the data to extract them from.
        splits: side -> split of the data at hand; empty where it is missing or not the same.
        notes: what is missing and why, a sentence each.
    """

    __test__ = False  # not a pytest class

    ranking: Ranking | None = None
    splits: dict[str, Split] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class Source:
    """A run: its files and its tests.

    Attributes:
        run: opened from its folder.
        files: of the folder.
        tests: by domain, in the order of ``metrics.json``.
        with_pictures: crops may be shown.
    """

    run: Run
    files: RunFiles
    tests: dict[str, TestSource]
    with_pictures: bool

    @staticmethod
    def open(
        folder: Path,
        stores: Path | None = None,
        overrides: Sequence[str] = (),
        pictures: bool | None = None,
    ) -> Source:
        """Open a finished run and rank its tests.

        A test that has no store of features yet is embedded and gets one.

        Args:
            folder: of the run; it is data, nothing in it is executed.
            stores: folder of the features, one store per test; None: in the run folder.
            overrides: such as ``settings.data_root=...``, as on the command line.
            pictures: show crops; None: as the run's ``settings.pictures`` says.

        Raises:
            UserError: no finished run; a store that is of something else.
        """
        run = Run.open(folder, overrides)
        files = RunFiles.read(folder, run.cfg)
        visible = bool(run.cfg.settings.pictures) if pictures is None else pictures
        place = stores or folder / FOLDER
        tests = {str(name): _test(run, str(name), place) for name in files.metrics["tests"]}
        return Source(run, files, tests, visible)


def _test(run: Run, name: str, place: Path) -> TestSource:
    source = TestSource()
    if name not in run.cfg.data.domains:
        source.notes.append(f"Test {name} is none of the run's data sets: its numbers alone.")
        return source
    try:
        splits = dict(run.domains.splits(name))
    except UserError as error:
        splits = {}
        source.notes.append(f"The data is not at hand, so no pictures: {first_line(error)}")
    if not (place / name).is_dir() and not splits:
        source.notes.append("Neither features nor data, so no distances and no lists.")
        return source
    store = features(run, name, place)
    evaluator: Any = build_evaluator(run.cfg)
    source.ranking = rank_test(evaluator, store, run.model.matcher)
    source.notes += source.ranking.notes
    prints = store.meta.get("fingerprints", {})
    sides: dict[str, Split] = {s: splits[s] for s in ("query", "gallery") if s in splits}
    changed = [side for side, split in sides.items() if split.fingerprint() != prints.get(side)]
    if changed:
        source.notes.append(
            f"No pictures: the {' and '.join(changed)} images at hand are others than those of the "
            "features."
        )
    else:
        source.splits = sides
    return source


def first_line(error: Exception) -> str:
    """The first line of what an exception says."""
    return (str(error).splitlines() or [type(error).__name__])[0]
