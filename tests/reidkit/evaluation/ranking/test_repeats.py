"""Equal images among embeddings: exactly those, whatever their numbers and their hash."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.evaluation.ranking import repeats
from reidkit.evaluation.ranking.repeats import Repeats, TileLevel
from reidkit.structures import Embedding


def obvious(rows):
    """(later, first) by comparing every row with all before it."""
    pairs = []
    for i, row in enumerate(rows):
        equal = [j for j in range(i) if (rows[j] == row).all()]
        pairs += [(i, equal[0])] if equal else []
    return pairs


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(1, 25), st.sampled_from([1, 2, 40, 400]),
    st.sampled_from([1, 2, 4]), st.sampled_from(["float16", "float32", "float64"]),
    st.booleans(),
)  # fmt: skip
def test_those_that_are_equal(seed, count, width, levels, dtype, all_share_a_key):
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.integers(0, levels, (count, 1)), width, 1).astype(dtype)
    rows[:, -1] = rng.integers(0, levels, count)
    rows[rows == 0] *= rng.choice([1, -1], (rows == 0).sum())  # 0 and -0 are equal
    with pytest.MonkeyPatch.context() as hashes:
        if all_share_a_key:
            hashes.setattr(repeats, "_keys", lambda part, rows: torch.zeros_like(rows))
        found = Repeats.of(Embedding(torch.from_numpy(rows)[:, None]))
    assert list(zip(found.later.tolist(), found.first.tolist(), strict=True)) == obvious(rows)


def test_every_tensor_counts():
    vectors, maps = torch.ones(4, 2, 3), torch.zeros(4, 2, 2, 2)
    seen = torch.tensor([[1.0, 0], [1, 1], [1, 0], [1, 0]])
    maps[3, 1, 1, 1] = 1
    found = Repeats.of(Embedding(vectors, seen, maps))
    assert (found.later.tolist(), found.first.tolist()) == ([2], [0])


def test_nan_is_equal_to_nothing():
    rows = torch.tensor([[float("nan"), 1.0]] * 3 + [[2.0, 1.0]] * 2)
    assert Repeats.of(Embedding(rows[:, None])).later.tolist() == [4]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 9), st.integers(1, 7))
def test_tiles_are_levelled_as_whole_rows_are(seed, count, people, width):
    rng = np.random.default_rng(seed)
    which = torch.from_numpy(rng.integers(0, people, count))
    found = Repeats.of(Embedding(which[:, None, None].float()))
    values = torch.from_numpy(rng.random((4, count)).astype(np.float32))
    whole, parts = values.clone(), values.clone()
    found.level(whole)
    level = TileLevel(found, 4)
    for start in range(0, count, width):
        level.apply(parts[:, start : start + width], start)
    own, places = found.distinct(count)
    assert torch.equal(whole, values[:, own][:, places]) and torch.equal(parts, whole)
    assert torch.equal(which[own][places], which)
