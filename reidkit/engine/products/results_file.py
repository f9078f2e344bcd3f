"""A results file: the numbers of every run of a plan, and the findings on its claims."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.engine.products.claims import Scores, claim_rows, judge
from reidkit.engine.products.reproduce import RESULT, Plan, code_file, run_name, slug
from reidkit.errors import UserError
from reidkit.evaluation.io.queries import read_queries
from reidkit.evaluation.metrics.intervals import per_query_metrics

METRICS = ("mAP", "R1")
DECIMALS = 3  # of percent, of a query's score

# trained (row), spec, commit, machine, values by column, scores by column, queries by test
Run = dict[str, Any]


def results(
    plan: Plan, folder: Path, command: str, data: str, earlier: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Everything that a page and the front page say, as plain numbers and words.

    Args:
        plan: the table.
        folder: of its runs.
        command: that made them.
        data: name of the data.
        earlier: an earlier file of this table. Its runs are kept where the folder has none of that
            row and seed, so a table can be filled over several days or machines; not where the plan
            gives that row another config or other overrides now.

    Example:
        >>> plan = Plan(title="A page", seeds=[0], runs={"First": {"config": "first.py"}})
        >>> results(plan, Path("no_such_folder"), "the command", "synthped")["not_run"]
        ['First']
    """
    runs, old = read_runs(plan, folder), earlier or {}
    kept = _kept(plan, old)
    for row in _rows(plan):
        if merged := kept.get(row, {}) | runs.get(row, {}):
            runs[row] = {seed: merged[seed] for seed in sorted(merged, key=int)}
    return dict(
        title=plan.title,
        paper=plan.paper or plan.title,
        data=data,
        command=command,
        overrides=old.get("overrides", []),
        runs={row: runs[row] for row in _rows(plan) if row in runs},
        not_run=[row for row in plan.runs if row not in runs],
        claims=[_finding(one, runs, kept, old.get("claims", [])) for one in plan.directions],
        published=plan.published,
        notes=plan.notes,
    )


def _kept(plan: Plan, earlier: Mapping[str, Any]) -> dict[str, dict[str, Run]]:
    """The runs of an earlier file whose rows are what they were."""
    kept = {}
    for row in _rows(plan):
        spec, known = _spec(plan, row), earlier.get("runs", {}).get(row, {})
        if same := {seed: run for seed, run in known.items() if run["spec"] == spec}:
            kept[row] = same
    return kept


def read_results(file: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """An earlier results file that runs with these overrides may be added to.

    Args:
        file: its path; where there is none, an empty one is returned.
        overrides: of the runs to come; those of ``settings`` change no number.

    Raises:
        UserError: the file is of other overrides, or no results file.
    """
    wanted = [o for o in overrides if not o.lstrip("+").startswith("settings.")]
    if not file.exists():
        return dict(overrides=wanted)
    try:
        content = json.loads(file.read_text())
        made_with = content["overrides"]
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{file}: not a results file; move it away, or write to another place with --out"
        ) from None
    if made_with != wanted:
        raise UserError(
            f"{file}: its runs were made with {_listed(made_with)}, and these would be with "
            f"{_listed(wanted)}; write to another place with --out, or move it away"
        )
    return content


def _listed(overrides: Sequence[str]) -> str:
    return " ".join(overrides) or "no overrides"


def read_runs(plan: Plan, folder: Path) -> dict[str, dict[str, Run]]:
    """Row -> seed -> the run, of those that a folder holds; repeated tests are rows of their own.

    Args:
        plan: the table.
        folder: of its runs.
    """
    runs: dict[str, dict[str, Run]] = {}
    for row, (trained, retest) in _rows(plan).items():
        for seed in plan.all_seeds:
            run = folder / run_name(trained, seed)
            file = run / (f"retest_{slug(retest)}.json" if retest else RESULT)
            if file.exists():
                tables = file.with_suffix("") if retest else run
                one = dict(trained=trained, spec=_spec(plan, row))
                one |= _read_run(plan, row, file, tables)
                runs.setdefault(row, {})[str(seed)] = one
    return runs


