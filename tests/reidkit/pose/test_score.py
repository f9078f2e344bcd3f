import numpy as np
import pytest

from reidkit.pose.part_maps import paint_part_maps
from reidkit.pose.score import (
    Column,
    confusion,
    intersection_over_union,
    pck,
    score_labels,
    score_table,
    torso_size,
)


def people(count=4):
    joints = np.random.default_rng(0).uniform(10, 60, (count, 17, 3))
    joints[:, 5:7, 1], joints[:, 11:13, 1] = 20, 60
    joints[..., 2] = 2
    return joints


def test_joints_count_within_a_fifth_of_the_torso():
    truth = np.zeros((1, 17, 3))
    truth[0, 11:13, 1] = 50  # torso of 50 pixels
    truth[0, [0, 1, 2], 2] = 2, 2, 1
    found = truth.copy()
    found[0, 0, 0], found[0, 1, 0], found[0, 2, 0] = 9.9, 10.1, 99
    assert torso_size(truth).tolist() == [50]
    right = pck(found, truth)
    assert right[0, :2].tolist() == [1, 0]
    assert np.isnan(right[0, 2:]).all()  # hidden joints do not count


def test_iou_by_hand():
    truth, found = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    iou = intersection_over_union(confusion(found, truth))
    assert iou[:2].tolist() == pytest.approx([1 / 2, 2 / 3])
    assert np.isnan(iou[2:]).all()


def test_perfect_labels_score_one_and_faults_lower_their_own_number():
    truth = people()
    sizes = np.full((4, 2), 64)
    found = truth.copy()
    found[..., 2] = 0.9
    maps = paint_part_maps(found, sizes, (96, 32))
    small = maps[:, ::2, ::2]
    best = score_labels(found, sizes, small, truth, maps)
    assert (best.pck, best.iou, best.sides, best.coarse) == (1, 1, 1, 1)
    moved = found.copy()
    moved[0, :, 0] += 100
    assert score_labels(moved, sizes, small, truth, maps).pck == 0.75
    hidden = found.copy()
    hidden[:2, 5, 2] = 0
    score = score_labels(hidden, sizes, small, truth, maps)
    assert score.sides == 1 - 2 / (4 * 17)
    worse = score_labels(found, sizes, np.zeros_like(small), truth, maps)
    assert worse.coarse < 0.2 < worse.iou
    worse = score_labels(found, sizes, small, truth, np.zeros_like(maps))
    assert worse.iou < 0.2
    lines = score_table([("toy", best, [Column("extra", 0.5, "of a plugin", 0.25)])]).splitlines()
    assert lines[0].split() == [
        "labels",
        "of",
        "crops",
        "PCK@0.2",
        "mIoU",
        "joints",
        "stored",
        "extra",
    ]
    assert lines[1].split() == ["toy", "4", *["100.0%"] * 4, "50.0%"]
    assert lines[2].split()[-3:] == ["90.0%", "60.0%", "25.0%"]
    assert lines[-1] == "extra: of a plugin"
