"""The video benchmark runs and compares ways that agree."""

from reidkit_plugins.drsa import bench as drsa


def test_quick_run():
    rows = drsa.run(quick=True)
    assert [row.unit for row in rows] == ["s", "MB", "s", "MB", "MB", "tracklets/s"]
    memory = [row for row in rows if row.unit == "MB"]
    assert len(memory) == 3 and all(row.ratio > 1 for row in memory)
