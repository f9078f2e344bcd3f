"""Streamed ranking against an obvious one: ties, junk, distractors, block sizes, devices."""

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from reidkit.errors import UserError
from reidkit.evaluation import (
    CosineMatcher,
    EuclideanMatcher,
    Labels,
    match_labels,
    score,
)
from reidkit.evaluation.matchers.precomputed import PrecomputedMatcher, RowIds
from reidkit.evaluation.protocols import PROTOCOLS
from reidkit.evaluation.ranking import counting, counting_device
from reidkit.evaluation.ranking import ranks as ranking
from reidkit.evaluation.ranking.reference import reference_ranks
from reidkit.structures import Embedding

MARKET = PROTOCOLS["market"]


def run(table, query, gallery, protocol=MARKET, block_mb=64.0, **options):
    table = np.asarray(table, np.float32)
    truth = match_labels(protocol, query, gallery)
    q, g = RowIds.arange(len(query)), RowIds.arange(len(gallery))
    ranks = ranking.rank_positives(q, g, truth, PrecomputedMatcher(table), block_mb)
    return score(ranks, truth, protocol, "PrecomputedMatcher", **options)


def labels(identities, cameras, paths=None) -> Labels:
    return Labels(np.asarray(identities, np.int64), np.asarray(cameras, np.int64), paths)


def obvious(table, query, gallery, order, across_cameras=True):
    """AP by both rules, INP and first rank per query: sort, leave junk out, walk down.

    ``order`` places images at equal distance: "gallery", "best" or "worst" case.
    """
    rows = []
    for q, row in enumerate(table):
        ranked = []
        for g, distance in enumerate(row):
            same = gallery.identities[g] == query.identities[q]
            out = same and (
                gallery.cameras[g] == query.cameras[q]
                if across_cameras
                else gallery.paths[g] == query.paths[q]
            )
            if gallery.identities[g] == -1 or out:
                continue
            right = bool(same and query.identities[q] > 0)
            tie = {"gallery": g, "best": not right, "worst": right}[order]
            ranked.append((float(distance), tie, right))
        hits = [right for _, _, right in sorted(ranked)]
        if not any(hits):
            continue
        n, found, step, official, last = sum(hits), 0, 0.0, 0.0, 0
        for i, hit in enumerate(hits):
            if hit:
                before = found / i if i else 1.0
                found, last = found + 1, i + 1
                step += found / (i + 1) / n
                official += (before + found / (i + 1)) / 2 / n
        rows.append((step, official, n / last, hits.index(True) + 1))
    return np.array(rows).reshape(-1, 4)


@st.composite
def cases(draw):
    n_query, n_gallery = draw(st.integers(1, 6)), draw(st.integers(1, 20))
    ints = lambda low, high, n: st.lists(st.integers(low, high), min_size=n, max_size=n)  # noqa: E731
    levels = draw(st.sampled_from([1, 3, 1000]))  # all tied, many ties, few
    table = [draw(ints(0, levels, n_gallery)) for _ in range(n_query)]
    query = labels(draw(ints(0, 4, n_query)), draw(ints(0, 2, n_query)))
    gallery = labels(draw(ints(-1, 4, n_gallery)), draw(ints(0, 2, n_gallery)))
    named = [
        Labels(side.identities, side.cameras, [f"{draw(st.integers(0, 9))}.jpg" for _ in range(n)])
        for side, n in ((query, n_query), (gallery, n_gallery))
    ]
    return np.array(table, np.float32), *named


def check_against_obvious(case, protocol):
    table, query, gallery = case
    across = protocol.across_cameras
    wanted = obvious(table, query, gallery, "gallery", across)
    result = run(table, query, gallery, protocol) if len(wanted) else None
    if result is None:
        assert len(match_labels(protocol, query, gallery).invalid) == len(query)
        return
    found = np.stack([result.per_query[n] for n in ("AP", "AP_official", "INP", "first_rank")], 1)
    valid = ~np.isnan(found[:, 0])
    np.testing.assert_allclose(found[valid], wanted, rtol=1e-12)
    assert result.n_valid == len(wanted) == len(query) - len(result.invalid)
    names = ("mAP", "mAP_official", "mINP")
    means = np.array([result.metrics[n] for n in names])
    np.testing.assert_allclose(means, wanted[:, :3].mean(0), rtol=1e-12)
    for side, order in ((0, "worst"), (1, "best")):
        limit = obvious(table, query, gallery, order, across)[:, :3].mean(0)
        np.testing.assert_allclose([result.bounds[n][side] for n in names], limit, rtol=1e-12)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(cases())
def test_market_equals_sorting_and_walking(case):
    check_against_obvious(case, MARKET)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_single_camera_equals_sorting_and_walking(case):
    check_against_obvious(case, PROTOCOLS["single-camera"])


