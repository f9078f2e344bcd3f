"""The benchmark of matching runs, and its ways agree."""

import pytest

from reidkit.utils.processor import has_bf16_units
from reidkit_plugins.qaconv.bench import run


@pytest.mark.slow
def test_a_small_run(capsys):
    rows = run(n_query=2, n_gallery=64, times=1)
    units = has_bf16_units()  # a row of its own
    assert [row.baseline_name for row in rows] == [
        "einsum, max with places",
        "bare product of the blocks",
        "einsum, max with places",
        *["einsum, max with places"] * units,
        "its matcher in memory",
    ]
    out = capsys.readouterr().out
    assert ("of the top 50 places as in float32" in out) == units
    assert "shortlist of 32 of 64: keeps" in out
