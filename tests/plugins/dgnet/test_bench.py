"""The benchmark of DG-Net's iteration gives times and memory of every way."""

import pytest

from reidkit_plugins.dgnet import bench as dgnet

pytestmark = pytest.mark.slow


def test_small_run():
    rows = dgnet.run(steps=1, full=False)
    assert {row.unit for row in rows} == {"it/s", "MB"}
    memory = {row.name: row for row in rows if row.unit == "MB"}
    name = next(name for name in memory if "checkpointed" in name)
    assert memory[name].ratio > 2  # activations are computed again instead of kept
    assert len(rows) == 2 * len(memory)