@settings(max_examples=100, deadline=None)
@given(cases())
def test_ranks_are_those_of_the_reference(case):
    table, query, gallery = case
    truth = match_labels(MARKET, query, gallery)
    sides = RowIds.arange(len(query)), RowIds.arange(len(gallery))
    found = ranking.rank_positives(*sides, truth, PrecomputedMatcher(table))
    wanted = reference_ranks(table, truth)
    for name in ("starts", "ranks", "lowest", "highest"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


@settings(max_examples=60, deadline=None)
@given(cases(), st.sampled_from([1, 20, counting_device.STRIP]))
def test_whole_block_operations_count_the_same(case, strip):
    table, query, gallery = case
    truth = match_labels(MARKET, query, gallery)
    members = truth.valid
    if len(members):
        values = torch.from_numpy(table[members])
        wanted = counting.count_cpu(values.clone(), members, truth)
        with mock.patch.object(counting_device, "STRIP", strip):
            found = counting_device.count_device(values.clone(), members, truth)
        for one, two in zip(wanted, found, strict=True):
            np.testing.assert_array_equal(one, two)


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(1, 3))
def test_results_do_not_depend_on_the_block_size(case, rows):
    table, query, gallery = case
    truth = match_labels(MARKET, query, gallery)
    arguments = (
        RowIds.arange(len(query)),
        RowIds.arange(len(gallery)),
        truth,
        PrecomputedMatcher(table),
    )
    wanted = ranking.rank_positives(*arguments)
    found = ranking.rank_positives(*arguments, block_mb=rows * 4 * len(gallery) / 2**20)
    for name in ("starts", "ranks", "lowest", "highest"):
        np.testing.assert_array_equal(getattr(wanted, name), getattr(found, name))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_bounds_and_untied_results_do_not_depend_on_the_order_of_files(case, random):
    table, query, gallery = case
    truth = match_labels(MARKET, query, gallery)
    if len(truth.invalid) == len(query):
        return
    turn = list(range(len(gallery)))
    random.shuffle(turn)
    shuffled = labels(gallery.identities[turn], gallery.cameras[turn])
    first, second = run(table, query, gallery), run(table[:, turn], query, shuffled)
    for name, (low, high) in first.bounds.items():
        assert second.bounds[name] == pytest.approx((low, high), rel=1e-12)
        assert low - 1e-12 <= first.metrics[name] <= high + 1e-12


def test_the_worked_market_query():
    # ranking (identity, camera): (7,1) (-1,3) (0,2) (7,2) (5,1) (7,1) (7,3)
    gallery = labels([7, -1, 0, 7, 5, 7, 7], [1, 3, 2, 2, 1, 1, 3])
    result = run([np.arange(7)], labels([7], [1]), gallery)
    assert result.metrics["mAP"] == 0.5
    assert result.metrics["mAP_official"] == pytest.approx(1 / 3)
    assert (result.metrics["mINP"], result.metrics["R1"], result.metrics["R5"]) == (0.5, 0.0, 1.0)
    assert (result.n_gallery, result.n_junk) == (6, 1)
    as_distractor = labels(
        np.where(gallery.identities == -1, 99, gallery.identities), gallery.cameras
    )
    left_in = run([np.arange(7)], labels([7], [1]), as_distractor)
    assert left_in.metrics["mAP"] == pytest.approx(0.3667, abs=5e-5)
    assert left_in.metrics["mAP_official"] == pytest.approx(0.2458, abs=5e-5)


@pytest.mark.parametrize("turn", [[0, 1], [1, 0]])
def test_small_galleries_where_compiled_peers_give_cmc_half(turn):
    table = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])[turn]
    query = labels(np.array([2, 1])[turn], [0, 0])
    result = run(table, query, labels([1, 9, 2, 2], [1, 1, 1, 0]), topk=(1, 2, 3, 4))
    assert [result.metrics[f"R{k}"] for k in (1, 2, 3, 4)] == [1.0] * 4


def test_cmc_past_the_number_of_identities_stays_at_one():
    people = np.arange(1, 21)
    table = 1.0 - np.eye(20)
    result = run(table, labels(people, people * 0), labels(people, people * 0 + 1), topk=(20, 50))
    assert (result.metrics["R20"], result.metrics["R50"]) == (1.0, 1.0)


def test_ties_are_reported_between_best_and_worst():
    # scores .9 .9 .5 .1 for images 1 0 1 0: in gallery order .8333, worst .5833
    result = run([[0.1, 0.1, 0.5, 0.9]], labels([1], [0]), labels([1, 2, 1, 3], [1, 1, 1, 1]))
    assert result.metrics["mAP"] == pytest.approx(0.8333, abs=5e-5)
    assert result.bounds["mAP"] == pytest.approx((0.5833, 0.8333), abs=5e-5)


