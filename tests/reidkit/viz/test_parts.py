"""The part-label sheet and its panels."""

import cv2
import numpy as np
import pytest

from reidkit.viz import part_sheet, parts

CROP = np.full((64, 32, 3), 128, np.uint8)


def joints(**seen):
    points = np.zeros((17, 3))
    for name, (x, y) in seen.items():
        points[int(name[1:])] = (x, y, 1.0)
    return points


def test_each_part_has_its_colour_on_the_nearest_cells():
    part_map = np.zeros((8, 4), int)
    part_map[:7, 0] = np.arange(1, 8)
    drawn = parts.draw_parts(CROP, part_map, strength=1.0)
    colours = [tuple(drawn[8 * row + 4, 4].tolist()) for row in range(7)]
    assert colours == [colour for _, colour in parts.PARTS]
    assert (drawn[:, 8:] == 128).all() and (drawn[56:] == 128).all()


def test_joints_are_drawn_where_they_are_left_and_right_apart():
    drawn = parts.draw_joints(CROP, joints(j5=(20, 10), j6=(8, 10), j7=(20, 30)), scale=4)
    assert tuple(drawn[42, 82].tolist()) == parts.LEFT
    assert tuple(drawn[42, 34].tolist()) == parts.RIGHT
    assert tuple(drawn[82, 82].tolist()) == parts.LEFT  # on the upper arm
    assert tuple(drawn[42, 58].tolist()) == parts.MIDDLE  # between the shoulders


@pytest.mark.parametrize("confidence", [0.0, 0.1])
def test_unseen_joints_are_left_out(confidence):
    points = joints(j5=(20, 10), j7=(20, 30))
    points[:, 2] *= confidence
    assert (parts.draw_joints(CROP, points) == 128).all()


def test_masks_keep_the_region_and_darken_the_rest():
    mask = np.zeros((8, 4), bool)
    mask[:2] = True
    drawn = parts.draw_mask(CROP, mask)
    assert (drawn[:16] == 128).all() and (drawn[16:] == 28).all()
    crossed = parts.draw_mask(CROP, np.zeros((8, 4), bool))
    assert tuple(crossed[32, 16].tolist()) == (200, 60, 60)


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("regions", [None, 6, 9])
def test_the_sheet_holds_every_crop(tmp_path, n, regions):
    crops = np.stack([np.full((64, 32, 3), 40 + 40 * i, np.uint8) for i in range(n)])
    masks = None if regions is None else np.ones((n, regions, 8, 4), bool)
    part_sheet(tmp_path / "s.png", crops, np.zeros((n, 17, 3)), np.zeros((n, 8, 4), int), masks)
    picture = cv2.imread(str(tmp_path / "s.png"))[parts.HEAD :]
    panels = 3 * parts.TILE * (parts.TILE // 2)
    for crop in crops:  # each plain, with joints, with part map
        assert (picture == crop[0, 0]).all(2).sum() >= panels * 0.98


def test_panels_without_labels_are_left_out(tmp_path):
    part_sheet(tmp_path / "s.png", CROP[None], None, None)
    picture = cv2.imread(str(tmp_path / "s.png"))[parts.HEAD :]
    assert (picture == 128).all(2).sum() == parts.TILE * parts.TILE // 2


def test_labels_of_another_number_are_refused(tmp_path):
    with pytest.raises(ValueError, match="part_sheet: part_maps for 2 crops, images of 1"):
        part_sheet(tmp_path / "s.png", CROP[None], None, np.zeros((2, 8, 4)))
    with pytest.raises(ValueError, match="part_sheet needs at least one crop"):
        part_sheet(tmp_path / "s.png", CROP[:0][None][:0], None, None)
