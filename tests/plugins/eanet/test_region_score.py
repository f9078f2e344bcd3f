from types import SimpleNamespace

import numpy as np
import pytest

from reidkit.plugin.extend import extensions
from reidkit_plugins.eanet.region_score import score, visible_regions

SIZES = np.array([[120, 60]])


def standing() -> np.ndarray:
    """One person whose joints stand in order, all of COCO flag 2."""
    joints = np.zeros((1, 17, 3))
    joints[..., 0], joints[..., 2] = 30, 2
    heights = {5: 30, 6: 30, 11: 60, 12: 60, 13: 85, 14: 85, 15: 110, 16: 110}
    for joint, y in heights.items():
        joints[0, joint, 1] = y
    return joints


def numbers(keypoints, joints):
    store = SimpleNamespace(keypoints=keypoints, image_sizes=SIZES)
    truth = {"joints": joints, "part_maps": np.ones((1, 96, 32), np.uint8)}
    return {column.name: column.value for column in score(store, truth)}


def test_equal_visibility_scores_one_and_a_missing_joint_its_regions():
    joints = standing()
    keypoints = joints.copy()
    keypoints[..., 2] = 0.9
    assert visible_regions(keypoints, SIZES).all()
    assert numbers(keypoints, joints) == {"regions": 1, "strict": 1}
    keypoints[:, 15:, 2] = 0  # no ankles: the shoes are not seen
    assert numbers(keypoints, joints)["regions"] == pytest.approx(8 / 9)


def test_joints_behind_the_own_body_count_as_seen_but_not_strictly():
    joints = standing()
    keypoints = joints.copy()
    keypoints[..., 2] = 0.9
    joints[:, 15:, 2] = 1  # hidden ankles, where the part map shows the person
    result = numbers(keypoints, joints)
    assert result["regions"] == 1
    assert result["strict"] == pytest.approx(8 / 9)


def test_the_command_finds_it_through_the_manifest():
    assert extensions("label_scores")["eanet/regions"].load() is score
