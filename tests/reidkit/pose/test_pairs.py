import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.pose.heatmaps import heatmap_maximum
from reidkit.pose.pairs import LIMB_PAIRS, SHARE, part_pairs

SIGMA = 1.5
SIZE = (24, 20)


def bump(x, y, height=1.0):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return height * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * SIGMA**2))


def person(left_ankle, right_ankle, heights=(1.0, 0.8)):
    """Knees apart, and both ankles in the maps of both."""
    maps = np.zeros((17, *SIZE), np.float32)
    maps[13], maps[14] = bump(4, 8), bump(15, 8)
    maps[15] = maps[16] = np.maximum(bump(*left_ankle, heights[0]), bump(*right_ankle, heights[1]))
    return torch.from_numpy(maps)[None]


@pytest.mark.parametrize("heights", [(1.0, 0.8), (0.8, 1.0)])
def test_both_ankles_are_found_and_go_to_their_own_knees(heights):
    places, values = part_pairs(person((4, 18), (15, 19), heights), SIGMA)
    assert places[0, 15].tolist() == [4, 18] and places[0, 16].tolist() == [15, 19]
    assert values[0, 15:].tolist() == pytest.approx(heights)


def test_a_leg_before_the_other_keeps_both_joints():
    maps = person((9, 18), (9, 18))
    for found, wanted in zip(part_pairs(maps, SIGMA), heatmap_maximum(maps), strict=True):
        assert torch.equal(found, wanted)


def test_a_second_peak_that_is_too_low_is_none():
    below, above = 0.9 * SHARE, 1.1 * SHARE
    places, _ = part_pairs(person((4, 18), (15, 19), (1.0, below)), SIGMA)
    assert places[0, 15].tolist() == places[0, 16].tolist() == [4, 18]
    places, _ = part_pairs(person((4, 18), (15, 19), (1.0, above)), SIGMA)
    assert places[0, 16].tolist() == [15, 19]


def test_joints_on_two_places_are_left_alone_even_when_crossed():
    maps = person((4, 18), (15, 19))
    maps[0, 15], maps[0, 16] = torch.from_numpy(bump(15, 19)), torch.from_numpy(bump(4, 18))
    places, _ = part_pairs(maps, SIGMA)
    assert places[0, 15].tolist() == [15, 19] and places[0, 16].tolist() == [4, 18]


def one_pair(maps, places, values, left, right):
    """The rule for one pair of one person, in the plainest words."""
    (a, before_a), (b, before_b) = left, right
    if np.hypot(*(places[a] - places[b])) >= SIGMA:
        return
    options = []
    for joint, other in ((a, b), (b, a)):
        best, spot = 0.0, np.array([-1, -1])
        for y in range(SIZE[0]):
            for x in range(SIZE[1]):
                window = maps[joint, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
                far = np.hypot(*(np.array([x, y]) - places[joint])) >= 2 * SIGMA
                if far and maps[joint, y, x] >= window.max() and maps[joint, y, x] > best:
                    best, spot = maps[joint, y, x], np.array([x, y])
        options.append((best, spot, values[joint], places[other].copy(), values[other]))
    best, spot, first, kept, kept_value = max(options, key=lambda option: option[0])
    if best < SHARE * first:
        return
    straight = np.hypot(*(places[before_a] - kept)) + np.hypot(*(places[before_b] - spot))
    crossed = np.hypot(*(places[before_a] - spot)) + np.hypot(*(places[before_b] - kept))
    if crossed < straight:
        places[a], places[b], values[a], values[b] = spot, kept, best, kept_value
    else:
        places[a], places[b], values[a], values[b] = kept, spot, kept_value, best


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
@pytest.mark.slow
def test_a_batch_gives_what_the_plain_rule_gives(seed):
    rng = np.random.default_rng(seed)
    maps = np.zeros((3, 17, *SIZE), np.float32)
    for person_maps in maps:
        for joint in range(17):
            for _ in range(rng.integers(1, 4)):
                x, y = rng.integers(0, SIZE[1]), rng.integers(0, SIZE[0])
                person_maps[joint] += bump(x, y, rng.uniform(0.2, 1))
        for (left, _), (right, _) in LIMB_PAIRS:
            if rng.random() < 0.7:
                person_maps[right] = person_maps[left] * rng.uniform(0.9, 1.1)
    found, heights = part_pairs(torch.from_numpy(maps), SIGMA)
    for row, one in enumerate(maps):
        places, values = (x[0].numpy() for x in heatmap_maximum(torch.from_numpy(one)[None]))
        for left, right in LIMB_PAIRS:
            one_pair(one, places, values, left, right)
        np.testing.assert_array_equal(found[row].numpy(), places)
        np.testing.assert_array_equal(heights[row].numpy(), values)
