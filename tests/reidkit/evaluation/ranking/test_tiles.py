"""Counting in tiles against whole rows: any tile, any memory, limits that were too near."""

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.errors import UserError
from reidkit.evaluation import (
    CosineMatcher,
    EuclideanMatcher,
    Labels,
    match_labels,
)
from reidkit.evaluation.matchers.precomputed import PrecomputedMatcher, RowIds
from reidkit.evaluation.protocols import PROTOCOLS
from reidkit.evaluation.ranking import counting, tiles
from reidkit.evaluation.ranking import ranks as ranking
from reidkit.evaluation.ranking.counting import CloserNegatives, count_cpu
from reidkit.evaluation.ranking.counting_device import count_device
from reidkit.evaluation.ranking.ranks import rank_positives
from reidkit.structures import Embedding

MARKET = PROTOCOLS["market"]
FIELDS = ("starts", "ranks", "lowest", "highest")


class Parts(PrecomputedMatcher):
    """A table that is asked for tiles."""

    whole_rows = False


def sides(rng, n_query, n_gallery, people=6):
    return tuple(
        Labels(rng.integers(low, people, n), rng.integers(0, 3, n))
        for low, n in ((0, n_query), (-1, n_gallery))
    )


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 20), st.integers(10, 60)),
    tile=st.tuples(st.integers(2, 8), st.integers(1, 8)),
    levels=st.sampled_from([1, 3, 100000]),
    numbers=st.sampled_from([1, 60, 120, 200]),
    nearer=st.sampled_from([0, 1, 3]),
    margin=st.sampled_from([0.0, 1e-4, -0.5, -10.0]),
    step=st.sampled_from([1, 3, 256]),
)
@pytest.mark.slow
def test_tiles_count_as_whole_rows_do(seed, shape, tile, levels, numbers, nearer, margin, step):
    rng = np.random.default_rng(seed)
    query, gallery = sides(rng, *shape)
    table = rng.integers(-levels, levels + 1, shape).astype(np.float32)
    table -= nearer * levels * (query.identities[:, None] == gallery.identities)
    truth = match_labels(MARKET, query, gallery)
    asked = np.flatnonzero(rng.random(shape[0]) < 0.8)  # some without a positive, too
    arguments = RowIds.arange(shape[0]), RowIds.arange(shape[1]), truth
    with mock.patch.object(ranking, "count_cpu", count_device):  # shares nothing with tiles
        wanted = rank_positives(*arguments, PrecomputedMatcher(table), queries=asked)
    with (
        mock.patch.multiple(tiles, ROWS=tile[0], COLUMNS=tile[1], MARGIN=margin, GROUP=step),
        mock.patch.object(counting, "STEP", step),
    ):
        found = rank_positives(*arguments, Parts(table), numbers * 4 / 2**20, queries=asked)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(wanted, name), getattr(found, name))


@pytest.mark.parametrize("matcher", [CosineMatcher(), EuclideanMatcher()])
@pytest.mark.parametrize("block_mb", [2, 0.2])
def test_embeddings_in_tiles_rank_as_float64(matcher, block_mb):
    rng = np.random.default_rng(5)
    query, gallery = sides(rng, 90, 13000, people=40)
    centres = rng.standard_normal((42, 24))
    vectors = [centres[s.identities] + rng.standard_normal((len(s), 24)) for s in (query, gallery)]
    embeddings = [Embedding(torch.from_numpy(v.astype(np.float32))[:, None]) for v in vectors]
    truth = match_labels(MARKET, query, gallery)
    ranks = rank_positives(*embeddings, truth, matcher, block_mb)
    table = matcher(*(Embedding(e.vectors.double()) for e in embeddings)).numpy()
    whole = rank_positives(
        RowIds.arange(90), RowIds.arange(13000), truth, PrecomputedMatcher(table)
    )
    np.testing.assert_array_equal(ranks.starts, whole.starts)
    assert np.abs(ranks.ranks - whole.ranks).max() <= 1  # two may swap by rounding
    assert (ranks.ranks == whole.ranks).mean() > 0.99


def watched(table):
    """A matcher of a table that remembers the shapes it was asked for."""

    class Watched(Parts):
        shapes: list = []

        def compare(self, query, gallery, out=None):
            self.shapes.append((len(query), len(gallery)))
            return super().compare(query, gallery, out)

    return Watched(table)


