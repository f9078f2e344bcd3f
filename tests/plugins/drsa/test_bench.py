"""The video benchmark runs and compares ways that agree."""

from reidkit_plugins.drsa import bench as drsa


def test_quick_run():
    rows = drsa.run(quick=True)
    assert len(rows) == 6 and all(row.ours > 0 and row.baseline > 0 for row in rows)
    memory = [row for row in rows if row.unit == "MB"]
    assert len(memory) == 3 and all(row.ratio > 1 for row in memory)
