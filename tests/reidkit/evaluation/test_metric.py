"""Metrics in someone else's loop against the evaluator."""

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.evaluation import (
    EuclideanMatcher,
    LabelledEmbeddings,
    Labels,
    RankingEvaluator,
    RankingMetric,
    ranking_metrics,
)
from reidkit.structures import Embedding

MARKS = dict(junk=-1, distractor=0)  # as `data` draws them


def data(seed=0, n_query=12, n_gallery=40):
    rng = np.random.default_rng(seed)
    return [
        (
            torch.from_numpy(rng.standard_normal((n, 6), np.float32)),
            rng.integers(low, 6, n),
            rng.integers(0, 3, n),
        )
        for n, low in ((n_query, 1), (n_gallery, -1))
    ]


@pytest.mark.parametrize("protocol", ["market", "single-camera"])
def test_batches_give_what_the_evaluator_gives_of_all(protocol):
    metric = RankingMetric(EuclideanMatcher(), protocol, (1, 3), **MARKS)
    sides = []
    for name, (vectors, identities, cameras) in zip(("query", "gallery"), data(), strict=True):
        paths = [f"{name}/{i}.jpg" for i in range(len(vectors))]
        for rows in (slice(0, 5), slice(5, None)):
            metric.update(
                vectors[rows].requires_grad_(), torch.from_numpy(identities[rows]), cameras[rows],
                query=name == "query", paths=paths[rows],
            )  # fmt: skip
        labels = Labels(identities, cameras, paths)
        sides.append(LabelledEmbeddings(Embedding(vectors.detach()[:, None]), labels, name))
    evaluator = RankingEvaluator(protocol, topk=(1, 3))
    assert metric.compute() == evaluator.evaluate(*sides, EuclideanMatcher()).metrics


def test_parts_and_visibility_may_come_as_embeddings():
    (query, *asked), (gallery, *shown) = data()
    metric = RankingMetric(**MARKS)
    metric.update(Embedding(query.view(-1, 2, 3), torch.ones(12, 2)), *asked, query=True)
    metric.update(Embedding(gallery.view(-1, 2, 3), torch.ones(40, 2)), *shown, query=False)
    assert 0 < metric.compute()["mAP"] < 1


def test_a_matrix_gives_the_same_numbers():
    (query, q_ids, q_cams), (gallery, g_ids, g_cams) = data()
    metric = RankingMetric(EuclideanMatcher(), **MARKS)
    metric.update(query, q_ids, q_cams, query=True)
    metric.update(gallery, g_ids, g_cams, query=False)
    table = EuclideanMatcher()(Embedding(query[:, None]), Embedding(gallery[:, None]))
    assert ranking_metrics(table, q_ids, g_ids, q_cams, g_cams, **MARKS) == metric.compute()


def test_reset_forgets_and_nothing_is_refused():
    (query, *asked), (gallery, *shown) = data()
    metric = RankingMetric(**MARKS)
    with pytest.raises(UserError, match="no query images yet; call update.*query=True"):
        metric.compute()
    metric.update(query, *asked, query=True)
    with pytest.raises(UserError, match="no gallery images yet"):
        metric.compute()
    metric.update(gallery, *shown, query=False)
    first = metric.compute()
    metric.update(gallery + 1, *shown, query=False)
    assert metric.compute() != first
    metric.reset()
    metric.update(query, *asked, query=True)
    metric.update(gallery, *shown, query=False)
    assert metric.compute() == first
    with pytest.raises(ValueError, match="2 embeddings for 12 identities"):
        metric.update(query[:2], *asked, query=True)


def test_person_0_and_people_with_names_are_people():
    table, cameras = [[0.1, 0.2], [0.9, 0.3]], ([0, 0], [1, 1])
    wanted = ranking_metrics(table, [1, 2], [1, 2], *cameras)
    assert ranking_metrics(table, [0, 1], [0, 1], *cameras) == wanted
    assert ranking_metrics(table, ["1_11", "11_1"], ["1_11", "11_1"], *cameras) == wanted
    with pytest.raises(UserError, match="say what it marks: junk=-1"):
        ranking_metrics(table, [1, -1], [1, 2], *cameras)
    metric = RankingMetric(EuclideanMatcher())
    with pytest.raises(ValueError, match="labels of one side differ in length"):
        metric.update(torch.eye(2), ["a"], [0, 0], query=True)
    for side in (True, False):
        metric.update(torch.eye(2), ["eve", "bob"], [int(side)] * 2, query=side)
    assert metric.compute()["mAP"] == 1.0
