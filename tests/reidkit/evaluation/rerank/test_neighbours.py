"""Nearest neighbours in tiles against sorting every row: ties, values that are no numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.evaluation import CosineMatcher, PrecomputedMatcher, RowIds
from reidkit.evaluation.rerank import nearest_lists
from reidkit.evaluation.rerank.neighbours import _Merged, nearest, nearest_distinct
from reidkit.evaluation.rerank.reference import reference_neighbours
from reidkit.structures import Embedding


class Symmetric(PrecomputedMatcher):
    symmetric = True


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 6),
    st.sampled_from([1, 3, 50, 10**6]), st.booleans(), st.sampled_from([0.0, 0.2, 1.0]),
    st.sampled_from([64, 4 * 7**2 / 2**20, 4 * 20**2 / 2**20]), st.booleans(),
)  # fmt: skip
def test_equal_to_sorting_rows(seed, count, k, levels, symmetric, broken, block_mb, small):
    rng = np.random.default_rng(seed)
    table = rng.integers(-levels, levels + 1, (count, count)).astype(np.float32) / 8
    odd = rng.random(table.shape) < broken * 0.3
    table[odd] = rng.choice(np.float32([np.inf, np.nan, -0.0]), odd.sum())
    table = np.triu(table) + np.triu(table, 1).T if symmetric else table
    matcher = (Symmetric if symmetric else PrecomputedMatcher)(table)
    with pytest.MonkeyPatch.context() as limits:
        if small:  # few rows at a time, and lists merged in the middle of a tile
            limits.setattr(nearest_lists, "CACHED", 30)
            limits.setattr(nearest_lists, "WAITING", 10)
        found = nearest(RowIds.arange(count), matcher, k, block_mb)
    index, distance = reference_neighbours(table, k)
    np.testing.assert_array_equal(found.index.numpy(), index)
    np.testing.assert_array_equal(found.distance.numpy(), distance)
    np.testing.assert_array_equal(found.farthest.numpy(), table.max(1))


def test_lists_that_all_change_and_many_ties_stay_exact():
    count, k = 700, 5
    rows = np.arange(count)
    falling = -np.minimum(rows[:, None], rows[None]) - np.maximum(rows[:, None], rows[None]) / 1e3
    for table in (falling.astype(np.float32), np.ones((count, count), np.float32)):
        found = nearest(RowIds.arange(count), Symmetric(table), k, 4 * 300**2 / 2**20)
        index, distance = reference_neighbours(table, k)
        np.testing.assert_array_equal(found.index.numpy(), index)
        np.testing.assert_array_equal(found.distance.numpy(), distance)


def test_both_ways_of_keeping_lists_agree():
    vectors = torch.randn(900, 1, 8, generator=torch.Generator().manual_seed(0))
    table = CosineMatcher()(Embedding(vectors), Embedding(vectors))
    spans = [slice(0, 400), slice(400, 800), slice(800, 900)]
    ways = nearest_lists.NearestLists(900, 21), _Merged(900, 21, torch.device("cpu"))
    for way in ways:
        for i, rows in enumerate(spans):
            for columns in spans[i:]:
                way.add(rows, columns, table[rows, columns], rows != columns)
    one, two = (way.result() for way in ways)
    for name in ("index", "distance", "farthest"):
        assert torch.equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("n_visited", [0, 1, 13, 32, 50])
@pytest.mark.parametrize("symmetric", [False, True])
def test_every_pair_between_the_first_and_the_others_is_visited(symmetric, n_visited):
    table = np.random.default_rng(0).random((50, 50), np.float32)
    table = table + table.T if symmetric else table
    seen = np.full_like(table, np.nan)

    def visit(rows, columns, tile):
        assert np.isnan(seen[rows, columns]).all()
        seen[rows, columns] = tile

    matcher = (Symmetric if symmetric else PrecomputedMatcher)(table)
    nearest_distinct(RowIds.arange(50), matcher, 3, 4 * 16**2 / 2**20, visit, n_visited)
    wanted = np.full_like(table, np.nan)
    wanted[:n_visited, n_visited:] = table[:n_visited, n_visited:]
    np.testing.assert_array_equal(seen, wanted)


def test_tiles_on_the_diagonal_are_made_in_steps():
    vectors = torch.randn(1300, 1, 4, generator=torch.Generator().manual_seed(1))
    images = Embedding(vectors)
    found = nearest(images, CosineMatcher(), 4)
    index, distance = reference_neighbours(CosineMatcher()(images, images).numpy(), 4)
    np.testing.assert_allclose(found.distance.numpy(), distance, atol=1e-6)
    assert (found.index.numpy() == index).mean() > 0.999  # rounding may swap two


def test_lists_are_those_of_float64_wherever_float32_decides():
    rng = np.random.default_rng(3)
    count, dims, k = 600, 64, 21
    vectors = rng.standard_normal((count, dims))
    # near twins: their distances to others are often apart by less than float32 rounds
    vectors[:10] = vectors[10:20] + 1e-7 * rng.standard_normal((10, dims))
    images = torch.from_numpy(vectors).float()
    unit = images.double() / images.double().norm(dim=1, keepdim=True)
    table = 1 - (unit @ unit.T).numpy()
    # of a product of unit vectors in float32, and of their lengths: (D + 4) roundings of 2^-24
    bound = (dims + 4) * 2.0**-24
    found = nearest(Embedding(images[:, None]), CosineMatcher(), k).index.numpy()
    index, distance = reference_neighbours(table, k + 1)
    assert (np.sort(found, 1)[:, 1:] > np.sort(found, 1)[:, :-1]).all()
    apart = np.abs(np.take_along_axis(table, found, 1) - distance[:, :k])
    assert apart.max() <= 2 * bound
    decided = (np.diff(distance, axis=1) > 2 * bound).all(1)
    np.testing.assert_array_equal(found[decided], index[decided, :k])
    assert (found != index[:, :k]).any()  # some were not decided
