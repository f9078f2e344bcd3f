"""The page of a results file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from reidkit.engine.products.claims import RULE, Finding

CURVES = "Mean and range over seeds, over the iterations of the stages that log the value:"
SYNTHETIC = "SynthPed is synthetic: these numbers say nothing about real photographs."


def page(content: dict[str, Any], curves: Path | None = None) -> str:
    """The Markdown page of a results file.

    Args:
        content: of the file.
        curves: a picture beside the page, of values over training.
    """
    runs = content["runs"]
    seeds = len({seed for row in runs.values() for seed in row})
    lines = [
        f"# {content['title']}",
        "",
        f"Made by `{content['command']}`. In percent, mean ± standard deviation over {seeds} seeds "
        "unless the row says fewer.",
        *([SYNTHETIC] if content["data"].startswith("synthped") else []),
        "",
        _code(runs),
        "",
        *_table(runs, seeds),
    ]
    if content["not_run"]:
        lines += ["", f"Not measured on present code: {', '.join(content['not_run'])}."]
    if content["published"]:
        lines += ["", *_published(content["published"])]
    lines += ["", "## Claims", "", RULE, ""]
    lines += ["| claim | published | by seed | mean [95 % interval] | verdict | commit |"]
    lines += ["|---|---|---|---|---|---|", *map(_claim, content["claims"])]
    if curves:
        lines += ["", "## In training", "", CURVES, "", f"![Values over training]({curves.name})"]
    if content["notes"]:
        lines += ["", content["notes"].strip()]
    return "\n".join(lines) + "\n"


def _code(runs: dict[str, dict[str, dict]]) -> str:
    """Where and by which commits the rows were run."""
    by: dict[str, dict[str, list[str]]] = {}
    for row, seeds in runs.items():
        for run in seeds.values():
            rows = by.setdefault(run["machine"], {}).setdefault(run["commit"], [])
            name = run["trained"] if row == run["trained"] else f"{run['trained']} (tested again)"
            rows += [name] if {name, run["trained"]}.isdisjoint(rows) else []
    if not by:
        return "No row has been run on present code."
    if sum(map(len, by.values())) == 1:
        ((machine, commits),) = by.items()
        return f"All runs are of commit {next(iter(commits))}, on {machine}."
    said = {machine: "; ".join(f"{c}: {', '.join(commits[c])}" for c in commits)
            for machine, commits in by.items()}  # fmt: skip
    return "\n\n".join(f"Runs on {machine}, by commit: {said[machine]}." for machine in by)


def _table(runs: dict[str, dict[str, dict]], seeds: int) -> list[str]:
    values = {row: [run["values"] for run in by.values()] for row, by in runs.items()}
    columns = list(dict.fromkeys(c for row in values.values() for one in row for c in one))
    if not columns:
        return []
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for row, by in values.items():
        fewer = "" if len(by) == seeds else f" ({len(by)} seed{'s' if len(by) > 1 else ''})"
        cells = [
            _cell([one[c] for one in by if c in one], 2 if c.startswith("log ") else 1)
            for c in columns
        ]
        lines.append(f"| {row}{fewer} | " + " | ".join(cells) + " |")
    return lines


def _cell(values: list[float], digits: int) -> str:
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}" + spread if values else ""


def _published(table: dict[str, Any]) -> list[str]:
    columns = table["columns"]
    lines = [f"Published: {table['source']}", "", "| | " + " | ".join(columns) + " |"]
    lines += ["|---|" + "---|" * len(columns)]
    return lines + [
        f"| {row} | " + " | ".join(str(value) for value in values) + " |"
        for row, values in table["rows"].items()
    ]


def _claim(content: dict[str, Any]) -> str:
    finding = Finding(**content)
    digits = 2 if finding.key.startswith("log ") else 1
    listed = ", ".join(f"{gap:+.{digits}f}" for gap in finding.differences)
    gain = finding.gain() if finding.low is not None else ""
    said = [finding.claim, finding.published, listed, gain, finding.verdict]
    return f"| {' | '.join([*said, ', '.join(finding.commits)])} |"
