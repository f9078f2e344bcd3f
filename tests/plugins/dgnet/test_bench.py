"""The benchmark of DG-Net's iteration gives times and memory of every way, on a GPU's page too."""

import pytest

from reidkit_plugins.dgnet import gpu

pytestmark = pytest.mark.slow


def test_small_run(monkeypatch):
    kept = []
    run = gpu.run
    monkeypatch.setattr(gpu, "run", lambda **options: kept.extend(run(**options)) or kept)
    measured = {row.what: row for row in gpu.iteration(tiny=True)}
    assert {row.unit for row in kept} == {"it/s", "MB"} and measured.keys() == {
        r.name for r in kept
    }
    memory = {row.name: row for row in kept if row.unit == "MB"}
    name = next(name for name in memory if "checkpointed" in name)
    assert memory[name].ratio > 2  # activations are computed again instead of kept
    assert len(kept) == 2 * len(memory)
    assert measured[name].wanted == 16 * 1024 and measured[name].value == memory[name].ours
    times = [row for row in measured.values() if row.unit == "times"]
    assert [row.wanted for row in times] == [2.0] + [None] * (len(times) - 1)
