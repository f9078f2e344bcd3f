"""What protocols do to the two sides: MARS galleries, pooled queries, random halves."""

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.evaluation import (
    CosineMatcher,
    LabelledEmbeddings,
    Labels,
    PrecomputedMatcher,
    RankingEvaluator,
    RowIds,
    apply_protocol,
    pool_queries,
    random_halves,
)
from reidkit.evaluation.protocols import PROTOCOLS
from reidkit.structures import Embedding


def side(identities, cameras, paths, name="gallery", seed=0) -> LabelledEmbeddings:
    vectors = torch.randn(len(paths), 1, 4, generator=torch.Generator().manual_seed(seed))
    return LabelledEmbeddings(Embedding(vectors), Labels(identities, cameras, paths), name)


ALL = side([1, 1, 1, 2, 2, -1, 0], [1, 2, 1, 1, 2, 1, 2], list("abcdefg"))
QUERY = ALL[[0, 1, 4]]  # a, b of person 1; e of person 2


@pytest.mark.parametrize("listed", [slice(None), [2, 3, 5, 6]])
def test_both_mars_protocols_whichever_way_the_gallery_is_listed(listed):
    gallery = ALL[listed]
    with_queries = apply_protocol(PROTOCOLS["mars-official"], QUERY, gallery)[1]
    assert sorted(with_queries.labels.paths) == list("abcdefg")
    minus = apply_protocol(PROTOCOLS["mars-minus-queries"], QUERY, gallery)[1]
    assert sorted(minus.labels.paths) == list("cdfg")
    for found in (with_queries, minus):  # embeddings stay with their names
        for path, vector in zip(found.labels.paths, found.embedding.vectors, strict=True):
            assert torch.equal(vector, ALL.embedding.vectors["abcdefg".index(path)])


def test_taking_queries_out_of_the_gallery_changes_the_good_images():
    official, minus = (
        RankingEvaluator(name).evaluate(QUERY, ALL, CosineMatcher())
        for name in ("mars-official", "mars-minus-queries")
    )
    assert official.per_query["n_positives"].tolist() == [1, 2, 1] and official.n_valid == 3
    # a: its only other camera was query b; b: one tracklet of camera 1 is left
    assert minus.per_query["n_positives"].tolist() == [0, 1, 1]
    assert minus.invalid == [
        (0, "identity 1 is in the gallery only under the query's own camera 1")
    ]
    assert official.n_gallery == 6 and minus.n_gallery == 3 and official.n_junk == 1


def test_mars_needs_names():
    bare = LabelledEmbeddings(QUERY.embedding, Labels([1, 1, 2], [1, 2, 2]))
    with pytest.raises(UserError, match="protocol mars-official must know which gallery images"):
        apply_protocol(PROTOCOLS["mars-official"], bare, ALL)


def test_queries_are_pooled_by_person_and_camera():
    images = side([1, 1, 1, 2], [1, 1, 2, 2], list("wxyz"), "multi_query", seed=1)
    unit = torch.nn.functional.normalize(images.embedding.vectors, dim=2)
    mean = pool_queries(QUERY, images).embedding.vectors
    torch.testing.assert_close(mean[0], unit[:2].mean(0))
    torch.testing.assert_close(mean[1:], unit[2:])
    largest = pool_queries(QUERY, images, "max").embedding.vectors
    torch.testing.assert_close(largest[0], unit[:2].amax(0))
    assert pool_queries(QUERY, images).labels is QUERY.labels


def test_invisible_parts_do_not_enter_the_mean():
    vectors = torch.tensor([[[1.0, 0], [1, 0]], [[0.0, 1], [0, 1]]])
    seen = torch.tensor([[1.0, 0], [1, 1]])
    images = LabelledEmbeddings(Embedding(vectors, seen), Labels([1, 1], [1, 1]), "multi_query")
    query = LabelledEmbeddings(Embedding(vectors[:1], seen[:1]), Labels([1], [1]))
    pooled = pool_queries(query, images).embedding
    assert pooled.vectors.tolist() == [[[0.5, 0.5], [0.0, 1.0]]]
    assert pooled.visibility.tolist() == [[1.0, 1.0]]


def test_a_query_without_images_to_pool_is_named():
    images = side([1, 2], [1, 2], list("wz"), "multi_query")
    with pytest.raises(UserError) as caught:
        pool_queries(QUERY, images)
    assert str(caught.value) == (
        "multi-query: 1 of 3 queries have no image of their person and camera among the 2 of "
        "multi_query; first: b (identity 1, camera 2)"
    )
    with pytest.raises(UserError, match="this data set brings none"):
        RankingEvaluator("multi-query").evaluate(QUERY, ALL, CosineMatcher())


def test_multi_query_ranks_the_pooled_embedding():
    images = side([1, 1, 1, 2], [1, 1, 2, 2], list("wxyz"), "multi_query", seed=1)
    found = RankingEvaluator("multi-query").evaluate(
        QUERY, ALL, CosineMatcher(), multi_query=images
    )
    by_hand = RankingEvaluator("market").evaluate(pool_queries(QUERY, images), ALL, CosineMatcher())
    assert found.metrics == by_hand.metrics and found.protocol == "multi-query-v1"


def test_random_halves_depend_on_people_not_on_files():
    people = np.repeat(np.arange(1, 12), 2)
    query, gallery = Labels(people, people * 0), Labels([0, 0, 99, *people], [1] * 25)
    trials = random_halves(query, gallery, 4, seed=3)
    for trial in trials:
        half = set(query.identities[trial.query])
        assert len(half) == 5 and len(trial.query) == 10
        assert set(gallery.identities[trial.gallery]) == half | {0, 99}
    assert len({tuple(trial.query) for trial in trials}) == 4
    turn = np.random.default_rng(0).permutation(22)
    again = random_halves(query[turn], gallery, 4, seed=3)
    for one, two in zip(trials, again, strict=True):
        assert set(query.identities[one.query]) == set(query[turn].identities[two.query])
    with pytest.raises(UserError, match="at least two people seen on both sides, found 0"):
        random_halves(query, Labels([0], [1]))


def test_two_cameras_give_the_mean_over_halves():
    people = np.arange(1, 9)
    table = np.abs(np.random.default_rng(1).random((8, 8)) - np.eye(8) * 0.4)
    query = LabelledEmbeddings(RowIds.arange(8), Labels(people, people * 0))
    gallery = LabelledEmbeddings(RowIds.arange(8), Labels(people, people * 0 + 1), "gallery")
    result = RankingEvaluator("two-camera", trials=5, topk=(1,)).evaluate(
        query, gallery, PrecomputedMatcher(table)
    )
    wanted = []
    for trial in random_halves(query.labels, gallery.labels, 5):
        part = table[np.ix_(trial.query, trial.gallery)]
        wanted.append(np.mean((part < np.diag(part)[:, None]).sum(1) == 0))
    assert result.metrics["R1"] == pytest.approx(np.mean(wanted))
    assert result.spread["R1"] == pytest.approx(np.std(wanted, ddof=1))
    assert result.n_trials == 5 and result.n_query == 20 and result.n_gallery == 4
