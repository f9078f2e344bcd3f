"""The ranking benchmark compares ways that give the same numbers."""

import numpy as np
import pytest

from reidkit.bench import evaluation as bench
from reidkit.evaluation import CosineMatcher, RankingEvaluator, Side
from reidkit.structures import Embedding

SMALL = dict(n_query=60, n_gallery=400, dims=32, people=20, distractors=50)


def test_all_ways_score_the_same():
    data = bench.make_features(**SMALL, seed=1)
    table = -(data.query @ data.gallery.T)
    sort, loop = (w(table, data.q, data.g) for w in (bench.argsort_scores, bench.loop_scores))
    pairs = (data.query, data.q), (data.gallery, data.g)
    sides = [Side(Embedding(bench.torch.from_numpy(x)[:, None]), labels) for x, labels in pairs]
    found = RankingEvaluator().rank(*sides, CosineMatcher()).metrics
    assert sort == pytest.approx((found["mAP"], found["R1"]), abs=1e-6) == loop
    assert bench._float64(data) == pytest.approx(found["mAP"], abs=1e-6)


def test_features_have_the_sizes_and_are_unit_vectors():
    data = bench.make_features(**SMALL)
    assert data.query.shape == (60, 32) and data.gallery.shape == (400, 32)
    assert (data.g.identities == 0).sum() == 50 and data.q.identities.min() >= 1
    np.testing.assert_allclose(np.linalg.norm(data.gallery, axis=1), 1, rtol=1e-5)


def test_memory_of_a_piece_of_work_is_seen():
    kept = []
    assert bench.extra_mb(lambda: kept.append(np.ones(8 << 20))) >= 60
