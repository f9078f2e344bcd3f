import pytest

from reidkit.bench import rendering


@pytest.mark.slow
def test_every_preset_is_measured():
    rows = rendering.run(crops=2)
    assert len(rows) == 2 * len(rendering.PRESETS) and all(row.ours > 0 for row in rows)
