"""The truth fits the picture it was drawn with."""

import cv2
import numpy as np
import pytest

from reidkit.synthped import body as bd
from reidkit.synthped import items as it
from reidkit.synthped import pose as ps
from reidkit.synthped.people import make_person
from reidkit.synthped.presets import PRESETS
from reidkit.synthped.world import Shot, render

# classes that may surround a visible joint
AROUND = [{1}] * 5 + [{2, 3, 1}] * 2 + [{3, 4}] * 2 + [{4}] * 2 + [{2, 5}] * 2
AROUND += [{5, 6}] * 2 + [{6, 7, 5}] * 2


@pytest.fixture(scope="module")
def crops():
    return [render(Shot(d, n, n % 6 + 1)) for d in "ABP" for n in range(1, 41)]


def test_visible_joints_lie_in_their_parts(crops):
    hits = np.zeros((17, 2), int)
    for crop in crops:
        for joint in np.flatnonzero(crop.joints[:, 2] == 2):
            x, y = crop.joints[joint, :2].astype(int)
            near = crop.parts[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
            hits[joint] += [1, bool(AROUND[joint] & set(near.ravel().tolist()))]
    assert (hits[:, 0] > 30).all()
    assert (hits[:, 1] / hits[:, 0] > 0.97).all(), hits


def test_flags_say_where_a_joint_is(crops):
    for crop in crops:
        height, width = crop.image.shape[:2]
        x, y, flag = crop.joints.T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        np.testing.assert_array_equal(flag > 0, inside)
    flags = np.concatenate([crop.joints[:, 2] for crop in crops])
    assert all((flags == value).mean() > 0.05 for value in (0, 1, 2))


def test_face_is_seen_from_the_front_only(crops):
    for crop in crops:
        nose = crop.joints[0]
        if nose[2] > 0 and 130 < crop.heading < 230:
            away = np.cos(np.deg2rad(crop.heading))
            assert nose[2] == 1 or away > -0.8
    front = [c.joints[0, 2] for c in crops if np.cos(np.deg2rad(c.heading)) > 0.8]
    front = [flag for flag in front if flag > 0]
    assert np.mean(np.array(front) == 2) > 0.8


def test_left_is_on_the_image_right_when_facing_the_camera(crops):
    seen = 0
    for crop in crops:
        cosine = np.cos(np.deg2rad(crop.heading))
        if abs(cosine) > 0.6:
            seen += 1
            assert np.sign(crop.joints[5, 0] - crop.joints[6, 0]) == np.sign(cosine)
    assert seen > 20


def test_part_maps_are_the_parts_at_another_size(crops):
    for crop in crops:
        assert crop.parts.shape == crop.image.shape[:2] and crop.parts.max() <= 7
        assert crop.part_map.shape == (96, 32)
        wide = cv2.resize(crop.parts, (32, 96), interpolation=cv2.INTER_NEAREST)
        assert (wide == crop.part_map).mean() > 0.85


def test_visible_share_counts_pixels_of_the_map(crops):
    """Against a second rendering: the same shot in a box large enough, nothing in front."""
    compared = 0
    for crop in crops:
        share = np.bincount(crop.parts.ravel(), minlength=8) / crop.parts.size
        assert abs(share[0] - crop.visible[0]) < 0.02
        for part in range(1, 8):
            if crop.visible[part] == 0:
                assert share[part] < 0.002
            if share[part] > 0.02:
                assert crop.visible[part] > 0
                compared += 1
        assert (crop.visible >= 0).all() and (crop.visible <= 1).all()
    assert compared > 200


def test_cutting_the_box_lowers_the_visible_share(crops):
    feet_cut = [c for c in crops if c.box_error[3] < -0.12 and not c.occluded]
    whole = [c for c in crops if c.box_error[3] > 0.02 and not c.occluded]
    assert len(feet_cut) > 3 and len(whole) > 10
    assert max(c.visible[7] for c in feet_cut) < 0.75  # one foot is lifted
    assert np.mean([c.visible[7] for c in feet_cut]) < 0.3
    assert np.mean([c.visible[7] for c in whole]) > 0.95


def test_occluders_hide_parts_and_joints(crops):
    hidden = [c for c in crops if c.occluded]
    share = len(hidden) / len(crops)
    assert 0.1 < share < 0.4
    legs = [c.visible[5:8].mean() for c in hidden]
    free = [c.visible[5:8].mean() for c in crops if not c.occluded]
    assert np.mean(legs) < np.mean(free) - 0.2


def test_nobody_in_an_empty_crop():
    crop = render(Shot("A", 500_003, 1, kind="empty"))
    assert crop.parts.max() == 0 and crop.visible[1:].max() == 0 and crop.visible[0] == 1
    assert not crop.joints[:, 2].any()


def test_bags_keep_the_part_label_of_the_body_behind_them():
    person = make_person(PRESETS["standard"], 0, "A", 1)
    from dataclasses import replace

    pose = ps.Pose(180.0, 0.0, 0.3, "walk", 0.05, 1.0)
    canvases = []
    for kind in ("none", "backpack"):
        body = bd.dress(replace(person, bag_kind=kind), pose, 5.0, 0.0)
        canvas = np.zeros((300, 200, 3), np.uint8)
        place = np.array([-0.45, -1.1])
        body.strokes.paint(canvas, np.array([230.0, 230.0]), place, it.BAG_ITEMS)
        canvases.append(canvas)
    plain, packed = canvases
    assert (packed[:, :, 0] == it.BAG_I).sum() > 400
    np.testing.assert_array_equal(plain[:, :, 2], packed[:, :, 2])


def test_box_error_has_the_documented_spread():
    error = np.array(
        [render(Shot("A", n, n % 6 + 1), (64, 32)).box_error for n in range(2000, 2150)]
    )
    preset = PRESETS["standard"]
    np.testing.assert_allclose(error[:, [0, 2]].std(), preset.edge_h, rtol=0.2)
    np.testing.assert_allclose(error[:, [1, 3]].std(), preset.edge_v, rtol=0.2)
