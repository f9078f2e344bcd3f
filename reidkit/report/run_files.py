"""What a run folder says of itself, read as data: numbers, tables, curves, config, calibration."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from numpy.typing import NDArray

from reidkit.config import origins_of_run
from reidkit.config.saved import leaf_paths
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.evaluation.compare import query_tables
from reidkit.evaluation.io.queries import read_queries
from reidkit.evaluation.metrics.intervals import bootstrap_intervals, per_query_metrics
from reidkit.report.scalars import Curve, training_curves
from reidkit.utils.io import read_regular

RESAMPLES = 2000
_TYPED = "command line, or the file has changed"
_MOST = 64 << 20  # bytes of metrics.json


@dataclass(frozen=True)
class RunFiles:
    """The files of a run, as far as a report needs them.

    Attributes:
        folder: the run folder.
        name: its last part.
        metrics: content of ``metrics.json``.
        tables: test -> columns of its per-query table.
        curves: name -> steps and values of training.
        config: (key, value, where it comes from) of every value of the resolved config.
    """

    folder: Path
    name: str
    metrics: dict[str, Any]
    tables: dict[str, dict[str, NDArray]]
    curves: dict[str, Curve] = field(repr=False)
    config: list[tuple[str, str, str]] = field(repr=False)

    @staticmethod
    def read(folder: Path, cfg: Config) -> RunFiles:
        """Read the files of a finished run.

        Args:
            folder: the run folder.
            cfg: its resolved config.

        Raises:
            UserError: no ``metrics.json``, or one that holds no numbers; a table that is none.
        """
        tables = {test: read_queries(file) for test, file in query_tables(folder).items()}
        name = folder.resolve().name
        numbers = read_metrics(folder)
        return RunFiles(folder, name, numbers, tables, training_curves(folder), config_rows(cfg))

    def intervals(self, test: str, seed: int = 0) -> dict[str, tuple[float, float]]:
        """95 % interval of each metric of a test over its queries: recorded, else drawn now."""
        recorded = self.metrics["tests"][test].get("intervals")
        if recorded:
            return {name: (float(low), float(high)) for name, (low, high) in recorded.items()}
        columns, policy = self.tables[test], self.metrics["tests"][test].get("policy", "drop")
        values = per_query_metrics(columns, list(self.metrics["tests"][test]["metrics"]), policy)
        groups = columns.get("trial")
        if groups is not None and policy == "drop":
            groups = groups[columns["n_positives"] > 0]
        values = {name: one for name, one in values.items() if len(one)}
        return bootstrap_intervals(values, RESAMPLES, seed=seed, groups=groups) if values else {}


def read_metrics(folder: Path) -> dict[str, Any]:
    """The numbers that a run has recorded.

    Raises:
        UserError: none there, or a file that holds something else.
    """
    file = folder / "metrics.json"
    if not file.is_file():
        raise UserError(f"{folder}: no finished run, it has no metrics.json")
    try:
        content = json.loads(read_regular(file, _MOST))
        tests = content["tests"]
        for test in tests.values():
            values = test["metrics"].values()
            if not all(type(v) in (int, float) and math.isfinite(v) for v in values):
                raise ValueError("metrics that are no numbers")
            for low, high in (test.get("intervals") or {}).values():
                float(low), float(high)
    except (OSError, *WRONG_CONTENT) as error:
        raise UserError(f"{file}: not the numbers of a run ({error})") from None
    return content


def config_rows(cfg: Config) -> list[tuple[str, str, str]]:
    """Every value of a resolved config with its key and where it comes from.

    The run's folder keeps values alone. Origins are those of the config that it was started from,
    as that is today; a value which it does not have today was typed, or the file has changed.
    """
    today = origins_of_run(cfg)
    tree = cfg.to_dict()
    before = {} if today is None else today.cfg.to_dict()
    rows = []
    for path in leaf_paths(tree):
        value = _at(tree, path)
        if path[0] in ("resolved", "source"):
            origin = ""
        elif today is None:
            origin = "run folder"
        else:
            origin = today.origin(path) if _at(before, path) == value else _TYPED
            origin = "group" if path[0] == "groups" else origin
        rows.append((".".join(path), repr(value), origin))
    return rows


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tree = tree.get(key, _at) if isinstance(tree, dict) else _at
    return tree


def first_ranks_of(table: dict[str, NDArray]) -> NDArray[np.float64]:
    """Rank of the first positive of each query of a per-query table, NaN of invalid ones; empty of
    a protocol that has none."""
    return table.get("first_rank", np.zeros(0))


def config_table(runs: Sequence[RunFiles]) -> list[dict[str, Any]]:
    """A row per key of the resolved configs, with a value per run and its origin in the first."""
    tables = [{key: (value, origin) for key, value, origin in s.config} for s in runs]
    rows = []
    for key in dict.fromkeys(key for table in tables for key in table):
        values = [table.get(key, ("-", ""))[0] for table in tables]
        origin = next(table[key][1] for table in tables if key in table)
        differs = len(set(values)) > 1
        rows.append(dict(key=key, values=values, origin=origin, differs=differs))
    return rows
