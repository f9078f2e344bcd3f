"""Every door with generated inputs: words or a right result, no traceback, hang or stray file.

Hypothesis is derandomised: the same inputs every time. Many more: ``python tools/fuzz.py``.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reidkit.cli.main import main
from reidkit.testing.fuzz import DOORS, Campaign
from reidkit.testing.fuzz.mutate import changed_tree, damaged, odd_name, put_odd

pytestmark = pytest.mark.slow
CASES = {"configs": 6, "runs": 8, "manifests": 8}  # slower ones; of the others 12


@pytest.fixture(scope="module", params=sorted(DOORS))
def campaign(request):
    with Campaign([request.param], main) as campaign:
        yield campaign


def test_a_door_holds(campaign):
    (door,) = campaign.doors

    @settings(
        max_examples=CASES.get(door.name, 12), derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.integers(10**6, 2 * 10**6))
    def holds(seed: int) -> None:
        outcome = campaign.one(door, seed)
        again = f"python tools/fuzz.py --replay {door.name}:{seed}"
        assert outcome.good, f"{outcome.kind}: {outcome.what}\n{outcome.text}\n{again}"

    holds()


@settings(max_examples=50, derandomize=True, deadline=None, database=None)
@given(st.binary(max_size=200), st.randoms(use_true_random=False))
def test_damage_always_changes_something(data, rng):
    assert damaged(data, rng)[0] != data


@settings(max_examples=50, derandomize=True, deadline=None, database=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    st.randoms(use_true_random=False),
)
def test_a_changed_tree_leaves_the_first_alone(tree, rng):
    before = repr(tree)
    changed_tree(tree, rng)
    assert repr(tree) == before


def test_odd_things_take_a_files_place(tmp_path):
    kinds = set()
    for seed in range(40):
        path = tmp_path / f"{seed} {odd_name(Random(seed))}"
        path.write_bytes(b"x")
        kinds.add(put_odd(path, Random(seed)))
    assert len(kinds) == 6
