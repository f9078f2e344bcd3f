"""Everything that is measured on a GPU runs at tiny size on any machine; stages resume."""

from __future__ import annotations

import json

import pytest

from reidkit.bench.gpu import campaign
from reidkit.bench.gpu.measurement import Measurement
from reidkit.cli.main import main

HEAVY = {"dgnet/iteration"}  # run as it is by the test of its own benchmark


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in campaign.stage_names() if n not in HEAVY])
def test_every_stage_runs_at_tiny_size(name):
    rows = campaign.stage_function(name)(True)
    assert rows and all(isinstance(row.value, (int, float)) for row in rows)


@pytest.mark.slow
def test_a_stage_in_a_process_of_its_own_and_the_page(tmp_path, capsys):
    assert main(["gpu", "evaluation", "--tiny", "--out", str(tmp_path)]) == 0, (
        capsys.readouterr().out
    )
    rows = json.loads((tmp_path / "gpu.json").read_text())["stages"]["evaluation"]["rows"]
    assert rows and all(isinstance(Measurement(**row).value, (int, float)) for row in rows)
    assert f"| {rows[0]['what']} |" in (tmp_path / "gpu.md").read_text()


def stage(result, calls):
    def run(name, limit, tiny):
        calls.append(name)
        return result

    return run


def test_what_ended_well_is_not_measured_again(tmp_path, monkeypatch):
    row = dict(what="x", value=1.0, unit="s", wanted=2.0, most=True, note="")
    calls, said = [], []
    good = dict(rows=[row], seconds=1.0, error="")
    bad = dict(rows=[], seconds=1.0, error="broke")
    file = tmp_path / "gpu.json"
    monkeypatch.setattr(campaign, "_stage", stage(bad, calls))
    campaign.run(["labels"], file, 1, True, False, said.append)
    assert said == ["labels: 1 s, broke"] and "broke" in campaign.page(json.loads(file.read_text()))
    monkeypatch.setattr(campaign, "_stage", stage(good, calls))
    for again in (False, False, True):
        kept = campaign.run(["labels"], file, 1, True, again, said.append)
    assert calls == ["labels"] * 3
    assert "| x | 1 s | ≤ 2 | yes |  |" in campaign.page(kept)
    campaign.run(["labels"], file, 1, False, False, said.append)  # another size: measured anew
    assert calls == ["labels"] * 4
    campaign.run(["tests"], file, 0, False, False, said.append)
    assert said[-1] == "tests: no time is left; run the command again" and len(calls) == 4


@pytest.mark.slow
def test_a_stage_that_fails_or_hangs_is_words():
    assert "KeyError" in campaign._stage("nobody/knows", 60, True)["error"]
    assert campaign._stage("labels", 0.01, True)["error"] == "ended by its limit of 0 s"


@pytest.mark.parametrize(
    "value, wanted, most, verdict",
    [(1, None, True, ""), (1, 2, True, "yes"), (3, 2, True, "no"), (3, 2, False, "yes"),
     (1, 2, False, "no"), (2, 2, True, "yes"), (2, 2, False, "yes")],
)  # fmt: skip
def test_verdicts(value, wanted, most, verdict):
    assert Measurement("x", value, "s", wanted, most).verdict == verdict


def test_without_a_gpu_only_tiny_sizes(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["gpu"]) == 2
    assert "--tiny tries every stage on a CPU" in capsys.readouterr().err
