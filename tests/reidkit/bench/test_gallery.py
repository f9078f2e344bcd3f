"""The table of gallery searches, at a size that takes no time; seconds are not looked at."""

import math

import pytest

from reidkit.bench import gallery


@pytest.mark.slow
def test_a_small_table(monkeypatch):
    monkeypatch.setenv("REIDKIT_BENCH_SIZES", "1500")
    monkeypatch.setenv("REIDKIT_BENCH_PEERS", "FAISS flat")
    monkeypatch.delenv("REIDKIT_BENCH_PYTHON", raising=False)
    rows = gallery.run()
    peers = [row for row in rows if row.baseline_name.startswith("FAISS")]
    missing = [row for row in peers if "not installed" in row.baseline_name]
    assert len(missing) == 1 or all("recall 1.000" in row.name for row in peers)
    assert all(math.isnan(row.ratio) for row in missing)
    assert [row.name for row in rows if "visible parts" in row.name] == [
        "375 of 8 visible parts: one query",
        "375 of 8 visible parts: 64 queries",
    ]