def test_tiles_are_even_and_limits_need_few_values():
    rng = np.random.default_rng(0)
    query, gallery = sides(rng, 30, 101, people=20)
    same = query.identities[:, None] == gallery.identities
    matcher = watched(np.where(same, 0.1, 1).astype(np.float32) * rng.random((30, 101)))
    truth = match_labels(MARKET, query, gallery)
    with mock.patch.multiple(tiles, ROWS=12, COLUMNS=25, GROUP=1):
        arguments = RowIds.arange(30), RowIds.arange(101), truth, matcher
        rank_positives(*arguments, 800 * 4 / 2**20)
    assert max(columns for _, columns in matcher.shapes) == 26  # not 25 and one more of 1
    assert tiles._shape(2000, RowIds.arange(1 << 14), 64)[1] == 4112  # not a power of two apart
    blocks = [rows for rows, columns in matcher.shapes if columns in (23, 26)]
    assert sum(blocks) == 4 * len(truth.valid) and max(blocks) <= 15


def test_memory_stays_bounded_where_every_image_matters():
    rng = np.random.default_rng(0)
    query, gallery = sides(rng, 64, 400, people=3)
    matcher = watched(rng.random((64, 400)).astype(np.float32))
    kept, take = [], CloserNegatives.take

    def watching(self, *args):
        take(self, *args)
        kept.append((len(self.queries), self.kept.sum()))

    arguments = RowIds.arange(64), RowIds.arange(400), match_labels(MARKET, query, gallery)
    wanted = rank_positives(*arguments, PrecomputedMatcher(matcher.distances))
    numbers = 4000  # ten rows
    with (
        mock.patch.multiple(tiles, ROWS=32, COLUMNS=50),
        mock.patch.object(CloserNegatives, "take", watching),
    ):
        found = rank_positives(*arguments, matcher, numbers * 4 / 2**20)
    np.testing.assert_array_equal(found.ranks, wanted.ranks)
    assert max(rows for rows, _ in kept) > 16  # begins with many queries
    assert (10, 400) in matcher.shapes and matcher.shapes[-1][1] == 400  # ends with whole rows
    assert max(count for _, count in kept) <= numbers + 32 * 50  # one tile more than the room


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 30, 59])
def test_values_that_are_no_numbers_are_refused_in_any_tile(value, column):
    table = np.random.default_rng(0).random((4, 60)).astype(np.float32)
    table[2, column] = value
    labels = Labels(range(1, 5), [0] * 4), Labels([*range(1, 5)] * 15, [1] * 60)
    with mock.patch.multiple(tiles, ROWS=2, COLUMNS=20), pytest.raises(UserError, match="NaN or"):
        rank_positives(
            RowIds.arange(4), RowIds.arange(60), match_labels(MARKET, *labels), Parts(table)
        )


def test_who_is_counted_in_tiles():
    large, small = RowIds.arange(16000), RowIds.arange(8000)
    assert tiles.tiled(large, CosineMatcher(), 64, 2000)
    assert not tiles.tiled(small, CosineMatcher(), 64, 2000)  # its rows fit the memory
    assert not tiles.tiled(large, CosineMatcher(), 64, 1000)  # all rows do
    heavy = Embedding(torch.zeros(1, 1, 1).expand(16000, 1, 10000))
    assert not tiles.tiled(heavy, CosineMatcher(), 64, 2000)  # fewer such queries fit it
    assert not tiles.tiled(large, PrecomputedMatcher(np.zeros((1, 16000))), 64, 2000)
    assert not tiles.tiled(large, torch.nn.Identity(), 64, 2000)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 9), width=st.integers(2, 70))
def test_nothing_given_is_changed_and_rows_can_be_dropped(seed, rows, width):
    rng = np.random.default_rng(seed)
    query, gallery = sides(rng, rows, width)
    truth = match_labels(MARKET, query, gallery)
    values = rng.integers(0, 5, (rows, width)).astype(np.float32)
    before, queries = values.copy(), np.arange(rows)
    wanted, right = count_cpu(torch.from_numpy(values), queries, truth)
    np.testing.assert_array_equal(values, before)
    closer, left = CloserNegatives(queries, truth, np.full(rows, 9, np.float32)), rows // 2 + 1
    closer.take(np.ascontiguousarray(values[:, : width // 2]), 0)
    closer.keep_rows(left)
    closer.take(np.ascontiguousarray(values[:left, width // 2 :]), width // 2)
    found, near = closer.count()
    n = truth.n_positives[:left].sum()
    np.testing.assert_array_equal(found, wanted[:, :n])
    np.testing.assert_array_equal(near, right[:n])
    assert closer.complete.all()
