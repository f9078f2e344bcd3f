"""k-reciprocal re-ranking against the published algorithm on whole tables."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.evaluation import (
    CosineMatcher,
    EuclideanMatcher,
    KReciprocal,
    LabelledEmbeddings,
    Labels,
    Matcher,
    PrecomputedMatcher,
    RankingEvaluator,
    RowIds,
    UnitRange,
    unit_range,
)
from reidkit.evaluation.rerank.reference import reference_k_reciprocal
from reidkit.structures import Embedding, ImageMeta

METAS = ImageMeta(None), ImageMeta(None)


def clusters(n_query=20, n_gallery=60, dims=16, people=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(people, dims, generator=generator)
    count = n_query + n_gallery
    noise = torch.randn(count, dims, generator=generator)
    vectors = centres[torch.arange(count) % people] + 0.7 * noise
    return vectors[:n_query], vectors[n_query:]


def rerank(query, gallery, matcher, **options):
    step = KReciprocal(**options)
    sides = (x if isinstance(x, Embedding) else Embedding(x[:, None]) for x in (query, gallery))
    query, gallery, matcher = step.rerank(*sides, matcher, *METAS)
    return matcher(query, gallery).numpy()


def squared(query, gallery, normalise):
    both = torch.cat([query, gallery]).double()
    both = torch.nn.functional.normalize(both) if normalise else both
    return torch.cdist(both, both, compute_mode="donot_use_mm_for_euclid_dist").square().numpy()


@pytest.mark.parametrize("k1, k2, weight", [(20, 6, 0.3), (50, 15, 0.3), (7, 1, 0.0), (23, 3, 1)])
@pytest.mark.parametrize("matcher", [EuclideanMatcher(), CosineMatcher()])
def test_equal_to_the_dense_algorithm(matcher, k1, k2, weight):
    query, gallery = clusters()
    wanted = reference_k_reciprocal(
        squared(query, gallery, isinstance(matcher, CosineMatcher)), len(query), k1, k2, weight
    )
    for block_mb in (64, 0.001):  # one tile, and tiles of 16 images
        found = rerank(query, gallery, matcher, k1=k1, k2=k2, weight=weight, block_mb=block_mb)
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 5), st.integers(2, 14),
    st.sampled_from([2, 5, 1000]),
)  # fmt: skip
def test_tables_with_ties_and_without_symmetry(seed, k1, k2, count, levels):
    rng = np.random.default_rng(seed)
    table = rng.integers(1, levels + 1, (count, count)) / 8.0
    np.fill_diagonal(table, 0)
    n_query = int(rng.integers(1, count))
    wanted = reference_k_reciprocal(table, n_query, k1, k2, 0.3)
    both = RowIds.arange(count)
    for block_mb in (64, 4 * 9 / 2**20):  # tiles of 3 x 3
        step = KReciprocal(k1, k2, block_mb=block_mb)
        query, gallery, matcher = step.rerank(
            both[:n_query], both[n_query:], Positive(table, across_only=False), *METAS
        )
        np.testing.assert_allclose(matcher(query, gallery).numpy(), wanted, atol=2e-6)


class Positive(PrecomputedMatcher):
    bounds = (0.0, 1000.0)


def test_learned_scores_without_bounds_keep_their_order():
    query, gallery = clusters()
    both = torch.nn.functional.normalize(torch.cat([query, gallery]))
    logits = 40 * (both @ both.T) + 60  # all positive: distances all negative

    class Learned(PrecomputedMatcher):
        pass

    matcher = Learned(-logits.numpy(), across_only=False)
    places = RowIds.arange(len(both))
    step = KReciprocal(k1=8, k2=3)
    q, g, found = step.rerank(places[:20], places[20:], matcher, *METAS)
    calibrated = 1 / (1 + np.exp(logits.double().numpy() / 10))
    wanted = reference_k_reciprocal(calibrated, 20, 8, 3, 0.3)
    np.testing.assert_allclose(found(q, g).numpy(), wanted, atol=1e-5)
    people = np.arange(80) % 9 + 1
    sides = (
        LabelledEmbeddings(places[:20], Labels(people[:20], [0] * 20)),
        LabelledEmbeddings(places[20:], Labels(people[20:], [1] * 60), "gallery"),
    )
    plain = RankingEvaluator().evaluate(*sides, matcher)
    again = RankingEvaluator(rerank=dict(rr=dict(type="KReciprocal", k1=8, k2=3)))
    result = again.evaluate(*sides, matcher)
    assert result.matcher == "Learned -> KReciprocal(k1=8, k2=3)"
    assert result.metrics["mAP"] > plain.metrics["mAP"] > 0.3


def test_the_range_guard():
    assert unit_range(matcher := Positive([[0.0]])) is not matcher
    inside = UnitRange(CosineMatcher())
    assert unit_range(inside) is inside
    query, gallery = (Embedding(x[:, None]) for x in clusters(3, 4))
    torch.testing.assert_close(inside(query, gallery), CosineMatcher()(query, gallery) / 2)
    wide = PrecomputedMatcher(np.array([[-80.0, -5.0, 3.0, 200.0]]))
    moved = unit_range(wide)(RowIds.arange(1), RowIds.arange(4))
    assert (moved >= 0).all() and (moved <= 1).all() and (moved.diff() > 0).all()


def test_part_embeddings_and_pairs_that_have_no_fast_way():
    generator = torch.Generator().manual_seed(0)
    both = Embedding(
        torch.rand(30, 3, 8, generator=generator), torch.rand(30, 3, generator=generator)
    )

    class Visible(Matcher):
        bounds = (0.0, 2.0)

        def compare(self, query, gallery, out=None):
            left, right = (
                torch.nn.functional.normalize(e.vectors, dim=2) for e in (query, gallery)
            )
            seen = torch.einsum("qp,gp->qgp", query.visibility, gallery.visibility)
            return 1 - (torch.einsum("qpd,gpd->qgp", left, right) * seen).sum(2) / seen.sum(2)

    table = Visible()(both, both).double().numpy()
    np.fill_diagonal(table, table.diagonal().clip(0))
    found = rerank(both[:8], both[8:], Visible(), k1=5, k2=2)
    np.testing.assert_allclose(found, reference_k_reciprocal(table, 8, 5, 2, 0.3), atol=1e-5)


def test_a_slice_of_the_gallery_keeps_its_distances():
    query, gallery = (Embedding(x[:, None]) for x in clusters())
    q, g, matcher = KReciprocal(k1=6).rerank(query, gallery, CosineMatcher(), *METAS)
    rows, columns = torch.tensor([4, 2]), torch.tensor([9, 1, 30])
    whole = matcher(q, g)
    torch.testing.assert_close(matcher(q[rows], g[columns]), whole[rows][:, columns])
    assert (whole >= 0).all() and (whole <= 1).all()


@pytest.mark.parametrize("block_mb", [64, 0.001])
def test_distances_kept_or_computed_again_mix_the_same(block_mb):
    query, gallery = clusters()
    options = dict(k1=6, k2=3, block_mb=block_mb)
    for matcher in (CosineMatcher(), EuclideanMatcher()):
        found = [rerank(query, gallery, matcher, keep_mb=mb, **options) for mb in (256, 0)]
        np.testing.assert_allclose(*found, atol=1e-6)
    rng = np.random.default_rng(0)
    table = Positive(
        rng.integers(1, 9, (80, 80)) / 8.0, across_only=False
    )  # not symmetric, and exact
    places = RowIds.arange(80)
    found = [rerank(places[:20], places[20:], table, keep_mb=mb, **options) for mb in (256, 0)]
    np.testing.assert_array_equal(*found)


def test_distances_that_need_too_much_memory_are_not_kept():
    size = 20 * 60 * 4 / 2**20  # of all distances, megabytes
    for keep_mb, kept in ((size, True), (0.99 * size, False)):
        sides = [Embedding(x[:, None]) for x in clusters()]
        step = KReciprocal(k1=6, keep_mb=keep_mb)
        matcher = step.rerank(*sides, CosineMatcher(), *METAS)[2]
        assert (matcher.distance.kept is not None) == kept


@pytest.mark.parametrize("options", [dict(k1=0), dict(k2=0), dict(weight=1.5), dict(scale=0)])
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match="k1 and k2 must be at least 1, weight from 0 to 1"):
        KReciprocal(**options)


@pytest.mark.gpu
def test_a_gpu_gives_the_same_distances():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    query, gallery = clusters(60, 300, people=30)
    wanted = rerank(query, gallery, EuclideanMatcher())
    step = KReciprocal()
    sides = (Embedding(x[:, None].cuda()) for x in (query, gallery))
    q, g, matcher = step.rerank(*sides, EuclideanMatcher(), *METAS)
    np.testing.assert_allclose(matcher(q, g).cpu().numpy(), wanted, atol=1e-5)
