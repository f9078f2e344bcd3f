"""The benchmark of the local streams runs and compares like with like; no timing is asserted."""

from reidkit_plugins.jlml.bench import run


def test_it_gives_both_rates():
    small = dict(width=8, blocks=(1, 1), strides=(1, 2))
    rows = run(steps=1, sizes=[("tiny", small, 2, (64, 32))])
    assert [r.name for r in rows] == [
        f"tiny: {what}, {count} at a time"
        for what, count in (("training", 2), ("training", 4), ("embedding", 4))
    ]