@pytest.mark.parametrize("place", [0, 1, 7, 19])
def test_equal_distances_give_the_full_range_wherever_the_right_image_lies(place):
    identities = np.full(20, 5)
    identities[place] = 1
    result = run([[1.0] * 20], labels([1], [0]), labels(identities, identities * 0 + 1))
    assert result.metrics["mAP"] == pytest.approx(1 / (place + 1))
    assert result.bounds["mAP"] == pytest.approx((0.05, 1.0))
    assert result.tied["mAP"] == result.bounds["mAP"]


def test_embeddings_give_the_same_ranks_as_float64_distances():
    generator = torch.Generator().manual_seed(3)
    people = np.repeat(np.arange(1, 41), 6)
    centres = torch.randn(41, 64, generator=generator)
    vectors = centres[people] + 1.5 * torch.randn(240, 64, generator=generator)
    side = np.arange(240) % 6 < 2
    cameras = np.arange(240) % 3
    unit = nn.functional.normalize(vectors.double(), dim=1).numpy()
    query, gallery = (labels(people[m], cameras[m]) for m in (side, ~side))
    exact = run(-unit[side] @ unit[~side].T, query, gallery)
    truth = match_labels(MARKET, query, gallery)
    parts = Embedding(vectors[side][:, None]), Embedding(vectors[~side][:, None])
    for block_mb in (64, 0.001, 1e-9):
        ranks = ranking.rank_positives(*parts, truth, CosineMatcher(), block_mb)
        found = score(ranks, truth, MARKET, "CosineMatcher")
        assert found.metrics == pytest.approx(exact.metrics, abs=1e-5)


@pytest.mark.gpu
def test_a_gpu_gives_the_same_ranks():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randint(-3, 4, (300, 1, 16), generator=generator).float()  # exact products
    people = np.arange(300) % 30 + 1
    sides = labels(people[:60], people[:60] % 4), labels(people[60:], np.arange(240) % 5)
    truth = match_labels(MARKET, *sides)
    query, gallery = Embedding(vectors[:60]), Embedding(vectors[60:])
    wanted = ranking.rank_positives(query, gallery, truth, EuclideanMatcher())
    on_gpu = ranking.rank_positives(query.to("cuda"), gallery.to("cuda"), truth, EuclideanMatcher())
    for name in ("starts", "ranks", "lowest", "highest"):
        np.testing.assert_array_equal(getattr(wanted, name), getattr(on_gpu, name))


def test_memory_is_that_of_one_block():
    sizes = []

    class Watching(PrecomputedMatcher):
        def compare(self, query, gallery, out=None):
            sizes.append(len(query) * len(gallery) * 4)
            return super().compare(query, gallery, out)

    people = np.arange(1, 65)
    sides = labels(people, people * 0), labels(people, people * 0 + 1)
    matcher = Watching(np.random.default_rng(0).random((64, 64)))
    ranking.rank_positives(
        RowIds.arange(64), RowIds.arange(64), match_labels(MARKET, *sides), matcher, block_mb=2**-10
    )
    assert len(sizes) == 16 and max(sizes) == 1024


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_distances_that_are_no_numbers_are_refused(value):
    with pytest.raises(
        UserError, match="matcher PrecomputedMatcher gave 1 distances that are NaN or inf"
    ):
        run([[0.1, value]], labels([1], [0]), labels([1, 2], [1, 1]))


def test_large_distances_are_ranked():
    small = np.random.default_rng(0).random((6, 20)).astype(np.float32)
    query, gallery = labels(range(6), [0] * 6), labels([*range(6)] * 3 + [0, 0], [1] * 20)
    results = [
        run(table, query, gallery).metrics for table in (small, small * np.float32(2.0**120))
    ]
    assert results[0] == results[1]


def test_matchers_that_return_something_else_are_refused():
    class Wrong(nn.Module):
        def forward(self, query, gallery):
            return torch.zeros(len(gallery), len(query))

    sides = labels([1], [0]), labels([1, 2], [1, 1])
    with pytest.raises(ValueError, match=r"Wrong must return \(1, 2\) float32, got \(2, 1\)"):
        ranking.rank_positives(
            RowIds.arange(1), RowIds.arange(2), match_labels(MARKET, *sides), Wrong()
        )


def test_a_process_without_queries_adds_nothing():
    query, gallery = labels([1, 2], [0, 0]), labels([1, 2, 3], [1, 1, 1])
    truth = match_labels(MARKET, query, gallery)
    table, sides = np.arange(6.0).reshape(2, 3), (RowIds.arange(2), RowIds.arange(3))
    whole, none = (
        ranking.rank_positives(*sides, truth, PrecomputedMatcher(table), queries=queries)
        for queries in (None, np.zeros(0, np.int64))
    )
    joined = ranking.Ranks.join([none, whole, none])
    for name in ("starts", "ranks", "lowest", "highest"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
