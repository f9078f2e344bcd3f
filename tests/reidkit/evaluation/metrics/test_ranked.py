"""Metrics from ranks: worked numbers, an obvious reference, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from reidkit.evaluation.metrics import ranked as metrics
from reidkit.evaluation.metrics.ranked import hit_ranks

# pattern, step AP, trapezoid AP (MATLAB), INP
WORKED = [
    ("10001", 0.7000, 0.6625, 0.4000),
    ("01001", 0.4500, 0.2875, 0.4000),
    ("001", 0.3333, 0.1667, 0.3333),
    ("1101", 0.9167, 0.9028, 0.7500),
    ("01", 0.5000, 0.2500, 0.5000),
    ("0101", 0.5000, 0.3333, 0.5),  # junk removed: the Market rule
    ("00101", 0.3667, 0.2458, 0.4),  # junk left in
    ("1001011", 0.6429, None, None),  # no camera rule
    ("011", 0.5833, None, None),  # same-camera images of others removed too
]
EANET = [("010", 0.25, 0.5), ("01101", 0.461111, 0.588889), ("101001", 0.677778, 0.722222)]


def hits(pattern: str):
    return hit_ranks([int(c) for c in pattern])


@pytest.mark.parametrize(("pattern", "step", "official", "inp"), WORKED)
def test_worked_rankings(pattern, step, official, inp):
    assert metrics.average_precision(*hits(pattern))[0] == pytest.approx(step, abs=5e-5)
    if official is not None:
        found = metrics.average_precision_official(*hits(pattern))[0]
        assert found == pytest.approx(official, abs=5e-5)
        assert metrics.inverse_negative_penalty(*hits(pattern))[0] == pytest.approx(inp, abs=5e-5)


@pytest.mark.parametrize(("pattern", "official", "step"), [*EANET, ("100", 1.0, 1.0)])
def test_vectors_of_the_eanet_code(pattern, official, step):
    assert metrics.average_precision_official(*hits(pattern))[0] == pytest.approx(
        official, abs=1e-6
    )
    assert metrics.average_precision(*hits(pattern))[0] == pytest.approx(step, abs=1e-6)


def obvious(pattern):
    """Step AP, trapezoid AP (as Oxford's compute_ap) and INP by walking down the ranking."""
    found, step, official, last, old_recall, old_precision = 0, 0.0, 0.0, 0, 0.0, 1.0
    total = sum(pattern)
    for position, hit in enumerate(pattern, start=1):
        found += hit
        recall, precision = found / total, found / position
        step += precision * (recall - old_recall)
        official += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
        last = position if hit else last
    return step, official, total / last


patterns = st.lists(st.integers(0, 1), min_size=1, max_size=30).filter(any)


@given(st.lists(patterns, min_size=1, max_size=5))
def test_equal_to_the_walk_down_the_ranking(many):
    ranks, starts = hit_ranks(*many)
    wanted = np.array([obvious(p) for p in many])
    np.testing.assert_allclose(metrics.average_precision(ranks, starts), wanted[:, 0])
    np.testing.assert_allclose(metrics.average_precision_official(ranks, starts), wanted[:, 1])
    np.testing.assert_allclose(metrics.inverse_negative_penalty(ranks, starts), wanted[:, 2])


@given(patterns)
def test_step_rule_is_scikit_learns_without_ties(pattern):
    wanted = average_precision_score(pattern, -np.arange(len(pattern)))
    assert metrics.average_precision(*hit_ranks(pattern))[0] == pytest.approx(wanted)


@given(patterns)
def test_what_always_holds(pattern):
    ranking = hit_ranks(pattern)
    step = metrics.average_precision(*ranking)[0]
    official = metrics.average_precision_official(*ranking)[0]
    assert 0 < metrics.inverse_negative_penalty(*ranking)[0] <= 1
    assert 0 < official <= step + 1e-12 and step <= 1 + 1e-12
    curve = [metrics.cmc(*ranking, k)[0] for k in range(1, 40)]
    assert curve == sorted(curve) and curve[-1] == 1.0


def test_cmc_stays_at_its_last_value_when_fewer_images_remain():
    ranks, starts = hit_ranks([0, 1], [1])  # CUHK03 code elsewhere falls to 0 past the gallery
    assert [metrics.cmc(ranks, starts, k).mean() for k in (1, 2, 50)] == [0.5, 1.0, 1.0]


def test_bad_input_is_refused():
    ranks, starts = hit_ranks([0, 1], [1])
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        metrics.cmc(ranks, starts, 0)
    with pytest.raises(ValueError, match="starts must go from 0 to the number of ranks 2"):
        metrics.first_ranks(ranks, starts[:-1])
    with pytest.raises(ValueError, match="every query needs at least one positive"):
        metrics.average_precision(*hit_ranks([0, 1], [0]))
