"""The benchmark of matching runs, and its ways agree."""

from reidkit.bench.qaconv import run


def test_a_small_run(capsys):
    rows = run(n_query=2, n_gallery=64, times=1)
    assert [row.baseline_name for row in rows] == [
        "einsum, max with places",
        "bare product of the blocks",
        "einsum, max with places",
    ]
    assert all(row.baseline > 0 and row.ours > 0 for row in rows)
    assert "shortlist of 32 of 64: keeps" in capsys.readouterr().out
