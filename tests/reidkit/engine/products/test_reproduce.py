"""The results page: mean, spread, verdicts by a rule, rows that were not run, the front page."""

import json
import os
import signal
import sys

import numpy as np
import pytest
import torch

from reidkit.engine.products import reproduce, results_page
from reidkit.engine.products.claims import judge, paired_interval, verdict
from reidkit.engine.products.front_page import front_page
from reidkit.engine.products.reproduce import read_plan, run_all
from reidkit.engine.products.results_file import read_results, results
from reidkit.errors import UserError
from reidkit.evaluation.io.queries import write_queries
from reidkit.utils.processor import has_bf16_units

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
  - {better: Second, worse: First, published: "+6 mAP"}
  - {better: First, worse: Second}
  - {better: Third, worse: First, published: "+9 mAP"}
  - {better: "First - First, cut", worse: "Second - First", claim: cutting costs}
  - {better: "First, cut", worse: First, claim: a control, expect: no gain, published: (control)}
"""


def queries(file, score: np.ndarray) -> None:
    rows = np.arange(len(score))
    columns = dict(query=rows, file=np.array([f"q/{n}.jpg" for n in rows]), AP=score)
    columns |= dict(first_rank=np.where(score > 0.3, 1, 4), n_positives=np.full(len(score), 2))
    write_queries(file, columns)


@pytest.fixture
def finished(tmp_path):
    """Run folders of two rows of three: the second is 0.1 better on every query, give or take."""
    rng, means = np.random.default_rng(0), {"first": (0.3, 0.4, 0.5), "second": (0.4, 0.5, 0.6)}
    common = rng.uniform(-0.1, 0.1, 40)
    for name, numbers in means.items():
        for seed, value in enumerate(numbers):
            folder = tmp_path / f"{name}-s{seed}"
            folder.mkdir()
            score = value + common + rng.uniform(-0.02, 0.02, 40)
            cut = score * np.where(np.arange(40) % 2, 0.9, 1.1)
            for file, table, values in (
                ("metrics", folder, score), ("retest_cut", folder / "retest_cut", cut)
            ):  # fmt: skip
                tests = {"target": {"metrics": {"mAP": values.mean(), "R1": 0.5}}}
                (folder / f"{file}.json").write_text(json.dumps({"tests": tests}))
                table.mkdir(exist_ok=True)
                queries(table / "queries_target.csv", values)
                code = reproduce.code_file(folder / f"{file}.json")
                code.write_text("abc1234\nan abacus\n")
    plan = tmp_path / "plugin" / "reproduce.yaml"
    plan.parent.mkdir()
    plan.write_text(PLAN)
    return read_plan(plan), tmp_path


def content(plan, folder, earlier=None) -> dict:
    return results(plan, folder, "the command", "synthped", earlier)


def values(found, row, column="target mAP") -> list[float]:
    return [run["values"][column] for run in found["runs"][row].values()]


def test_mean_and_spread_over_seeds_and_the_commit(finished):
    found = content(*finished)
    page = results_page.page(found)
    mean = np.mean(values(found, "First"))
    assert f"| First | {mean:.1f} ± 10.0 | 50.0 ± 0.0 |" in page and "| First, cut |" in page
    assert "`the command`" in page and "3 seeds" in page
    assert "All runs are of commit abc1234, on an abacus." in page
    assert "Not measured on present code: Third." in page
    assert results_page.SYNTHETIC in page
    assert results_page.SYNTHETIC not in results_page.page(dict(found, data="market1501"))


def test_verdicts_follow_the_interval(finished):
    said = {one["claim"]: one for one in content(*finished)["claims"]}
    shown = said["Second > First (target mAP)"]
    assert shown["verdict"] == "shows" and 8 < shown["low"] < 10 < shown["high"] < 12
    assert len(shown["differences"]) == 3
    assert said["First > Second (target mAP)"]["verdict"] == "reversed"
    assert said["Third > First (target mAP)"]["verdict"] == "not run"
    assert said["a control"]["verdict"] == "holds"


def test_the_interval_holds_the_spread_of_seeds():
    """Three seeds that disagree leave a claim open, however many queries agree within each."""
    rng = np.random.default_rng(0)
    gaps = np.array([[4.0], [-3.0], [1.0]]) + rng.normal(0, 0.1, (3, 500))
    low, high = paired_interval(gaps)
    assert low < -1 < 2 < high and verdict(low, high) == "open"
    agreed = np.array([[1.0], [1.2], [0.9]]) + rng.normal(0, 0.1, (3, 500))
    assert verdict(*paired_interval(agreed)) == "shows"
    one_sided = rng.normal(0.5, 10, (3, 40))  # few queries that disagree
    assert verdict(*paired_interval(one_sided)) == "open"


def test_values_that_are_one_per_run_are_judged_by_seed():
    rows = {
        "a": [("", np.array([value])) for value in (0.5, 0.6, 0.7)],
        "b": [("", np.array([0.1]))] * 3,
    }
    found = judge(dict(better="a", worse="b", test="log", metric="off"), rows)
    assert found.verdict == "shows" and found.gain().startswith("+0.50 [")


def test_missing_seeds_are_said_and_give_no_verdict(finished):
    plan, folder = finished
    for seed in (1, 2):
        (folder / f"second-s{seed}" / "metrics.json").unlink()
        (folder / f"second-s{seed}" / "queries_target.csv").unlink()
    found = content(plan, folder)
    assert "| Second (1 seed) |" in results_page.page(found)
    first = found["claims"][0]
    assert first["verdict"] == "too few seeds to say" and first["low"] is None


def test_the_front_page_has_every_published_claim(finished):
    plan, folder = finished
    pages = folder / "results"
    pages.mkdir()
    (pages / "plugin_synthped.json").write_text(json.dumps(content(plan, folder)))
    page = front_page([folder / "plugin" / "reproduce.yaml"], pages)
    shown, missing = (line for line in page.splitlines() if "First (target mAP)" in line)
    assert "| +6 mAP | +10." in shown and shown.endswith("| 3 | shows |")
    assert "| +9 mAP |" in missing and missing.endswith("| not measured on present code |")
    assert "| all | 2 | 1 | 0 | 0 | 1 |" in page and "cutting costs" not in page
    assert page.index("| +9 mAP |") < page.index("## Controls") < page.index("| a control |")


def test_a_repeated_test_may_be_of_another_commit_than_its_run(finished):
    plan, folder = finished
    (folder / "first-s1" / "retest_cut.code.txt").write_text("def5678\nan abacus\n")
    found = content(plan, folder)
    said = "by commit: abc1234: First, Second; def5678: First (tested again)."
    assert said in results_page.page(found)
    assert found["claims"][4]["commits"] == ["abc1234", "def5678"]
    assert found["claims"][2]["commits"] == []  # a row was not run: nothing is compared
    (folder / "first-s1" / "retest_cut.json").unlink()  # so seed 1 is not compared
    (folder / "first-s1" / "metrics.code.txt").write_text("9abcdef\nan abacus\n")
    assert content(plan, folder)["claims"][4]["commits"] == ["abc1234"]


def test_unknown_plans_keys_and_rows(tmp_path, finished):
    with pytest.raises(UserError, match="no plan for this table; there are plans for: none"):
        read_plan(tmp_path / "none" / "other" / "reproduce.yaml")
    (tmp_path / "bad.yaml").write_text("title: x\nseeds: [0]\nruns: {}\nseed: 3\n")
    with pytest.raises(UserError, match="a plan has title, seeds, runs, retests, directions"):
        read_plan(tmp_path / "bad.yaml")
    (tmp_path / "bad.yaml").write_text("title: x\nseeds: [0]\nruns: {K=1: {config: a.py}}\n")
    with pytest.raises(UserError, match="the row 'K=1' needs another name, without ="):
        read_plan(tmp_path / "bad.yaml")
    plan, folder = finished
    with pytest.raises(UserError, match="no row named 'Frist'; rows: First, Second, Third"):
        run_all(plan, folder, [], 1, only=["Frist"])


def test_ctrl_c_ends_what_runs_and_begins_nothing_more(finished, monkeypatch):
    plan, folder = finished
    waiting = [
        sys.executable,
        "-c",
        "import os, time; print(os.getpid(), flush=True); time.sleep(99)",
    ]
    monkeypatch.setattr(reproduce, "_train_command", lambda *_: waiting)
    for seed in (0, 1):
        (folder / f"first-s{seed}" / "metrics.json").unlink()
    log = folder / "first-s0.txt"

    def interrupt(*_):
        if log.exists() and log.read_text():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    with pytest.raises(KeyboardInterrupt):
        run_all(plan, folder, [], 1, only=["First"])
    signal.signal(signal.SIGALRM, before)
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)
    assert not (folder / "first-s1.txt").exists()


def test_tests_are_repeated_where_the_person_says_that_data_lies(finished, monkeypatch):
    plan, folder = finished
    (folder / "first-s1" / "retest_cut.json").unlink()
    commands = []
    monkeypatch.setattr(reproduce, "_execute", lambda work, folder, jobs: commands.extend(work))
    run_all(plan, folder, ["settings.data_root=/data", "recipe=paper"], 1, only=["First"])
    (row, seed, command, *_), = commands  # fmt: skip
    assert (row, seed) == ("First, cut", 1) and "recipe=paper" not in command
    assert command[2:7] == [
        "reidkit.cli.main", "test", str(folder / "first-s1"), "settings.data_root=/data", "x=1",
    ]  # fmt: skip


def test_a_row_can_have_seeds_of_its_own(finished, monkeypatch):
    plan, folder = finished
    plan.runs["Second"]["seeds"] = [0, 1, 2, 3, 4]
    work = []
    monkeypatch.setattr(reproduce, "_execute", lambda items, *_: work.extend(items))
    run_all(plan, folder, [], 1, only=["First", "Second"])
    assert [item[:2] for item in work] == [("Second", 3), ("Second", 4)]
    found = content(plan, folder)
    assert list(found["runs"]["Second"]) == ["0", "1", "2"]
    (folder / "second-s1").rename(folder / "second-s4")
    page = results_page.page(content(plan, folder))
    assert "over 4 seeds" in page and "| First (3 seeds) |" in page
    assert found["claims"][0]["verdict"] == "shows"


def test_a_run_that_was_stopped_before_its_first_checkpoint_goes_on(finished, monkeypatch):
    plan, folder = finished
    (folder / "third-s1").mkdir()
    (folder / "third-s1" / "config.py").write_text("x = 1\n")
    work = []
    monkeypatch.setattr(reproduce, "_execute", lambda items, *_: work.extend(items))
    run_all(plan, folder, [], 1, only=["Third"])
    assert ["--resume" in command for _, _, command, *_ in work] == [False, True, False]


def test_an_earlier_file_keeps_what_the_folder_has_no_runs_of(finished, tmp_path_factory):
    """Half of the seeds here and half there give the numbers and findings of all of them."""
    plan, folder = finished
    whole = content(plan, folder)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for run in ("first-s1", "second-s0", "second-s1"):
        (folder / run).rename(elsewhere / run)
    assert len(content(plan, folder)["claims"][0]["differences"]) == 1
    earlier = json.loads(json.dumps(content(plan, folder)))
    assert content(plan, elsewhere, earlier) == whole


def test_runs_of_the_folder_replace_those_of_an_earlier_file(finished):
    plan, folder = finished
    earlier = content(plan, folder)
    earlier["runs"]["First"]["1"]["values"]["target mAP"] = 99.0
    earlier["runs"]["No longer a row"] = earlier["runs"]["First"]
    found = content(plan, folder, earlier)
    assert 99.0 not in values(found, "First") and "No longer a row" not in found["runs"]


def test_runs_of_a_row_that_is_another_one_now_are_not_kept(finished, tmp_path):
    plan, folder = finished
    earlier = content(plan, folder)
    plan.runs["First"]["overrides"] = ["train.epochs=3"]
    plan.retests["cut"]["overrides"] = ["x=2"]
    found = content(plan, tmp_path / "empty", earlier)
    assert list(found["runs"]) == ["Second"]
    assert {one["verdict"] for one in found["claims"]} == {"not run"}


def test_a_finding_stays_where_its_scores_by_query_are_gone(finished, tmp_path):
    plan, folder = finished
    earlier = content(plan, folder)
    for seeds in earlier["runs"].values():
        for run in seeds.values():
            run["scores"] = {}
    assert content(plan, tmp_path / "empty", earlier)["claims"] == earlier["claims"]
    plan.directions[0]["metric"] = "R1"  # of another metric it says nothing
    plan.directions[0]["claim"] = earlier["claims"][0]["claim"]
    assert content(plan, tmp_path / "empty", earlier)["claims"][0]["differences"] == []
    del plan.directions[0]["metric"]
    for run in ("second-s1", "second-s2"):  # scores of one seed do not take its place
        (folder / run).rename(tmp_path / f"no_{run}")
    assert content(plan, folder, earlier)["claims"][0] == earlier["claims"][0]


def test_seeds_tested_on_other_queries_are_not_compared(finished):
    plan, folder = finished
    table = folder / "second-s1" / "queries_target.csv"
    table.write_text(table.read_text().replace("q/7.jpg", "q/1007.jpg"))
    first = content(plan, folder)["claims"][0]
    assert len(first["differences"]) == 2 and first["verdict"] == "too few seeds to say"


def test_files_in_another_folder_are_the_same_queries(finished):
    plan, folder = finished
    whole = content(plan, folder)["claims"][0]
    table = folder / "second-s1" / "queries_target.csv"
    table.write_text(table.read_text().replace("q/", "/elsewhere/q/"))
    assert content(plan, folder)["claims"][0] == whole


def test_a_results_file_is_not_added_to_with_other_overrides(finished):
    plan, folder = finished
    file = folder / "page.json"
    new = read_results(file, ["train.epochs=2", "settings.workers=0"])
    assert new == {"overrides": ["train.epochs=2"]}
    file.write_text(json.dumps(content(plan, folder, new)))
    assert read_results(file, ["settings.data_root=/x", "train.epochs=2"])["runs"]
    with pytest.raises(UserError, match="were made with train.epochs=2, and .* with no overrides"):
        read_results(file, [])
    file.write_text("[1, 2")
    with pytest.raises(UserError, match="not a results file; move it away"):
        read_results(file, [])


def test_the_machine_says_the_precision_that_a_row_asks_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said = reproduce.machine(["train.epochs=1", "settings.precision=fp32"])
    assert ", no GPU, float32, torch" in said
    units = "bfloat16" if has_bf16_units() else "float32"
    assert f", no GPU, {units}, torch" in reproduce.machine()
