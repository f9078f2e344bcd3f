import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.data import PKSampler
from reidkit.data.pk_sampler import _say_once
from reidkit.errors import UserError
from reidkit.registry import SAMPLERS
from reidkit.testing.supply import fake_supply

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


COUNTS = st.lists(st.integers(1, 12), min_size=1, max_size=20)


RULES = st.sampled_from(["identities", "images"])


NO_PRODUCT = "PKSampler: train.batch_size={} is not p identities of k=4 crops: p={} makes {}; "


TOO_FEW = (
    "PKSampler: 9 identities do not fill one batch of p={} with k=4 crops each "
    "(train.batch_size={}){}; "
)


@FAST
@given(COUNTS, st.integers(1, 6), st.integers(1, 5), WORLD, SEED, st.booleans(), RULES)
def test_pk_batches_keep_their_rules(counts, p, k, world, seed, drop, rule):
    labels = identities(counts)
    options = dict(p=p, k=k, seed=seed, world_size=world, drop_last=drop, epoch_length=rule)
    try:
        ranks = every_rank(lambda r: PKSampler(labels, rank=r, **options), world)
    except UserError:
        needed = p if not drop else p * world
        assert len(counts) < needed  # never refused when there are enough identities
        return
    assert len({len(batches) for batches in ranks}) == 1
    visits = Counter()
    for batch in (batch for batches in ranks for batch in batches):
        groups = Counter(labels[batch].tolist())
        assert len(groups) == p and set(groups.values()) == {k}
        for identity in groups:
            rows = [row for row in batch if labels[row] == identity]
            assert len(set(rows)) == min(k, counts[(identity - 1) // 3])
        visits.update(groups.keys())
    if rule == "identities":
        most = 1 if drop else 1 + -(-len(counts) // (p * world)) * p * world // len(counts)
        assert max(visits.values()) <= most
        if not drop:
            assert len(visits) == len(counts)
        else:
            assert len(visits) == len(counts) // (p * world) * p * world


def test_pk_by_images_visits_frequent_identities_more_often_without_repetition():
    labels = identities([40, 8, 8, 8, 8, 8, 3, 1])
    sampler = PKSampler(labels, p=2, k=4, epoch_length="images")
    rows = np.concatenate(list(sampler))
    visits = Counter(labels[rows].tolist())
    assert len(sampler) == 11  # visits 10 + 5 * 2 + 1 + 1 = 22 = 11 * 2
    assert visits[1] == 40 and visits[4] == 8 and visits[22] == 4
    uses = Counter(rows.tolist())
    assert all(uses[row] <= 1 for row in np.flatnonzero(labels <= 16))


def test_pk_takes_p_from_the_batch_size_or_insists_on_agreement():
    labels = identities([4] * 9)
    made = SAMPLERS.build(
        dict(type="PKSampler", k=4),
        fake_supply("samplers", identities=labels, batch_size=16, num_samples=36),
    )
    assert (made.p, len(made)) == (4, 2)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            dict(p=4, batch_size=32),
            NO_PRODUCT.format(32, 4, 16)
            + "train.batch_size=16 would fit, or change train.sampler.k or train.sampler.p",
        ),
        (
            dict(batch_size=30),
            NO_PRODUCT.format(30, 7, 28)
            + "train.batch_size=28 or 32 would fit, or change train.sampler.k",
        ),
        (
            dict(batch_size=37),  # 40 would need ten of the nine identities
            NO_PRODUCT.format(37, 9, 36)
            + "train.batch_size=36 would fit, or change train.sampler.k",
        ),
        (
            dict(batch_size=3),
            NO_PRODUCT.format(3, 0, 0) + "train.batch_size=4 would fit, or change train.sampler.k",
        ),
        (
            dict(batch_size=64),
            TOO_FEW.format(16, 64, "") + "train.batch_size=36 would fit, or train.sampler.k=8",
        ),
        (
            dict(p=16, batch_size=64),
            TOO_FEW.format(16, 64, "") + "train.sampler.p=9 with train.batch_size=36 would fit",
        ),
        (
            dict(batch_size=32, world_size=2),
            TOO_FEW.format(8, 32, " on each of 2 processes")
            + "train.batch_size=16 would fit, or train.sampler.k=8",
        ),
        (
            dict(batch_size=4, world_size=10),
            TOO_FEW.format(1, 4, " on each of 10 processes") + "no train.batch_size would fit",
        ),
    ],
)
def test_batches_that_cannot_be_filled_name_what_would_do(options, text):
    with pytest.raises(UserError) as error:
        PKSampler(identities([4] * 9), k=4, **options)
    assert str(error.value) == text


@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 80), st.integers(1, 3), st.booleans())
def test_what_a_refusal_names_is_taken(people, k, batch_size, processes, per_image):
    """Every batch size, p and k that the message names fills a batch, whatever was refused."""

    def make(**options):
        length = "images" if per_image else "identities"
        labels = identities([5] * people)
        return PKSampler(labels, world_size=processes, epoch_length=length, **options)

    for p in (None, max(1, batch_size // k)):
        try:
            make(p=p, k=k, batch_size=batch_size)
        except UserError as error:
            named = str(error).rpartition("; ")[2]
            sizes = re.search(r"train.batch_size=(\d+)(?: or (\d+))? would fit", named)
            other = re.search(r"train.sampler.k=(\d+)", named)
            smaller = re.search(r"train.sampler.p=(\d+)", named)
            for size in filter(None, sizes.groups() if sizes else ()):
                make(p=int(smaller[1]) if smaller else p, k=k, batch_size=int(size))
            if other:
                make(k=int(other[1]), batch_size=batch_size)
            assert sizes or processes > people


@pytest.fixture
def nothing_said():
    """What other tests have had said is said again."""
    _say_once.cache_clear()


def test_batches_of_one_image_each_are_said(nothing_said, capsys):
    PKSampler(range(5), k=1, batch_size=5)
    assert capsys.readouterr().out == ""
    PKSampler(range(5), k=4, batch_size=16)
    said = capsys.readouterr().out
    assert "5 of 5 identities have one image" in said and "learn nothing about identities" in said


def test_identities_of_one_image_are_counted_once(nothing_said, capsys):
    labels = [1, 1, 2, 3, 3, 3, 4]
    for _ in range(2):
        PKSampler(labels, p=2, k=2)
    assert capsys.readouterr().out == (
        "PKSampler: 2 of 4 identities have one image, which stands k=2 times in a batch and is its "
        "own positive\n"
    )
