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
from the plans (`configs/*/reproduce.yaml`) and the results files beside this page.
"""


def front_page(plans: list[Path], folder: Path) -> str:
    """The page.

    Args:
        plans: plan files, in the order of the page.
        folder: of the results files, ``<plugin>_<data>.json``.
    """
    lines = [
        HEAD,
        RULE,
        "",
        "| paper | claim | published | ours, 95 % interval | seeds | commit | verdict |",
    ]
    lines += ["|---|---|---|---|---|---|---|"]
    for path in plans:
        plan, name = read_plan(path), path.parent.name
        measured = [json.loads(file.read_text()) for file in sorted(folder.glob(f"{name}_*.json"))]
        lines += [_row(name, plan, one, measured) for one in plan.directions if "published" in one]
    pages = sorted(file.name for file in folder.glob("*.md") if file.name != "README.md")
    listed = ", ".join(f"[{page}]({page})" for page in pages)
    return "\n".join([*lines, "", f"Pages: {listed}.", ""])


def _row(name: str, plan: Plan, direction: dict[str, Any], measured: list[dict]) -> str:
    claim = judge(direction, {}).claim
    paper = f"[{plan.paper or plan.title}]({name}_synthped.md)"
    for content in measured:
        for one in content["claims"]:
            if one["claim"] == claim and one["differences"]:
                finding, commits = Finding(**one), ", ".join(one["commits"])
                where = "" if content["data"] == "synthped" else f" ({content['data']})"
                cells = [finding.gain() + where, str(len(finding.differences)), commits]
                return _line([paper, claim, direction["published"], *cells, finding.verdict])
    return _line([paper, claim, direction["published"], "", "", "", NOT_MEASURED])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
