"""The first k of a gallery in parts, against sorting all distances."""

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher, EuclideanMatcher, VisiblePartsMatcher
from reidkit.evaluation.ranking import nearest as module
from reidkit.evaluation.ranking.nearest import SearchedImages, nearest
from reidkit.structures import Embedding


def images(count, parts=3, seed=0):
    source = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, parts, 8, generator=source)
    return Embedding(vectors, torch.rand(count, parts, generator=source))


@pytest.mark.parametrize("matcher", [CosineMatcher(), EuclideanMatcher(), VisiblePartsMatcher()])
@pytest.mark.parametrize("queries", [1, 40])
def test_as_sorting_all_of_them(matcher, queries, monkeypatch):
    monkeypatch.setattr(module, "COLUMNS", 16)
    query, gallery = images(queries, seed=1), images(700)
    hidden = np.random.default_rng(0).random(700) < 0.3
    parts = [SearchedImages(gallery[rows], matcher) for rows in (slice(0, 450), slice(450, 700))]
    found, distances = nearest(query, parts, matcher, 7, hidden)
    table = matcher(query, gallery).numpy()
    table[:, hidden] = np.inf
    order = np.argsort(table, axis=1, kind="stable")[:, :7]
    assert np.array_equal(found, order)
    np.testing.assert_allclose(distances, np.take_along_axis(table, order, 1), atol=1e-6)


def test_a_matcher_that_copies_prepares_tile_by_tile(monkeypatch):
    monkeypatch.setattr(module, "EXTRA_MB", 0)
    part = SearchedImages(images(50), VisiblePartsMatcher())
    assert not part.kept
    found, _ = nearest(images(50), [part], VisiblePartsMatcher(), 1)
    assert np.array_equal(found[:, 0], np.arange(50))


def test_equal_images_stand_in_gallery_order(monkeypatch):
    monkeypatch.setattr(module, "COLUMNS", 8)
    one = images(1, 1)
    gallery = Embedding(one.vectors.expand(40, 1, 8).contiguous())
    part = SearchedImages(gallery, EuclideanMatcher())
    assert nearest(Embedding(one.vectors), [part], EuclideanMatcher(), 5)[0].tolist() == [
        [0, 1, 2, 3, 4]
    ]


def test_too_few_images_leave_places_empty():
    found, distances = nearest(
        images(2), [SearchedImages(images(3), CosineMatcher())], CosineMatcher(), 5
    )
    assert (found[:, 3:] == -1).all() and np.isnan(distances[:, 3:]).all()
    assert np.isfinite(distances[:, :3]).all()


def test_distances_that_are_no_numbers_are_refused():
    broken = images(3)
    broken.vectors[1] = torch.nan
    with pytest.raises(UserError, match="NaN"):
        nearest(images(1), [SearchedImages(broken, CosineMatcher())], CosineMatcher(), 1)
