"""The side by side of installed packages, with ourselves as the peer; seconds are not looked at."""

import sys
from functools import partial

import pytest

from reidkit.bench import peers
from reidkit.bench.peers import inputs, stage
from reidkit.bench.table import Row
from reidkit.errors import UserError

FEW = dict(n_query=20, n_gallery=80, dims=16, people=10, distractors=8)


@pytest.mark.slow
def test_turns_of_two_processes_on_the_same_arrays(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REIDKIT_BENCH_PYTHON", sys.executable)
    write = partial(inputs.write_features, sizes=FEW)
    same = stage.Task("metrics", ("reidkit",), write, memory=True, same=dict(reidkit=0))
    same.write(tmp_path / "inputs")
    rows = stage.compare("ranking", same, tmp_path / "inputs", repeats=1)
    assert [(row.name, row.baseline_name) for row in rows] == [
        ("metrics", "reidkit"),
        ("metrics, memory", "reidkit"),
    ]
    assert all(row.baseline > 0 and row.ours > 0 for row in rows[:1])
    out = capsys.readouterr().out
    assert "reidkit: mAP 0." in out or "reidkit: mAP 1." in out
    assert "1 repetitions" in out


@pytest.mark.slow
def test_a_peer_that_is_not_installed_is_left_out_and_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REIDKIT_BENCH_PYTHON", str(tmp_path / "no" / "python"))
    monkeypatch.setenv("REIDKIT_BENCH_TASKS", "ranking-quarter")
    assert peers.run(tiny=True) == []
    assert "oml is left out: no environment of peers; make peers" in capsys.readouterr().out
    monkeypatch.setenv("REIDKIT_BENCH_TASKS", "ranked")
    with pytest.raises(UserError, match="REIDKIT_BENCH_TASKS=ranked: no such task; try ranking"):
        peers.run(tiny=True)


def _turn(cpu, result):
    return dict(cpu=cpu, wall=cpu, mb=8.0 * cpu, result=result)


def test_medians_with_memory_and_rates():
    turns = [(_turn(theirs, None), _turn(ours, None)) for theirs, ours in [(4, 2), (6, 2), (5, 1)]]
    task = stage.Task("a", ("peer",), print, memory=True)
    assert stage._rows(task, "peer", turns) == [
        Row("a", "peer", 5.0, 2.0, "CPU s", higher_is_better=False),
        Row("a, memory", "peer", 48.0, 16.0, "MB", higher_is_better=False),
    ]
    rated = stage.Task("b", ("peer",), print, images=10)
    assert stage._rows(rated, "peer", turns) == [Row("b", "peer", 2.0, 5.0, "images/CPU s")]


@pytest.mark.parametrize(
    "theirs, ours", [(0.7, 0.71), ([[1.0, 0.0]], [[1.0, 0.5]]), (float("nan"), 0.7)]
)
def test_other_work_is_no_comparison(theirs, ours):
    task = stage.Task("a", ("peer",), print, same=dict(peer=0.005))
    stage._check(task, "peer", _turn(1, ours), _turn(1, ours))
    with pytest.raises(RuntimeError, match="a: peer does other work than ours"):
        stage._check(task, "peer", _turn(1, theirs), _turn(1, ours))
