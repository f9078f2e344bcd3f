"""Which crops meet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.errors import UserError
from reidkit_plugins.dgnet.sampler import PairSampler


@given(
    sizes=st.lists(st.integers(1, 6), min_size=3, max_size=12),
    side=st.integers(1, 3),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 5),
)
@settings(max_examples=40, deadline=None)
def test_positives_are_other_crops_of_the_same_identity(sizes, side, seed, epoch):
    identities = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    if len(identities) < side:
        return
    sampler = PairSampler(identities, 4 * side, seed=seed)
    sampler.set_epoch(epoch)
    batches = [np.array(b) for b in sampler]
    assert len(batches) == len(sampler) == len(identities) // side
    counts = np.bincount(identities)
    for rows in batches:
        anchors, positives = rows[: 2 * side], rows[2 * side :]
        assert (identities[anchors] == identities[positives]).all()
        assert ((anchors != positives) == (counts[identities[anchors]] > 1)).all()
    for half in (0, 1):  # a pass shows no crop twice
        seen = np.concatenate([b[half * side : (half + 1) * side] for b in batches])
        assert len(set(seen.tolist())) == len(seen)


def test_positives_are_uniform():
    identities = np.repeat([3, 9], 4)
    sampler = PairSampler(identities, 8)
    rng = np.random.default_rng(0)
    drawn = sampler.positives(np.zeros(6000, np.int64), rng)
    counts = np.bincount(drawn, minlength=8)
    assert counts[0] == 0 and not counts[4:].any()
    assert np.abs(counts[1:4] / 6000 - 1 / 3).max() < 0.03


def test_sides_are_independent_and_passes_go_on_across_epochs():
    identities = np.arange(40) // 2
    whole = PairSampler(identities, 8, seed=1)
    short = PairSampler(identities, 8, seed=1, steps=5)
    assert len(whole) == 20 and len(short) == 5
    pieces = []
    for epoch in range(8):
        short.set_epoch(epoch)
        pieces += list(short)
    for epoch in (0, 1):
        whole.set_epoch(epoch)
        anchors = [rows[:4] for rows in whole]
        assert anchors == [rows[:4] for rows in pieces[20 * epoch : 20 * epoch + 20]]
    a, b = (np.array([rows[i : i + 2] for rows in pieces[:20]]).ravel() for i in (0, 2))
    assert sorted(a) == sorted(b) == list(range(40)) and (a != b).any()


def test_ranks_share_a_pass():
    identities = np.arange(48) // 3
    ranks = [PairSampler(identities, 8, seed=2, rank=r, world_size=3) for r in range(3)]
    plans = [list(r) for r in ranks]
    assert {len(p) for p in plans} == {8}
    first = [row for plan in plans for rows in plan for row in rows[:2]]
    assert sorted(first) == list(range(48))


@pytest.mark.parametrize("size", [0, 6, 30])
def test_batch_sizes_that_are_no_four_quarters(size):
    with pytest.raises(UserError, match="no multiple of 4"):
        PairSampler([1, 1, 2, 2], size)


def test_too_few_crops():
    with pytest.raises(UserError) as error:
        PairSampler([1, 1, 2, 2], 20)
    assert str(error.value) == (
        "dgnet/PairSampler: 4 crops do not fill one side of 5; train.batch_size=16 would fit"
    )
    PairSampler([1, 1, 2, 2], 16)
