"""Neighbours found with bfloat16 products against those found without: bounds, ties, fallbacks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.evaluation import CosineMatcher, EuclideanMatcher, KReciprocal
from reidkit.evaluation.ranking import prefilter
from reidkit.evaluation.rerank import neighbours
from reidkit.evaluation.rerank.neighbours import nearest, nearest_distinct
from reidkit.structures import Embedding, ImageMeta


@pytest.fixture
def at_once(monkeypatch):
    """Rough distances for few images, on any processor, whether they decide or not."""
    monkeypatch.setattr(
        neighbours,
        "bf16_prefilter",
        lambda images, matcher, k: prefilter.BF16Cosine(images, matcher),
    )


@pytest.fixture
def compared_again(monkeypatch):
    """How many images are compared again with all, call by call."""
    counts, whole = [], prefilter.BF16Cosine.all

    def counted(self, rows):
        counts.append(len(rows))
        return whole(self, rows)

    monkeypatch.setattr(prefilter.BF16Cosine, "all", counted)
    return counts


def clusters(count, dims=64, people=40, noise=0.5, seed=0, parts=1):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(people, parts, dims, generator=generator)
    spread = noise * torch.randn(count, parts, dims, generator=generator)
    return Embedding(centres[torch.arange(count) % people] + spread)


def obvious(images):
    """Distances in float64."""
    vectors = torch.nn.functional.normalize(images.vectors[:, 0].double())
    return (1 - vectors @ vectors.T).numpy()


def same(found, table, k):
    """Whether lists are those of the float64 distances, up to float32's rounding."""
    order = np.sort(table, axis=1)[:, :k]
    np.testing.assert_allclose(found.distance.numpy(), order, atol=2e-6)
    listed = np.take_along_axis(table, found.index.numpy(), 1)
    np.testing.assert_allclose(listed, found.distance.numpy(), atol=2e-6)
    np.testing.assert_allclose(found.farthest.numpy(), table.max(1), atol=2e-6)
    assert all(len(set(row)) == k for row in found.index.tolist())


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from([3, 17, 64, 300]), st.floats(1e-3, 2.0),
    st.integers(1, 12), st.integers(1, 3), st.sampled_from([1e-30, 1e-6, 1.0, 1e15]),
)  # fmt: skip
def test_the_error_is_never_larger_than_said(seed, dims, noise, people, parts, length):
    images = clusters(120, dims, people, noise, seed, parts)
    images = Embedding(images.vectors * length)
    images.vectors[::50] = 0
    found, everyone = prefilter.BF16Cosine(images, CosineMatcher()), slice(0, 120)
    exact = CosineMatcher()(images, images)
    assert (found.compare(everyone, everyone) - exact).abs().max() <= found.error <= 0.02


@pytest.mark.parametrize("n_visited", [0, 130])
@pytest.mark.parametrize("noise", [0.02, 0.5, 3.0])
def test_the_same_lists_whether_decided_or_compared_again(
    at_once, compared_again, noise, n_visited
):
    images, k = clusters(900, noise=noise), 7
    seen = torch.full((n_visited, 900 - n_visited), torch.nan)

    def visit(rows, columns, tile):
        seen[rows, columns.start - n_visited : columns.stop - n_visited] = tile

    found = nearest_distinct(images, CosineMatcher(), k, 4 * 200**2 / 2**20, visit, n_visited)
    table = obvious(images)
    same(found, table, k)
    np.testing.assert_allclose(seen.numpy(), table[:n_visited, n_visited:], atol=2e-6)
    assert (sum(compared_again) > 800) == (noise == 0.02)  # there, hundreds lie within the error


@pytest.mark.parametrize("seed", range(3))
def test_images_closer_than_the_error_are_told_apart_in_float32(at_once, seed):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(1, 1, 16, generator=generator)
    images = Embedding(vectors + 0.1 * torch.randn(400, 1, 16, generator=generator))
    table, k = obvious(images), 9
    same(nearest_distinct(images, CosineMatcher(), k), table, k)
    # bfloat16 cannot tell more images from the k-th than there are candidates
    near = np.sort(table, 1)[:, [k - 1]] + prefilter.BF16Cosine(images, CosineMatcher()).error
    assert ((table <= near).sum(1) > k + prefilter.CANDIDATES).mean() > 0.5


def test_equal_images_stand_by_index(at_once, compared_again):
    images = Embedding(clusters(90, noise=0.5).vectors.repeat(3, 1, 1))
    found = nearest(images, CosineMatcher(), 12, 4 * 100**2 / 2**20)
    for image, row in enumerate(found.index.tolist()):
        assert row[:3] == [image % 90, image % 90 + 90, image % 90 + 180]
        for first in range(0, 12, 3):
            assert [i - row[first] for i in row[first : first + 3]] == [0, 90, 180]
    assert sum(compared_again) == 0  # the 90 that differ are searched once


def test_used_only_where_it_is_faster_and_decides(monkeypatch):
    monkeypatch.setattr(prefilter, "has_bf16_units", lambda: True)
    images = clusters(prefilter.MIN_IMAGES, people=150)
    assert prefilter.bf16_prefilter(images, CosineMatcher(), 21) is not None
    assert prefilter.bf16_prefilter(images, EuclideanMatcher(), 21) is None
    assert prefilter.bf16_prefilter(images[1:], CosineMatcher(), 21) is None
    alike = clusters(prefilter.MIN_IMAGES, people=20, noise=0.01)
    assert prefilter.bf16_prefilter(alike, CosineMatcher(), 21) is None
    images.vectors[4000] = torch.nan
    assert prefilter.bf16_prefilter(images, CosineMatcher(), 21) is None
    images.vectors[4000] = 0
    assert prefilter.bf16_prefilter(images, CosineMatcher(), 21) is not None
    monkeypatch.setattr(prefilter, "has_bf16_units", lambda: False)
    assert prefilter.bf16_prefilter(images, CosineMatcher(), 21) is None


@pytest.mark.slow
def test_k_reciprocal_is_the_same(monkeypatch):
    images, used, found = clusters(prefilter.MIN_IMAGES + 500, people=150), [], []
    whole = neighbours.bf16_prefilter
    for units in (True, False):
        monkeypatch.setattr(prefilter, "has_bf16_units", lambda units=units: units)
        monkeypatch.setattr(
            neighbours, "bf16_prefilter", lambda *args: used.append(whole(*args)) or used[-1]
        )
        metas = ImageMeta(None), ImageMeta(None)
        q, g, matcher = KReciprocal().rerank(images[:500], images[500:], CosineMatcher(), *metas)
        found.append(matcher(q, g))
    assert [way is not None for way in used] == [True, False]
    torch.testing.assert_close(*found, atol=1e-5, rtol=0)
