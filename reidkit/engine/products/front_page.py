"""The front page of the results: every claim of every paper, from plans and results files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reidkit.engine.products.claims import NOT_MEASURED, RULE, Finding, judge
from reidkit.engine.products.reproduce import Plan, read_plan

HEAD = """# Results

What the papers claim, what they published, and what the shipped quick recipes show on rendered
people. SynthPed is synthetic, networks are small and start from random weights, so only directions
can be compared. Photographs: [real.md](real.md). Written by `python tools/reproduce.py --front`
from the plans (`configs/*/reproduce.yaml`) and the results files beside this page; a paper's own
page has every row, and the commits that rows and claims were measured at.
"""
CONTROLS = """## Controls

What has to hold for the claims above to mean anything, what is possible at most, and questions that
the papers did not ask.
"""
VERDICTS = ("shows", "open", "reversed")


def front_page(plans: list[Path], folder: Path) -> str:
    """The page.

    Args:
        plans: plan files, in the order of the page.
        folder: of the results files, ``<plugin>_<data>.json``.
    """
    claims: list[list[str]] = []
    controls: list[list[str]] = []
    for path in plans:
        plan, name = read_plan(path), path.parent.name
        measured = [json.loads(file.read_text()) for file in sorted(folder.glob(f"{name}_*.json"))]
        for one in plan.directions:
            if "published" in one:
                own = one["published"].startswith("(")  # "(control)": no figure of the paper's
                (controls if own else claims).append(_row(name, plan, one, measured))
    pages = sorted(file.name for file in folder.glob("*.md") if file.name != "README.md")
    listed = ", ".join(f"[{page}]({page})" for page in pages)
    parts = [HEAD, _summary(claims), "", RULE, "", *_table(claims), "", CONTROLS, *_table(controls)]
    return "\n".join([*parts, "", f"Pages: {listed}.", ""])


def _summary(claims: list[list[str]]) -> str:
    """How many claims of each paper show, as a table."""
    lines = [
        "| paper | claims | show | open | reversed | no verdict |",
        "|---|---|---|---|---|---|",
    ]
    papers = list(dict.fromkeys(row[0] for row in claims))
    for paper in [*papers, "all"]:
        found = [row[-1] for row in claims if paper in (row[0], "all")]
        counts = [found.count(verdict) for verdict in VERDICTS]
        cells = [len(found), *counts, len(found) - sum(counts)]
        lines.append(_line([paper, *map(str, cells)]))
    return "\n".join(lines)


def _table(rows: list[list[str]]) -> list[str]:
    head = ["| paper | claim | published | ours, 95 % interval | seeds | verdict |"]
    return [*head, "|---|---|---|---|---|---|", *map(_line, rows)]


def _row(name: str, plan: Plan, direction: dict[str, Any], measured: list[dict]) -> list[str]:
    claim = judge(direction, {}).claim
    paper = f"[{plan.paper or plan.title}]({name}_synthped.md)"
    for content in measured:
        for one in content["claims"]:
            if one["claim"] == claim and one["differences"]:
                finding = Finding(**one)
                where = "" if content["data"] == "synthped" else f" ({content['data']})"
                cells = [finding.gain() + where, str(len(finding.differences))]
                return [paper, claim, direction["published"], *cells, finding.verdict]
    return [paper, claim, direction["published"], "", "", NOT_MEASURED]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
