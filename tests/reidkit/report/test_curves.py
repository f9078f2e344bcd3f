"""Numbers behind the charts are those that other libraries and plain loops give."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_curve as sklearn_roc

from reidkit.data.split import Trial
from reidkit.evaluation import CosineMatcher, LabelledEmbeddings, Labels, RankingEvaluator
from reidkit.evaluation.io.store import TestSet
from reidkit.report.curves import cmc_curve, histogram, joined_genuine, roc_curve, thresholds
from reidkit.report.people import confusions, hardest
from reidkit.report.ranking import rank_test
from reidkit.structures import Embedding


def store(count=240, people=12, noise=1.2, **options) -> TestSet:
    """Images of people around centres; every fourth is a query."""
    rng = np.random.default_rng(0)
    ids = np.arange(count) % people + 1
    vectors = rng.standard_normal((people + 1, 16))[ids] + noise * rng.standard_normal((count, 16))
    labels = Labels(ids, np.arange(count) // people % 3, [f"d/{i:03d}.jpg" for i in range(count)])
    whole = LabelledEmbeddings(Embedding(torch.from_numpy(vectors).float()[:, None]), labels)
    asked = np.arange(count) // people % 4 == 0
    query, gallery = whole[np.flatnonzero(asked)], whole[np.flatnonzero(~asked)]
    return TestSet(dict(query=query, gallery=replace(gallery, name="gallery")), **options)


@pytest.fixture(scope="module")
def ranking():
    return rank_test(RankingEvaluator(), store(), CosineMatcher())


def test_scores_are_the_evaluators(ranking):
    test = store()
    result = RankingEvaluator().evaluate(
        test.sides["query"], test.sides["gallery"], CosineMatcher()
    )
    np.testing.assert_array_equal(ranking.precision, result.per_query["AP"])
    curve = cmc_curve(ranking.first)
    assert [curve[k - 1] for k in (1, 5, 10)] == [result.metrics[f"R{k}"] for k in (1, 5, 10)]


def test_roc_is_scikit_learns(ranking):
    query, gallery = ranking.query, ranking.gallery
    distances = CosineMatcher()(query.embedding, gallery.embedding).numpy()
    same = query.labels.identities[:, None] == gallery.labels.identities
    junk = same & (query.labels.cameras[:, None] == gallery.labels.cameras)
    far, tar, _ = sklearn_roc(same[~junk], -distances[~junk], drop_intermediate=False)
    own_far, own_tar = roc_curve(ranking.verification)
    assert len(own_far) > 30
    exact = tar[np.searchsorted(far, own_far * (1 + 1e-9), "right") - 1]
    np.testing.assert_allclose(own_tar, exact, atol=0.005)


def test_histogram_counts_every_pair_once(ranking):
    counted = histogram(ranking.verification)
    assert counted.genuine.sum() == pytest.approx(1) and counted.impostor.sum() == pytest.approx(1)
    genuine = joined_genuine(ranking.verification)
    assert counted.n_genuine == len(genuine) == ranking.truth.n_positives.sum()
    middle = (counted.edges[:-1] + counted.edges[1:]) / 2
    assert counted.genuine @ middle == pytest.approx(genuine.mean(), abs=0.02)
    assert counted.genuine @ middle < counted.impostor @ middle


def test_thresholds_keep_their_rates(ranking):
    found = {one.name: one for one in thresholds(ranking.verification)}
    assert found["FAR 1 %"].far <= 0.01 < found["FAR 1 %"].far + 0.002
    assert found["FAR 0.1 %"].distance < found["FAR 1 %"].distance < found["EER"].distance


def test_hardest_and_confusions_count_queries(ranking):
    people = hardest(ranking, count=100)
    assert len(people) == 12 and sum(one.queries for one in people) == len(ranking.truth.valid)
    scores = [one.precision for one in people]
    assert scores == sorted(scores)
    wrong = sum(one.count for one in confusions(ranking, count=1000))
    assert 0 < wrong == (ranking.first > 1).sum()
    assert all(one.name != one.other for one in confusions(ranking))


def test_of_several_trials_the_first_is_shown():
    trial = Trial(np.arange(10), np.arange(170), "one")
    test = store(trials=[trial, Trial(np.arange(30), np.arange(180), "two")])
    ranking = rank_test(RankingEvaluator(), test, CosineMatcher())
    assert len(ranking.query) == 10 and len(ranking.gallery) == 170
    assert "first of 2 trials" in ranking.notes[0]


def test_images_keep_their_row_through_protocols_that_move_them():
    test = store()
    both = test.sides["query"].labels.paths[0]
    test.sides["gallery"].labels.paths[3] = both
    ranking = rank_test(RankingEvaluator("mars-minus-queries"), test, CosineMatcher())
    assert len(ranking.gallery) == len(test.sides["gallery"]) - 1
    path = ranking.gallery.labels.paths[3]
    assert (path.side, path.row) == ("gallery", 4)


def test_local_evidence_is_the_distance_part_by_part(ranking):
    from reidkit.evaluation import VisiblePartsMatcher
    from reidkit.report.evidence import evidence, has_evidence

    assert not has_evidence(ranking)
    test = store()
    for name, side in test.sides.items():
        seen = torch.rand(len(side), 4, generator=torch.Generator().manual_seed(len(side)))
        parts = Embedding(side.embedding.vectors.view(-1, 4, 4), seen)
        test.sides[name] = LabelledEmbeddings(parts, side.labels, name)
    ranked = rank_test(RankingEvaluator(), test, VisiblePartsMatcher())
    assert has_evidence(ranked)
    mate, other = evidence(ranked, 5)
    assert mate.is_positive and not other.is_positive
    weights = sum(p.visible for p in mate.parts)
    total = sum(p.visible * p.distance for p in mate.parts) / weights
    assert total == pytest.approx(mate.distance, abs=1e-5)
