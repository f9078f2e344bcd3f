"""Verification and open-set search against every pair written out, and against scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from reidkit.errors import UserError
from reidkit.evaluation import (
    CosineMatcher,
    EuclideanMatcher,
    LabelledEmbeddings,
    Labels,
    Matcher,
    PrecomputedMatcher,
    RankingEvaluator,
    RowIds,
    match_labels,
)
from reidkit.evaluation.metrics.verification import Verification, highest_threshold
from reidkit.evaluation.protocols import PROTOCOLS
from reidkit.evaluation.ranking.ranks import rank_positives
from reidkit.structures import Embedding

MARKET = PROTOCOLS["market"]


class Bounded(PrecomputedMatcher):
    bounds = (0.0, 8.0)


def every_pair(table, query, gallery):
    """(genuine, impostor, best mate, nearest impostor, mate in the gallery) by loops."""
    genuine, impostor, mates, nearest, present = [], [], [], [], []
    for q, row in enumerate(table):
        if query.identities[q] < 1:
            continue
        own, others = [], []
        for g, distance in enumerate(row):
            if gallery.identities[g] == -1:
                continue
            if gallery.identities[g] != query.identities[q]:
                others.append(distance)
            elif gallery.cameras[g] != query.cameras[q]:
                own.append(distance)
        genuine += own
        impostor += others
        mates.append(min(own, default=np.inf))
        nearest.append(min(others, default=np.inf))
        present.append(bool((gallery.identities == query.identities[q]).any()))
    return [np.array(x) for x in (genuine, impostor, mates, nearest, present)]


def obvious_tar(genuine, impostor, far):
    """The most genuine pairs that any threshold accepts with FAR at most ``far``."""
    best = 0.0
    for t in [-np.inf, *genuine, *impostor]:
        if np.mean(impostor <= t) <= far + 1e-12:
            best = max(best, np.mean(genuine <= t))
    return best


def obvious_fnir(mates, nearest, present, fpir):
    alarms = nearest[~present] if (~present).any() else nearest[mates < np.inf]
    own = mates[mates < np.inf]
    best = 1.0
    for t in [-np.inf, *own, *alarms[alarms < np.inf]]:
        if np.mean(alarms <= t) <= fpir + 1e-12:
            best = min(best, np.mean(own > t))
    return best


@st.composite
def cases(draw):
    n_query, n_gallery = draw(st.integers(1, 6)), draw(st.integers(1, 16))
    ints = lambda low, high, n: draw(st.lists(st.integers(low, high), min_size=n, max_size=n))  # noqa: E731
    levels = draw(st.sampled_from([1, 3, 63]))
    table = np.array([ints(0, levels, n_gallery) for _ in range(n_query)], np.float32) / 8
    query = Labels(ints(0, 4, n_query), ints(0, 2, n_query))
    return table, query, Labels(ints(-1, 4, n_gallery), ints(0, 2, n_gallery))


RATES = (0.0, 0.1, 0.25, 0.5, 1.0)


@settings(max_examples=200, deadline=None)
@given(cases(), st.booleans())
@pytest.mark.slow
def test_equal_to_every_pair(case, device_way):
    table, query, gallery = case
    truth = match_labels(MARKET, query, gallery)
    genuine, impostor, mates, nearest, present = every_pair(*case)
    assume(len(genuine) and len(impostor))
    seen = Verification(0.0, 8.0, truth.n_impostors(truth.people) + 2)
    if device_way:
        seen._add_chunk = lambda chunk: seen._add_device(torch.from_numpy(chunk))
    sides = RowIds.arange(len(query)), RowIds.arange(len(gallery))
    rank_positives(*sides, truth, Bounded(table), 64, truth.people, seen)
    assert truth.n_impostors(truth.people) == len(impostor) == seen.counts.sum()
    np.testing.assert_array_equal(np.sort(np.concatenate(seen.genuine)), np.sort(genuine))
    for rate in RATES:
        found = seen.tar_at_far(rate)
        assert found["tar"] == pytest.approx(obvious_tar(genuine, impostor, rate))
        assert found["reached"] <= rate + 1e-12
        found = seen.fnir_at_fpir(rate, truth.without_mate)
        assert found["fnir"] == pytest.approx(obvious_fnir(mates, nearest, present, rate))


def data(count=240, seed=0, parts=1):
    rng = np.random.default_rng(seed)
    people = np.arange(count) % 24 + 1
    vectors = rng.standard_normal((25, parts, 12))[people] + 0.9 * rng.standard_normal(
        (count, parts, 12)
    )
    embedding = Embedding(torch.from_numpy(vectors.astype(np.float32)))
    query = np.arange(count) < count // 4
    labels = Labels(people, rng.integers(0, 4, count))
    return LabelledEmbeddings(embedding, labels)[query], LabelledEmbeddings(
        embedding, labels, "gallery"
    )[~query]


@pytest.mark.parametrize("matcher", [CosineMatcher(), EuclideanMatcher()])
def test_agrees_with_scikit_learn(matcher):
    query, gallery = data()
    table = matcher(query.embedding, gallery.embedding).numpy()
    genuine, impostor = every_pair(table, query.labels, gallery.labels)[:2]
    truth = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    fpr, tpr, _ = roc_curve(truth, -np.r_[genuine, impostor], drop_intermediate=False)
    rates = (1e-3, 1e-2, 1e-1)
    found = RankingEvaluator(far_targets=rates).evaluate(query, gallery, matcher).verification
    assert (found["n_genuine"], found["n_impostor"]) == (len(genuine), len(impostor))
    for entry in found["tar_at_far"]:
        assert entry["tar"] == pytest.approx(tpr[fpr <= entry["far"]].max(), abs=2e-3)
        accepted = np.mean(genuine <= entry["threshold"])
        assert accepted == pytest.approx(entry["tar"], abs=2e-3)
    gap = np.argmin(np.abs(fpr - (1 - tpr)))
    assert found["eer"] == pytest.approx((fpr[gap] + 1 - tpr[gap]) / 2, abs=2e-3)


def test_the_peers_name_for_it_is_another_number():
    # fast-reid scores distances with impostors as positives: its "TPR@FPR" is 1 - FAR at an FRR
    genuine, impostor = np.array([0.1, 0.2, 0.3, 0.6]), np.array([0.25, 0.5, 0.7, 0.8, 0.9])
    seen = Verification(0.0, 1.0, 10, [genuine], impostor.astype(np.float32))
    seen.counts[:5] = 1
    assert seen.tar_at_far(0.2)["tar"] == 0.75
    truth = np.r_[np.zeros(4), np.ones(5)]
    fpr, tpr, _ = roc_curve(truth, np.r_[genuine, impostor], drop_intermediate=False)
    assert tpr[fpr <= 0.2].max() == pytest.approx(0.6)


@pytest.mark.parametrize("block_mb", [64, 0.001])
def test_verification_does_not_change_the_ranking_nor_depend_on_blocks(block_mb):
    query, gallery = data(parts=2)
    plain = RankingEvaluator().evaluate(query, gallery, CosineMatcher())
    options = dict(far_targets=(0.01,), fpir_targets=(0.1,))
    whole = RankingEvaluator(**options).evaluate(query, gallery, CosineMatcher())
    small = RankingEvaluator(**options, block_mb=block_mb).evaluate(query, gallery, CosineMatcher())
    assert whole.metrics == plain.metrics == small.metrics
    for name in ("n_genuine", "n_impostor"):
        assert whole.verification[name] == small.verification[name]
    for name in ("eer", "eer_threshold"):
        assert whole.verification[name] == pytest.approx(small.verification[name], abs=1e-4)
    assert "TAR" in whole.report() and "FNIR" in whole.report()


def test_matchers_that_cannot_finish_are_compared_instead():
    class Inherited(CosineMatcher):
        def order(self, query, gallery, out=None):
            return super().order(query, gallery, out) * 2

    assert CosineMatcher().finishes and EuclideanMatcher().finishes and Matcher().finishes
    assert not Inherited().finishes
    query, gallery = data()
    wanted = RankingEvaluator(far_targets=(0.01,)).evaluate(query, gallery, CosineMatcher())

    class Slow(Inherited):
        def compare(self, query, gallery, out=None):
            return self.finish(CosineMatcher.order(self, query, gallery, out), query)

    found = RankingEvaluator(far_targets=(0.01,)).evaluate(query, gallery, Slow())
    assert not Slow().finishes
    assert found.verification["eer"] == pytest.approx(wanted.verification["eer"], abs=1e-5)


def test_shares_join_to_the_whole():
    query, gallery = data()
    truth = match_labels(MARKET, query.labels, gallery.labels)
    table = CosineMatcher()(query.embedding, gallery.embedding).numpy()
    sides = RowIds.arange(len(query)), RowIds.arange(len(gallery))

    def gather(queries):
        seen = Verification(0.0, 2.0, 60)
        rank_positives(*sides, truth, PrecomputedMatcher(table), 64, queries, seen)
        return seen

    whole = gather(truth.people)
    joined = Verification.join([gather(p) for p in np.array_split(truth.people, 3)])
    rates = (0.001, 0.004), (0.0, 0.2), truth.without_mate
    assert joined.summary(*rates) == whole.summary(*rates)


def test_thresholds_accept_at_most_the_rate_asked_for():
    values = np.float32([0.5, 0.1, 0.1, 0.9])
    assert highest_threshold(values, 0.0, 4) < np.float32(0.1)
    assert highest_threshold(values, 0.3, 4) < np.float32(0.1), "a tie is not split"
    assert np.float32(0.1) <= highest_threshold(values, 0.5, 4) < np.float32(0.5)
    assert highest_threshold(values, 1.0, 4) == np.finfo(np.float32).max


def test_single_shot_protocols_have_no_pairs_to_verify():
    query, gallery = data()
    with pytest.raises(UserError, match="far_targets, fpir_targets and camera_pairs are of whole"):
        RankingEvaluator("cuhk03-single-shot", far_targets=(0.01,)).evaluate(
            query, gallery, CosineMatcher()
        )


def test_camera_pairs_are_scored_in_galleries_of_one_camera():
    query, gallery = data()
    result = RankingEvaluator(camera_pairs=True).evaluate(query, gallery, CosineMatcher())
    assert {(x["query_camera"], x["gallery_camera"]) for x in result.camera_pairs} == {
        (a, b) for a in range(4) for b in range(4) if a != b
    }
    pair = next(x for x in result.camera_pairs if x["query_camera"] == 2)
    alone = RankingEvaluator().evaluate(
        query[query.labels.cameras == 2],
        gallery[gallery.labels.cameras == pair["gallery_camera"]],
        CosineMatcher(),
    )
    assert (pair["mAP"], pair["R1"], pair["n_valid"]) == (
        pytest.approx(alone.metrics["mAP"]), alone.metrics["R1"], alone.n_valid,
    )  # fmt: skip
    assert "camera of query, of gallery" in result.report()
