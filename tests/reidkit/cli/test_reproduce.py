"""A table of real runs: trained, tested again, judged, and made again without their folder."""

import json
import re
import shutil
from pathlib import Path

import pytest

from reidkit.cli.reproduce import main
from reidkit.config import prepare_config
from reidkit.engine.products.claims import claim_rows
from reidkit.engine.products.reproduce import machine, read_plan
from reidkit.errors import UserError
from reidkit.utils.commit import commit

PLAN = """
title: A table
seeds: [0]
runs:
  GlobalPool: {config: eanet/global_pool}
  PCB: {config: eanet/pcb, overrides: [model.backbone.width=8]}
retests:
  re-ranked: {of: [PCB], overrides: [+evaluation.rerank.rr=KReciprocal]}
directions:
  - {better: PCB, worse: GlobalPool, test: source}
  - {better: "PCB, re-ranked", worse: PCB, metric: R1}
"""


def test_the_plan_of_the_documentation_names_what_is_there(tmp_path):
    page = (Path(__file__).parents[3] / "docs/start/compare.md").read_text()
    (tmp_path / "mine.yaml").write_text(re.search(r"```yaml\n(.*?)```", page, re.S)[1])
    plan = read_plan(tmp_path / "mine.yaml")
    for spec in plan.runs.values():
        again = [one for test in plan.retests.values() for one in test["overrides"]]
        prepare_config(spec["config"], [*spec.get("overrides", []), *again])
    rows = {*plan.runs, *(f"{row}, {name}" for name, t in plan.retests.items() for row in t["of"])}
    assert {row for one in plan.directions for row in claim_rows(one)} <= rows


@pytest.mark.slow
def test_a_table_of_runs_and_its_page_without_them(tiny_data, tmp_path):
    (tmp_path / "mine.yaml").write_text(PLAN)
    small = ["data=synthped_tiny", "train.epochs=1", "input.size=(96,32)", "settings.workers=0",
             f"settings.data_root={tiny_data}", "settings.pictures=False"]  # fmt: skip
    places = dict(out=tmp_path / "page.md", folder=tmp_path / "runs")
    place = [str(tmp_path / "mine.yaml"), *(f"--{key}={value}" for key, value in places.items())]
    assert main([*place, "--jobs=2", *small]) == 0
    page, numbers = (tmp_path / f"page.{kind}" for kind in ("md", "json"))
    content = json.loads(numbers.read_text())
    rows = ["GlobalPool", "PCB", "PCB, re-ranked"]
    assert list(content["runs"]) == rows and content["not_run"] == []
    assert all(f"| {row} |" in page.read_text() for row in rows)
    by = {(run["commit"], run["machine"]) for row in rows for run in content["runs"][row].values()}
    assert by == {(commit(), machine())}
    for claim in content["claims"]:
        assert claim["verdict"] == "too few seeds to say" and len(claim["differences"]) == 1
    first = content["runs"]["PCB"]["0"]
    scores = [float(score) for score in first["scores"]["source mAP"].split()]
    assert sum(scores) / len(scores) == pytest.approx(first["values"]["source mAP"], abs=1e-3)
    gap = first["values"]["source mAP"] - content["runs"]["GlobalPool"]["0"]["values"]["source mAP"]
    assert content["claims"][0]["differences"] == [pytest.approx(gap, abs=2e-3)]

    shutil.rmtree(tmp_path / "runs")
    written = page.read_text()
    assert main([*place, "--page", *small]) == 0 and page.read_text() == written
    with pytest.raises(UserError, match="its runs were made with data=synthped_tiny"):
        main([*place, "--page", "data=synthped_tiny"])
