"""CUHK03's classic test: the closed form against every possible gallery, and its sampling."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reidkit.evaluation import (
    LabelledEmbeddings,
    Labels,
    RankingEvaluator,
    match_labels,
    single_shot_cmc,
)
from reidkit.evaluation.matchers.precomputed import PrecomputedMatcher, RowIds
from reidkit.evaluation.protocols import PROTOCOLS

RULES = PROTOCOLS["cuhk03-single-shot"]
# own .1 .4 .6 .9, X .2 .3, Y .5 .8: exact R1 0.25 (only the own image at .1 is never beaten)
WORKED = [[0.1, 0.4, 0.6, 0.9, 0.2, 0.3, 0.5, 0.8]]
PEOPLE = [1, 1, 1, 1, 2, 2, 3, 3]


def chances(table, query, gallery, depth=4, **options):
    table = np.asarray(table, np.float32)
    truth = match_labels(RULES, query, gallery)
    sides = RowIds.arange(len(query)), RowIds.arange(len(gallery))
    return single_shot_cmc(
        *sides, truth, query, gallery, PrecomputedMatcher(table), depth, **options
    )


def every_gallery(row, identity, camera, gallery, depth):
    """P(rank <= k) by listing every choice of one image per person, ties in gallery order."""
    people: dict = {}
    for g, (i, c) in enumerate(zip(gallery.identities, gallery.cameras, strict=True)):
        if c != camera and i != -1:
            people.setdefault(("distractor", g) if i == 0 else i, []).append(g)
    own = people.pop(identity)
    hits, total = np.zeros(depth), 0
    for shown in itertools.product(own, *people.values()):
        order = sorted(shown, key=lambda g: (row[g], g))
        hits[order.index(shown[0]) :] += 1
        total += 1
    return hits / total


def test_the_worked_query():
    query, gallery = Labels([1], [0]), Labels(PEOPLE, [1] * 8)
    found = chances(WORKED, query, gallery)[0, 0]
    assert found[0] == 0.25
    np.testing.assert_allclose(found, every_gallery(WORKED[0], 1, 0, gallery, 4), atol=1e-12)


@st.composite
def cases(draw):
    n = draw(st.integers(1, 7))
    ints = lambda low, high: draw(st.lists(st.integers(low, high), min_size=n, max_size=n))  # noqa: E731
    row = ints(0, draw(st.sampled_from([1, 3, 1000])))
    return row, Labels(ints(-1, 3), ints(0, 2))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(cases())
def test_the_closed_form_equals_every_gallery(case):
    row, gallery = case
    query = Labels([1], [0])
    assume(((gallery.identities == 1) & (gallery.cameras != 0)).any())
    found = chances([row], query, gallery)
    wanted = every_gallery(row, 1, 0, gallery, 4)
    np.testing.assert_allclose(found[0, 0], wanted, atol=1e-12)
    assert (found[1] <= found[0] + 1e-12).all() and (found[0] <= found[2] + 1e-12).all()


def test_sampling_comes_close_and_is_a_function_of_the_seed():
    query, gallery = Labels([1] * 3, [0] * 3), Labels(PEOPLE, [1] * 8)
    table = WORKED * 3
    first, again = (chances(table, query, gallery, repeats=4000, seed=5) for _ in range(2))
    other = chances(table, query, gallery, repeats=4000, seed=6)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0, 0], first[0, 1]), "queries draw galleries of their own"
    np.testing.assert_allclose(first[0, :, 0], 0.25, atol=5 * np.sqrt(0.25 * 0.75 / 4000))


@pytest.mark.parametrize("repeats, spread", [(10, 0.140), (100, 0.042)])
def test_few_samples_scatter_as_measured(repeats, spread):
    query, gallery = Labels([1], [0]), Labels(PEOPLE, [1] * 8)
    found = [chances(WORKED, query, gallery, repeats=repeats, seed=s)[0, 0, 0] for s in range(400)]
    assert np.std(found) == pytest.approx(spread, rel=0.12)


@pytest.mark.parametrize("repeats", [None, 20])
def test_blocks_and_shares_change_nothing(repeats):
    rng = np.random.default_rng(0)
    people = np.arange(24) % 6 + 1
    query, gallery = Labels(people, np.arange(24) % 2), Labels(people, np.arange(24) // 6 % 2)
    table = rng.random((24, 24))
    whole = chances(table, query, gallery, repeats=repeats)
    small = chances(table, query, gallery, repeats=repeats, block_mb=1e-9)
    np.testing.assert_array_equal(whole, small)
    valid = match_labels(RULES, query, gallery).valid
    shares = [
        chances(table, query, gallery, repeats=repeats, queries=part)
        for part in np.array_split(valid, 3)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(shares, axis=1))


def test_the_evaluator_reports_cmc_only_and_how():
    query = LabelledEmbeddings(RowIds.arange(1), Labels([1], [0]))
    gallery = LabelledEmbeddings(RowIds.arange(8), Labels(PEOPLE, [1] * 8), "gallery")
    matcher = PrecomputedMatcher(WORKED)
    exact = RankingEvaluator("cuhk03-single-shot", topk=(1, 2)).evaluate(query, gallery, matcher)
    assert exact.metrics == {"R1": 0.25, "R2": (1 + 1 + 0.5 + 0) / 4}
    assert exact.protocol == "cuhk03-single-shot-v1 (exact)"
    assert exact.per_query["R1"].tolist() == [0.25] and exact.n_valid == 1
    drawn = RankingEvaluator("cuhk03-single-shot", single_shot="sampled", repeats=10, seed=3)
    result = drawn.evaluate(query, gallery, matcher)
    assert result.protocol == "cuhk03-single-shot-v1 (10 sampled galleries, seed 3)"
    assert "mAP" not in result.metrics and "R1" in result.report()
