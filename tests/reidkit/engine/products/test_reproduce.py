"""The results page: mean, spread, verdicts by seed, and rows that were not run."""

import json

import pytest

from reidkit.engine.products.reproduce import collect, markdown, read_plan, run_all
from reidkit.errors import UserError

PLAN = """
title: A page
seeds: [0, 1, 2]
runs:
  First: {config: configs/eanet/pcb.py}
  Second: {config: configs/eanet/pap.py}
  Third: {config: configs/eanet/pap.py}
retests:
  cut: {of: [First], overrides: [x=1]}
directions:
  - {better: Second, worse: First}
  - {better: First, worse: Second}
  - {better: Third, worse: First}
  - {better: "First - First, cut", worse: "Second - First", claim: cutting costs}
"""


@pytest.fixture
def finished(tmp_path):
    """Run folders of two rows of three, with numbers that can be checked by hand."""
    values = {"first": (0.10, 0.20, 0.30), "second": (0.20, 0.31, 0.39)}
    for name, numbers in values.items():
        for seed, value in enumerate(numbers):
            folder = tmp_path / f"{name}-s{seed}"
            folder.mkdir()
            tests = {"target": {"metrics": {"mAP": value, "R1": 2 * value}}}
            (folder / "metrics.json").write_text(json.dumps({"tests": tests}))
            cut = {"target": {"metrics": {"mAP": value / 2, "R1": value}}}
            (folder / "retest_cut.json").write_text(json.dumps({"tests": cut}))
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    return read_plan(plan), tmp_path


def test_mean_and_spread_over_seeds(finished):
    plan, folder = finished
    page = markdown(plan, collect(plan, folder), "the command")
    assert "| First | 20.0 ± 10.0 | 40.0 ± 20.0 |" in page
    assert "| First, cut | 10.0 ± 5.0 | 20.0 ± 10.0 |" in page
    assert "`the command`" in page and "3 seeds" in page


def test_verdicts_follow_paired_differences(finished):
    plan, folder = finished
    page = markdown(plan, collect(plan, folder), "x")
    assert "| Second > First (target mAP) | +10.0, +11.0, +9.0 | shows |" in page
    assert "| First > Second (target mAP) | -10.0, -11.0, -9.0 | reversed |" in page
    assert "| cutting costs | -5.0, -1.0, +6.0 | tie |" in page


def test_rows_that_were_not_run_are_named(finished):
    plan, folder = finished
    page = markdown(plan, collect(plan, folder), "x")
    assert "Not run: Third." in page
    assert "| Third > First (target mAP) | | not run |" in page


def test_missing_seeds_are_said_and_give_no_verdict(finished):
    plan, folder = finished
    (folder / "second-s2" / "metrics.json").unlink()
    page = markdown(plan, collect(plan, folder), "x")
    assert "| Second (2 seeds) | 25.5 ± 7.8 | 51.0 ± 15.6 |" in page
    assert "| Second > First (target mAP) | +10.0, +11.0 | too few seeds to say |" in page


def test_unknown_plans_keys_and_rows(tmp_path, finished):
    with pytest.raises(UserError, match="no plan for this table; there are plans for: none"):
        read_plan(tmp_path / "other" / "reproduce.yaml")
    (tmp_path / "bad.yaml").write_text("title: x\nseeds: [0]\nruns: {}\nseed: 3\n")
    with pytest.raises(UserError, match="a plan has title, seeds, runs, retests, directions"):
        read_plan(tmp_path / "bad.yaml")
    (tmp_path / "bad.yaml").write_text("title: x\nseeds: [0]\nruns: {K=1: {config: a.py}}\n")
    with pytest.raises(UserError, match="the row 'K=1' needs another name, without ="):
        read_plan(tmp_path / "bad.yaml")
    plan, folder = finished
    with pytest.raises(UserError, match="no row named 'Frist'; rows: First, Second, Third"):
        run_all(plan, folder, [], 1, only=["Frist"])
