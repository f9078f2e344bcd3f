from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.data import PKSampler, ShuffleSampler
from reidkit.errors import UserError

FAST = settings(max_examples=60, deadline=None)


WORLD = st.integers(1, 4)


SEED = st.integers(0, 2**31)


def every_rank(make, world, epoch=0, restart=0):
    found = []
    for rank in range(world):
        sampler = make(rank)
        sampler.set_epoch(epoch, restart)
        found.append(list(sampler))
        assert len(found[-1]) == len(sampler)
    return found


def identities(counts):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(counts)) * 3 + 1, counts)
    return rng.permutation(labels)


@FAST
@given(st.integers(1, 200), st.integers(1, 20), WORLD, SEED, st.booleans(), st.integers(0, 3))
def test_shuffle_gives_each_crop_once_over_all_ranks(count, size, world, seed, drop, epoch):
    if drop and count < size * world:
        with pytest.raises(UserError, match=f"{count} crops do not fill one batch"):
            ShuffleSampler(count, size, seed, 0, world, drop)
        return
    ranks = every_rank(lambda r: ShuffleSampler(count, size, seed, r, world, drop), world, epoch)
    shapes = [[len(batch) for batch in batches] for batches in ranks]
    assert all(shape == shapes[0] for shape in shapes)
    uses = Counter(row for batches in ranks for batch in batches for row in batch)
    assert set(uses) <= set(range(count))
    if drop:
        assert set(uses.values()) == {1} and set(shapes[0]) == {size}
        assert sum(uses.values()) == count // (size * world) * size * world
    else:
        assert len(uses) == count and sum(uses.values()) < count + world
        assert all(length == size for length in shapes[0][:-1])


@FAST
@given(SEED, st.integers(0, 5), st.integers(0, 5))
def test_plans_are_functions_of_seed_epoch_and_restart(seed, epoch, restart):
    labels = identities([5] * 12)
    for make in (
        lambda s: ShuffleSampler(60, 7, seed=s),
        lambda s: PKSampler(labels, p=3, k=2, seed=s),
    ):
        sampler, other = make(seed), make(seed)
        sampler.set_epoch(epoch, restart)
        first = list(sampler)
        other.set_epoch(epoch + 1, restart)
        assert list(other) != first
        other.set_epoch(epoch, restart + 1)
        assert list(other) != first
        other.set_epoch(epoch, restart)
        assert list(other) == first == list(sampler)
        assert list(make(seed + 1)) != list(make(seed))


@FAST
@given(st.integers(0, 8), st.integers(0, 4))
def test_state_continues_in_mid_epoch(start, epoch):
    sampler = ShuffleSampler(60, 7, seed=1)
    sampler.set_epoch(epoch, restart=2)
    full = list(sampler)
    sampler.set_epoch(epoch, restart=2, start=start)
    fresh = ShuffleSampler(60, 7, seed=1)
    fresh.load_state_dict(sampler.state_dict())
    assert list(fresh) == full[start:] and len(fresh) == len(full)


def test_the_plan_never_changes_between_versions():
    sampler = ShuffleSampler(10, 4, seed=3)
    sampler.set_epoch(2)
    assert list(sampler) == [[7, 4, 1, 8], [6, 0, 2, 9]]


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: ShuffleSampler(5, 0), ValueError, "batch_size must be at least 1, got 0"),
        (lambda: ShuffleSampler(9, 2, rank=2, world_size=2), ValueError, "rank must be in 0..1"),
        (lambda: PKSampler([1, 2], p=2, k=0), ValueError, "must be at least 1"),
        (lambda: PKSampler([1, 2], k=2), ValueError, "must be at least 1"),
        (
            lambda: PKSampler([1, 2], p=2, epoch_length="all"),
            ValueError,
            "epoch_length must be 'identities' or",
        ),
        (lambda: PKSampler([], p=1), UserError, "0 identities do not fill one batch of p=1"),
        (
            lambda: ShuffleSampler(5, 6),
            UserError,
            "5 crops do not fill one batch of train.batch_size=6; train.batch_size=5 would fit",
        ),
        (
            lambda: ShuffleSampler(5, 3, world_size=2),
            UserError,
            "train.batch_size=3 on each of 2 processes; train.batch_size=2 would fit",
        ),
        (
            lambda: ShuffleSampler(9, 2).load_state_dict({"epoch": 1}),
            ValueError,
            "sampler state needs epoch, restart and start",
        ),
    ],
)
def test_bad_arguments_are_refused(make, kind, text):
    with pytest.raises(kind, match=text):
        make()
