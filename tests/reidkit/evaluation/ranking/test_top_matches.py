"""The heads of the rankings, for pictures and lists."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.evaluation import CosineMatcher, Labels, match_labels, top_matches
from reidkit.evaluation.protocols import PROTOCOLS
from reidkit.structures import Embedding

MARKET = PROTOCOLS["market"]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_gallery=st.integers(1, 20),
    k=st.integers(1, 25),
    rows=st.integers(1, 5),
)
def test_the_head_of_the_sorted_row_without_junk(seed, n_gallery, k, rows):
    rng = np.random.default_rng(seed)
    # few directions: many images at exactly the same distance
    sides = [
        Embedding(torch.from_numpy(rng.integers(0, 2, (n, 1, 2)).astype(np.float32)))
        for n in (5, n_gallery)
    ]
    query, gallery = (
        Labels(rng.integers(low, 4, n), rng.integers(0, 2, n))
        for n, low in ((5, 0), (n_gallery, -1))
    )
    truth = match_labels(MARKET, query, gallery)
    table = CosineMatcher()(*sides).numpy()
    indices, distances = top_matches(
        *sides, CosineMatcher(), truth, k=k, block_mb=rows * 4 * n_gallery / 2**20
    )
    for q, row in enumerate(table.tolist()):
        own, good = truth.of(q)
        out = {*own[~good].tolist(), *truth.junk.tolist()}
        wanted = sorted((d, g) for g, d in enumerate(row) if g not in out)[:k]
        kept = indices[q] >= 0
        assert indices[q][kept].tolist() == [g for _, g in wanted]
        assert distances[q][kept].tolist() == [d for d, _ in wanted]
        assert np.isnan(distances[q][~kept]).all() and kept.sum() == len(wanted)


def test_a_length_is_needed():
    one = Embedding(torch.ones(1, 1, 2))
    truth = match_labels(MARKET, Labels(np.array([1]), np.array([0])), Labels([1], [1]))
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        top_matches(one, one, CosineMatcher(), truth, k=0)
