"""Cosine and Euclidean distance: worked by hand, and the promises of the contract."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.evaluation import CosineMatcher, EuclideanMatcher
from reidkit.evaluation.matchers.vectors import reference_cosine, reference_euclidean
from reidkit.structures import Embedding

QUERY = [[[1.0, 0], [0, 1], [3, 4]]]
GALLERY = [[[1.0, 0], [1, 0], [4, 3]], [[0, 2], [0, 1], [0, 0]], [[1, 1], [1, 1], [1, 0]]]


def embedding(values) -> Embedding:
    return Embedding(torch.as_tensor(values))


def random_pair(parts, seed=0, n=(5, 7), dims=6):
    generator = torch.Generator().manual_seed(seed)
    return tuple(Embedding(torch.randn(m, parts, dims, generator=generator)) for m in n)


MATCHERS_HERE = [CosineMatcher(), EuclideanMatcher(), EuclideanMatcher(normalize=True)]


def test_cosine_of_parts_gives_the_distances_of_the_eanet_code():
    found = CosineMatcher()(embedding(QUERY), embedding(GALLERY))
    np.testing.assert_allclose(found, [[0.346667, 0.591752, 0.328596]], atol=1e-6)


def test_cosine_of_one_vector():
    found = CosineMatcher()(embedding([[[2.0, 0]]]), embedding([[[3.0, 0]], [[0, 1]], [[-1, 0]]]))
    assert found.tolist() == [[0.0, 1.0, 2.0]]


def test_a_zero_vector_is_at_cosine_distance_one_from_everything():
    found = CosineMatcher()(embedding([[[0.0, 0]]]), embedding([[[3.0, 0]], [[0, 0]]]))
    assert found.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("parts", [1, 3])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-3, 1.0, 20.0]))
def test_distances_are_those_of_the_definitions(parts, seed, scale):
    query, gallery = (Embedding(one.vectors * scale) for one in random_pair(parts, seed))
    query.vectors[0, 0], gallery.vectors[1] = 0, query.vectors[1]  # a zero part, an equal image
    q, g = query.vectors.double(), gallery.vectors.double()
    for matcher, reference, size in (
        (CosineMatcher(), reference_cosine(q, g), 1.0),
        (EuclideanMatcher(), reference_euclidean(q, g), scale),
        (EuclideanMatcher(normalize=True), reference_euclidean(q, g, normalized=True), 1.0),
    ):
        # from a product, a distance of equal vectors is a rounding error's root
        np.testing.assert_allclose(matcher(query, gallery), reference, atol=5e-3 * size)
        far = reference > 0.1 * size
        np.testing.assert_allclose(matcher(query, gallery)[far], reference[far], rtol=1e-4)


def test_euclidean_of_equal_long_vectors_is_a_number():
    vectors = torch.randn(6, 1, 64, generator=torch.Generator().manual_seed(1)) * 50
    distances = EuclideanMatcher()(Embedding(vectors), Embedding(vectors))
    assert torch.isfinite(distances).all() and (distances >= 0).all()
    assert distances.diagonal().max() < 1 < distances.fill_diagonal_(9).min()


def test_normalised_euclidean_ranks_as_cosine_does():
    query, gallery = random_pair(1)
    first = EuclideanMatcher(normalize=True)(query, gallery).argsort(1)
    assert torch.equal(first, CosineMatcher()(query, gallery).argsort(1))


@pytest.mark.parametrize("matcher", MATCHERS_HERE)
@pytest.mark.parametrize("parts", [1, 2])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_sorts_as_compare_and_forward_do(matcher, parts, seed):
    query, gallery = random_pair(parts, seed)
    ready = matcher.prepare(query, "query"), matcher.prepare(gallery, "gallery")
    out = torch.full((len(query), len(gallery)), torch.nan)
    distances = matcher.compare(*ready)
    assert torch.equal(distances, matcher(query, gallery))
    assert torch.equal(distances.argsort(1), matcher.order(*ready, out).argsort(1))
    low, high = matcher.bounds
    assert distances.dtype == torch.float32 and low <= distances.min() <= distances.max() <= high


@pytest.mark.parametrize("matcher", MATCHERS_HERE)
def test_prepared_rows_do_not_depend_on_each_other(matcher):
    _, gallery = random_pair(3)
    whole, part = matcher.prepare(gallery, "gallery"), matcher.prepare(gallery[2:4], "gallery")
    torch.testing.assert_close(whole[2:4].vectors, part.vectors)


@pytest.mark.parametrize("matcher", MATCHERS_HERE)
@pytest.mark.parametrize("parts", [1, 2])
def test_preparing_leaves_the_embedding_alone_and_gradients_pass(matcher, parts):
    query, gallery = random_pair(parts)
    before = gallery.vectors.clone()
    gallery.vectors.requires_grad_()
    matcher(query, gallery).sum().backward()
    assert torch.equal(before, gallery.vectors) and gallery.vectors.grad.abs().sum() > 0
    assert torch.isfinite(gallery.vectors.grad).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("matcher", MATCHERS_HERE)
def test_other_float_types_give_float32_distances(matcher, dtype):
    query, gallery = random_pair(2)
    query, gallery = query.to(dtype), gallery.to(dtype)
    found = matcher(query, gallery)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, matcher(query.to(torch.float32), gallery.to(torch.float32)))


def test_cosine_does_not_copy_a_float32_gallery():
    _, gallery = random_pair(1)
    ready = CosineMatcher().prepare(gallery, "gallery")
    assert ready.vectors.data_ptr() == gallery.vectors.data_ptr()


@pytest.mark.parametrize("matcher", MATCHERS_HERE)
def test_sides_that_do_not_fit_are_refused(matcher):
    with pytest.raises(ValueError, match=r"differ in \(parts, dims\): \(1, 6\) and \(1, 4\)"):
        matcher(random_pair(1)[0], random_pair(1, dims=4)[1])
    maps = Embedding(maps=torch.zeros(2, 3, 4, 4))
    with pytest.raises(ValueError, match="compares vectors; the embedding has only maps"):
        matcher(maps, maps)
