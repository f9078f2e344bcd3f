"""Two runs on the same queries: which is better, by how much, and could it be chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reidkit.errors import UserError
from reidkit.evaluation.io.queries import read_queries
from reidkit.evaluation.metrics.intervals import Paired, paired_test, per_query_metrics

METRICS = ("mAP", "R1", "R5", "R10", "mINP", "mAP_official")


def query_tables(place: str | Path) -> dict[str, Path]:
    """Per-query tables by test: those of a run folder, or the one file.

    Raises:
        UserError: nothing there.
    """
    place = Path(place)
    if place.is_file():
        return {"": place}
    tables = {
        file.stem.removeprefix("queries_"): file for file in sorted(place.glob("queries_*.csv"))
    }
    if not tables:
        raise UserError(
            f"{place}: no per-query tables (queries_*.csv); name a run folder, or a table written "
            "with tools/evaluate.py --queries"
        )
    return tables


def compare_tables(
    first: Path, second: Path, resamples: int = 10_000, seed: int = 0
) -> dict[str, tuple[float, float, Paired]]:
    """Metric -> (mean of first, mean of second, paired test), over queries valid in both.

    Args:
        first: per-query table.
        second: of the same queries, in any order.
        resamples: of the test, see `paired_test`.
        seed: of the test.

    Raises:
        UserError: other queries, or no common metric.
    """
    tables = [_read(path) for path in (first, second)]
    rows = _aligned(tables[0], tables[1], first, second)
    columns = [{k: v[order] for k, v in t.items()} for t, order in zip(tables, rows, strict=True)]
    both = (columns[0]["n_positives"] > 0) & (columns[1]["n_positives"] > 0)
    values = [
        per_query_metrics({k: v[both] for k, v in c.items()}, METRICS, "drop") for c in columns
    ]
    shared = [name for name in METRICS if name in values[0] and name in values[1]]
    if not shared or not both.any():
        raise UserError(f"{first} and {second}: no metric on queries that are valid in both")
    return {
        name: (
            float(values[0][name].mean()),
            float(values[1][name].mean()),
            paired_test(values[0][name], values[1][name], resamples, seed),
        )
        for name in shared
    }


def _read(path: Path) -> dict[str, NDArray]:
    """A per-query table, with every score that its valid queries need."""
    table = read_queries(path)
    missing = [name for name in ("file", "query", "n_positives") if name not in table]
    if missing:
        raise UserError(f"{path}: not a per-query table, it has no column '{missing[0]}'")
    for name, values in table.items():
        if values.dtype.kind == "f" and np.isnan(values[table["n_positives"] > 0]).any():
            row = int(np.argmax(np.isnan(values) & (table["n_positives"] > 0)))
            raise UserError(f"{path}: column '{name}' is empty in row {row + 1}, a valid query")
    return table


def _aligned(
    one: Mapping[str, NDArray], two: Mapping[str, NDArray], first: Path, second: Path
) -> tuple[NDArray, NDArray]:
    """Rows of both tables such that the same query stands at the same place."""
    keys = [_keys(table, path) for table, path in ((one, first), (two, second))]
    only = [sorted(set(keys[a]) - set(keys[1 - a])) for a in (0, 1)]
    if only[0] or only[1]:
        example = (only[0] or only[1])[0][0]
        raise UserError(
            f"{first} and {second} are not of the same queries: {len(only[0])} only in the first, "
            f"{len(only[1])} only in the second (such as {example}); compare runs on the same test"
        )
    orders = [sorted(range(len(k)), key=k.__getitem__) for k in keys]
    return np.array(orders[0]), np.array(orders[1])


def _keys(table: Mapping[str, NDArray], path: Path) -> list[tuple[str, int, int]]:
    trials = table.get("trial", np.zeros(len(table["query"]), np.int64))
    names = (_tail(str(file)) for file in table["file"])
    keys = list(zip(names, table["query"].tolist(), trials.tolist(), strict=True))
    if len(set(keys)) < len(keys):
        name, query, trial = Counter(keys).most_common(1)[0][0]
        raise UserError(
            f"{path}: query {query} ({name}) of trial {trial} is there twice, so the rows of two "
            "tables cannot be matched"
        )
    return keys


def _tail(file: str) -> str:
    """The last two parts of a path: data may lie elsewhere on another machine."""
    return "/".join(file.split("/")[-2:])
