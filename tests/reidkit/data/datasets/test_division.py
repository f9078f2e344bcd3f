"""Held-out identities give queries that can be answered."""

import numpy as np
import pytest

from reidkit.data.datasets.division import divide
from reidkit.errors import UserError
from reidkit.evaluation import Labels, match_labels
from reidkit.evaluation.protocols import PROTOCOLS


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("cameras", [True, False])
def test_every_query_has_a_positive_and_nobody_is_on_both_sides(seed, cameras):
    rng = np.random.default_rng(seed)
    people = rng.integers(-1, 12, 60)
    views = rng.integers(0, 4, 60)
    masks = divide(people, views if cameras else None, 0.5, seed)
    assert (sum(mask.astype(int) for mask in masks.values()) == 1).all()
    query, gallery = masks["query"], masks["gallery"]
    seen = views if cameras else np.where(query, 0, 1)
    sides = [Labels(people[mask], seen[mask]) for mask in (query, gallery)]
    assert len(match_labels(PROTOCOLS["market"], *sides).valid) == query.sum() > 0
    assert not set(people[masks["train"]]) & set(people[query | gallery])
    assert gallery[people < 1].all()  # junk and distractors
    pairs = list(zip(people[query], views[query] if cameras else people[query], strict=True))
    assert len(pairs) == len(set(pairs))
    again = divide(people, views if cameras else None, 0.5, seed)
    assert all((again[name] == masks[name]).all() for name in masks)


def test_identities_that_can_be_asked_for_are_held_out_if_chance_took_none():
    people = np.array([*range(1, 20), 20, 20])
    for seed in range(10):
        assert people[divide(people, None, 0.1, seed)["query"]].tolist() == [20]


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(UserError, match="1 identities cannot be divided with holdout=0.5"):
        divide(np.ones(9, dtype=int), None)
    with pytest.raises(UserError, match="each identity has one image"):
        divide(np.arange(1, 9), None)
    with pytest.raises(UserError, match="seen by two cameras"):
        divide(np.repeat([1, 2, 3], 4), np.repeat([1, 2, 3], 4))


def test_given_rows_are_held_out():
    people = np.repeat([1, 2, 3], 2)
    held = people > 1
    masks = divide(people, None, held=held)
    assert (masks["train"] == ~held).all() and masks["query"].sum() == masks["gallery"].sum() == 2
