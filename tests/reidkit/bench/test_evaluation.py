"""The ranking benchmark compares ways that give the same numbers."""

import numpy as np
import pytest

from reidkit.bench import evaluation as bench
from reidkit.bench.measure import extra_mb
from reidkit.bench.reranking import dense_distances, dense_k_reciprocal
from reidkit.evaluation import CosineMatcher, KReciprocal, LabelledEmbeddings, RankingEvaluator
from reidkit.structures import Embedding

SMALL = dict(n_query=60, n_gallery=400, dims=32, people=20, distractors=50)


def test_all_ways_score_the_same():
    data = bench.make_features(**SMALL, seed=1)
    table = -(data.query @ data.gallery.T)
    sort, loop = (w(table, data.q, data.g) for w in (bench.argsort_scores, bench.loop_scores))
    pairs = (data.query, data.q), (data.gallery, data.g)
    sides = [
        LabelledEmbeddings(Embedding(bench.torch.from_numpy(x)[:, None]), labels)
        for x, labels in pairs
    ]
    found = RankingEvaluator().evaluate(*sides, CosineMatcher()).metrics
    assert sort == pytest.approx((found["mAP"], found["R1"]), abs=1e-6) == loop
    assert bench._float64(data) == pytest.approx(found["mAP"], abs=1e-6)


def test_features_have_the_sizes_and_are_unit_vectors():
    data = bench.make_features(**SMALL)
    assert data.query.shape == (60, 32) and data.gallery.shape == (400, 32)
    assert (data.g.identities == 0).sum() == 50 and data.q.identities.min() >= 1
    np.testing.assert_allclose(np.linalg.norm(data.gallery, axis=1), 1, rtol=1e-5)


def test_memory_of_a_piece_of_work_is_seen():
    pieces = [np.ones(1 << 13) for _ in range(2048)]  # 128 MB of the heap, below the last one
    last = pieces.pop()
    del pieces  # free in this process, and still resident
    kept = [last]
    assert extra_mb(lambda: kept.append(np.ones(8 << 20))) >= 60


def test_the_dense_reference_is_what_we_compute():
    data = bench.make_features(n_query=20, n_gallery=90, dims=16, people=9, distractors=10)
    wanted = dense_k_reciprocal(
        dense_distances(np.concatenate([data.query, data.gallery])), 20, k1=8, k2=3
    )
    sides = [Embedding(bench.torch.from_numpy(x)[:, None]) for x in (data.query, data.gallery)]
    query, gallery, matcher = KReciprocal(8, 3).rerank(*sides, CosineMatcher(), *bench.METAS)
    np.testing.assert_allclose(matcher(query, gallery).numpy(), wanted, atol=1e-5)


def test_rows_of_a_device_are_the_same_kind_on_a_cpu():
    data = bench.make_features(**SMALL)
    names = [row.name for row in bench.on_device(data, "cpu")]
    assert names == ["features -> metrics on cpu", "k-reciprocal on cpu"]
    small = bench.on_device(data, "cpu", ", small")
    assert [row.name for row in small] == [f"{names[0]}, small"], "re-ranking only at full size"
    assert {row.unit for row in small} == {"s"} and not any(row.higher_is_better for row in small)


@pytest.mark.slow
def test_a_small_run_gives_every_row(capsys):
    rows = bench.run(quick=True)
    names = " | ".join(row.name for row in rows)
    for part in (
        "features -> metrics",
        "distances -> ranks",
        "TAR@FAR",
        "part-vis",
        "k-reciprocal",
    ):
        assert part in names
    assert all(row.baseline > 0 for row in rows)
    assert "largest difference" in capsys.readouterr().out
