"""Distances that are there already: ranked, re-ranked where all are there, refused where not."""

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.evaluation import (
    CosineMatcher,
    DatabaseAugmentation,
    EuclideanMatcher,
    KReciprocal,
    PrecomputedMatcher,
    RowIds,
    precomputed,
)
from reidkit.structures import Embedding, ImageMeta

METAS = ImageMeta(None), ImageMeta(None)


def distances(seed=0, n_query=8, n_gallery=30):
    generator = torch.Generator().manual_seed(seed)
    both = Embedding(torch.randn(n_query + n_gallery, 1, 6, generator=generator))
    return both, EuclideanMatcher()(both, both).numpy()


def test_row_ids_are_integers_however_they_are_cut_and_joined():
    ids = RowIds.arange(2**24, 2**24 + 4)  # beyond what float32 counts
    joined = Embedding.cat([ids[[3, 0]], ids[1:2].to("cpu")])
    assert isinstance(joined, RowIds) and joined.ids.dtype == torch.int64
    assert (joined.ids - 2**24).tolist() == [3, 0, 1] and len(joined) == 3
    with pytest.raises(ValueError, match=r"row ids must be \(n,\) int64"):
        RowIds(ids=torch.zeros(3))


@pytest.mark.parametrize("rows", [slice(2, 5), [4, 0], slice(None)])
@pytest.mark.parametrize("columns", [slice(3, 9), [7, 7, 1], slice(None)])
def test_entries_are_looked_up(rows, columns):
    table = np.random.default_rng(0).random((6, 10))
    query, gallery, matcher = precomputed(table)
    wanted = table[rows][:, columns].astype(np.float32)
    np.testing.assert_array_equal(matcher(query[rows], gallery[columns]).numpy(), wanted)


def test_a_mapped_matrix_is_read_by_rows(tmp_path):
    np.save(tmp_path / "d.npy", np.arange(12, dtype=np.float32).reshape(3, 4))
    query, gallery, matcher = precomputed(np.load(tmp_path / "d.npy", mmap_mode="r"))
    assert isinstance(matcher.distances, np.memmap)
    assert matcher(query[[1]], gallery).tolist() == [[4, 5, 6, 7]]


def test_re_ranking_of_a_whole_matrix_is_that_of_the_embeddings():
    both, table = distances()
    step = KReciprocal(k1=5, k2=2)
    q, g, matcher = step.rerank(both[:8], both[8:], EuclideanMatcher(), *METAS)
    query, gallery, given = precomputed(table[:8, 8:], table[:8, :8], table[8:, 8:])
    given.squared = EuclideanMatcher.squared
    rows, columns, again = step.rerank(query, gallery, bounded(given), *METAS)
    np.testing.assert_allclose(again(rows, columns), matcher(q, g), atol=1e-5)


def bounded(matcher):
    matcher.bounds = (0.0, float("inf"))
    return matcher


def test_re_ranking_refuses_a_matrix_that_lacks_distances():
    _, table = distances()
    sides = precomputed(table[:8, 8:])
    words = (
        "needs distances among the queries and among the gallery.*has only those between.*query_q"
    )
    for step in (KReciprocal(), DatabaseAugmentation()):
        with pytest.raises(UserError, match=f"{type(step).__name__} {words}"):
            step.rerank(*sides, *METAS)
    both, _ = distances()
    again = KReciprocal(4).rerank(both[:8], both[8:], CosineMatcher(), *METAS)
    with pytest.raises(UserError, match="JaccardMatcher has only those between the two"):
        KReciprocal().rerank(*again, *METAS)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"must be a matrix, got shape \(2, 2, 2\)"):
        precomputed(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match=r"must be a matrix, got shape \(3,\)"):
        PrecomputedMatcher(np.zeros(3))
    words = r"query_query \(2, 2\) and gallery_gallery \(3, 3\), or neither; got"
    with pytest.raises(ValueError, match=words):
        precomputed(np.zeros((2, 3)), query_query=np.zeros((2, 2)))
    with pytest.raises(ValueError, match=words):
        precomputed(np.zeros((2, 3)), np.zeros((3, 3)), np.zeros((3, 3)))
    one = Embedding(torch.ones(1, 1, 2))
    with pytest.raises(ValueError, match="looks distances up by RowIds.*holds vectors"):
        precomputed(np.zeros((1, 1)))[2](one, one)
