"""A method's results: one file of numbers, and the page that is written from it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.engine.products.claims import RULE, Finding, judge
from reidkit.engine.products.reproduce import Plan, collect, commits, query_scores


def results(plan: Plan, folder: Path, command: str, data: str) -> dict[str, Any]:
    """Everything that a page and the front page say, as plain numbers and words.

    Args:
        plan: the table.
        folder: of its runs.
        command: that made them.
        data: name of the data.
    """
    table = collect(plan, folder)
    machine = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    findings = [judge(one, query_scores(plan, folder, one)) for one in plan.directions]
    return dict(
        title=plan.title,
        paper=plan.paper or plan.title,
        data=data,
        command=command,
        machine=f"{platform.machine()}, {os.cpu_count()} cores, {machine}, "
        f"torch {torch.__version__}",
        seeds=plan.all_seeds,
        commits=commits(plan, folder),
        rows={
            row: {key: [None if np.isnan(v) else float(v) for v in values]
                  for key, values in columns.items()}
            for row, columns in table.items()
        },
        not_run=[row for row in plan.runs if row not in table],
        claims=[finding.as_dict() for finding in findings],
        published=plan.published,
        notes=plan.notes,
    )  # fmt: skip


def page(content: dict[str, Any]) -> str:
    """The Markdown page of a results file."""
    seeds = len(content["seeds"])
    lines = [
        f"# {content['title']}",
        "",
        f"Made by `{content['command']}` ({content['machine']}). In percent, mean ± standard "
        f"deviation over {seeds} seeds unless the row says fewer.",
        "SynthPed is synthetic: these numbers say nothing about real photographs.",
        "",
        _code(content["commits"]),
        "",
        *_table(content["rows"], seeds),
    ]
    if content["not_run"]:
        lines += ["", f"Not measured on present code: {', '.join(content['not_run'])}."]
    if content["published"]:
        lines += ["", *_published(content["published"])]
    lines += ["", "## Claims", "", RULE, ""]
    lines += ["| claim | published | by seed | mean [95 % interval] | verdict |"]
    lines += ["|---|---|---|---|---|", *map(_claim, content["claims"])]
    if content["notes"]:
        lines += ["", content["notes"].strip()]
    return "\n".join(lines) + "\n"


def _code(by: dict[str, list[str]]) -> str:
    if not by:
        return "No row has been run on present code."
    if len(by) == 1:
        return f"All runs are of commit {next(iter(by))}."
    said = "; ".join(f"{name}: {', '.join(rows)}" for name, rows in by.items())
    return f"Commits of the runs: {said}."


def _table(rows: dict[str, dict[str, list]], seeds: int) -> list[str]:
    columns = list(dict.fromkeys(c for values in rows.values() for c in values))
    if not columns:
        return []
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for row, values in rows.items():
        count = sum(value is not None for value in next(iter(values.values())))
        fewer = "" if count == seeds else f" ({count} seed{'s' if count > 1 else ''})"
        cells = [
            _cell(values[c], 2 if c.startswith("log ") else 1) if c in values else ""
            for c in columns
        ]
        lines.append(f"| {row}{fewer} | " + " | ".join(cells) + " |")
    return lines


def _cell(values: list, digits: int) -> str:
    run = np.array([value for value in values if value is not None])
    spread = f" ± {run.std(ddof=1):.{digits}f}" if len(run) > 1 else ""
    return f"{run.mean():.{digits}f}" + spread if len(run) else ""


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
    return f"| {finding.claim} | {finding.published} | {listed} | {gain} | {finding.verdict} |"