def _rows(plan: Plan) -> dict[str, tuple[str, str]]:
    """Row of the table -> the row that is trained, and the name of the repeated test or ""."""
    rows = {row: (row, "") for row in plan.runs}
    for name, spec in plan.retests.items():
        rows |= {f"{row}, {name}": (row, name) for row in spec["of"]}
    return rows


def _spec(plan: Plan, row: str) -> list[str]:
    """What a row is: its config, overrides, and those of the repeated test."""
    trained, retest = _rows(plan)[row]
    spec, again = plan.runs[trained], plan.retests.get(retest, {})
    return [spec["config"], *spec.get("overrides", []), *again.get("overrides", [])]


def _read_run(plan: Plan, row: str, file: Path, tables: Path) -> Run:
    content = json.loads(file.read_text())
    values = {
        f"{test} {metric}": 100 * result["metrics"][metric]
        for test, result in content["tests"].items()
        for metric in METRICS
        if metric in result["metrics"]
    }
    logs = content.get("logs", {})
    values |= {f"log {name}": logs[name] for name in plan.logs if name in logs}
    code = code_file(file)
    lines = code.read_text().splitlines() if code.exists() else []
    commit, place = [*lines, "unknown", "unknown"][:2]
    read: Run = dict(commit=commit, machine=place)
    read["values"] = {key: round(float(value), 6) for key, value in values.items()}
    read["scores"], read["queries"] = {}, {}
    for test, metric in sorted(
        {_measure(one) for one in plan.directions if row in claim_rows(one)}
    ):
        if (score := _query_scores(tables / f"queries_{test}.csv", metric)) is not None:
            read["queries"][test], read["scores"][f"{test} {metric}"] = score
    return read


def _measure(direction: Mapping[str, Any]) -> tuple[str, str]:
    return direction.get("test", "target"), direction.get("metric", "mAP")


def _query_scores(file: Path, metric: str) -> tuple[str, str] | None:
    """Which queries they are, as a checksum of their names, and a percentage for each, as text."""
    if not file.is_file():
        return None
    table = read_queries(file)
    values = per_query_metrics(table, [metric], "drop").get(metric)
    if values is None:
        return None
    valid = table["n_positives"] > 0
    scores = np.full(len(valid), np.nan)
    scores[valid] = 100 * values
    names = "\n".join(Path(str(name)).name for name in table["file"])
    trials = table.get("trial", np.zeros(0, np.int64)).tolist()
    checksum = zlib.crc32(f"{names}\n{trials}".encode("utf-8", "surrogateescape"))
    return f"{checksum:08x}", " ".join(f"{score:.{DECIMALS}f}" for score in scores)


def _finding(
    direction: Mapping[str, Any],
    runs: Mapping[str, Mapping[str, Run]],
    kept: Mapping[str, Mapping[str, Run]],
    earlier: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """The finding on a claim; that of the earlier file where it knew the scores of more seeds."""
    test, metric = _measure(direction)
    seeds = sorted({int(seed) for row in runs.values() for seed in row})
    rows = claim_rows(direction)
    scores = {
        row: [_scores(runs[row].get(str(seed)), test, metric) for seed in seeds]
        for row in rows
        if row in runs
    }
    found = judge(direction, scores)
    for before in earlier if all(row in kept for row in rows) else []:
        same = (before["claim"], before["key"]) == (found.claim, found.key)
        if same and len(before["differences"]) > len(found.differences):
            return before | dict(published=found.published)
    compared = set.intersection(*(set(runs.get(row, {})) for row in rows))
    commits = [run["commit"] for row in scores for s, run in runs[row].items() if s in compared]
    return found.as_dict() | dict(commits=list(dict.fromkeys(commits)))


def _scores(run: Run | None, test: str, metric: str) -> Scores | None:
    column = f"{test} {metric}"
    if run is None:
        return None
    if test == "log":
        return ("", np.array([run["values"][column]])) if column in run["values"] else None
    if column not in run["scores"]:
        return None
    return run["queries"][test], np.array([float(v) for v in run["scores"][column].split()])
