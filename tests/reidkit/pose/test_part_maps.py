import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from reidkit.pose.body import BODY, capsules, fill_in, person_size
from reidkit.pose.part_maps import paint_part_maps, resize_part_labels

SIZES = np.array([[128, 64], [90, 60]])


def standing(height=128.0, width=64.0):
    """A frontal person that fills the crop; COCO order."""
    y = np.array([12, 10, 10, 11, 11, 25, 25, 42, 42, 58, 58, 62, 62, 90, 90, 117, 117])
    x = np.array([32, 34, 30, 36, 28, 41, 23, 45, 19, 47, 17, 38, 26, 38, 26, 38, 26])
    return np.stack([x * width / 64, y * height / 128, np.full(17, 0.9)], axis=1)


def slow_capsule(a, b, radius, size, crop):
    """Cells within a radius of a segment, one at a time."""
    inside = np.zeros(size, bool)
    for i in range(size[0]):
        for j in range(size[1]):
            p = np.array([(j + 0.5) * crop[1] / size[1], (i + 0.5) * crop[0] / size[0]])
            t = np.clip((p - a) @ (b - a) / max((b - a) @ (b - a), 1e-6), 0, 1)
            inside[i, j] = np.hypot(*(p - a - t * (b - a))) <= radius
    return inside


def parts(joints):
    """Points, which are seen, and the crop's height, as ``capsules`` takes them."""
    return joints[..., :2], joints[..., 2] > 0.1, np.full(len(joints), 128.0)


def test_one_limb_is_the_cells_near_its_segment():
    joints = np.zeros((1, 17, 3))
    joints[0, 7], joints[0, 9] = (20, 60, 0.9), (30, 90, 0.9)  # elbow and wrist only
    painted = paint_part_maps(joints, SIZES[:1])[0]
    size = person_size(*parts(joints))[0]
    assert size == pytest.approx(np.hypot(10, 30) / 0.5)
    hand = joints[0, 9, :2] + BODY.hand * np.array([10, 30])
    radius = BODY.lower_arm * size
    wanted = slow_capsule(joints[0, 7, :2], hand, radius, (48, 16), (128, 64))
    assert wanted.any()
    assert ((painted == 4) == wanted).all()
    assert set(np.unique(painted)) == {0, 4}


def test_what_the_body_itself_hides_is_filled_in():
    joints = standing()[None]
    points, seen, height = parts(joints)
    size = person_size(points, seen, height)
    for hidden, near in (([6], 6), ([13], 8), ([11, 12], 16), ([5, 6], 12), ([12], 8)):
        some = seen.copy()
        some[0, hidden] = False
        found, known = fill_in(points, some, size, height)
        assert known[0, hidden].all()
        distance = np.linalg.norm(found - points, axis=-1)[0]
        assert distance[hidden].max() < near, hidden
        assert distance[[j for j in range(17) if j not in hidden]].max() == 0
    some = seen.copy()
    some[0, [13, 14, 15, 16]] = False  # legs that would end inside the crop
    assert not fill_in(points, some, size, height)[1][0, 13:].any()
    found, known = fill_in(points, some, size, np.array([80.0]))  # a crop that ends above the knees
    assert known[0, 13:].all()
    assert found[0, 13, 1] > 80


def test_every_class_has_its_limbs():
    counts = {}
    for limb in capsules(*parts(standing()[None])):
        counts[limb.part] = counts.get(limb.part, 0) + 1
        assert limb.drawn.all()
    assert counts == {1: 2, 2: 5, 3: 2, 4: 2, 5: 2, 6: 2, 7: 2}


def test_parts_of_a_standing_person_lie_where_they_should():
    painted = paint_part_maps(standing()[None], SIZES[:1])[0]
    rows = [np.flatnonzero((painted == part).any(1)).mean() for part in range(1, 8)]
    head, torso, upper_arm, lower_arm, upper_leg, lower_leg, foot = rows
    assert head < upper_arm < torso < upper_leg < lower_leg < foot
    assert upper_arm < lower_arm
    assert set(np.unique(painted)) == set(range(8))


def test_many_people_at_once_are_the_same_as_one_by_one():
    rng = np.random.default_rng(0)
    joints = np.stack([standing()] * 300) + rng.normal(0, 6, (300, 17, 3)) * [1, 1, 0.05]
    sizes = np.stack([SIZES[i % 2] for i in range(300)])
    together = paint_part_maps(joints, sizes)
    for row in (0, 1, 255, 256, 299):
        alone = paint_part_maps(joints[row : row + 1], sizes[row : row + 1])[0]
        assert (together[row] == alone).all()


def test_mirrored_joints_give_the_mirrored_map():
    joints = standing()
    joints[9, 0] += 7  # no longer symmetric
    mirrored = joints[[0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]].copy()
    mirrored[:, 0] = 64 - mirrored[:, 0]
    a, b = paint_part_maps(np.stack([joints, mirrored]), SIZES[[0, 0]])
    assert (a[:, ::-1] != b).mean() < 0.01


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float64, (2, 17, 3), elements=st.floats(-500, 500, width=32)))
def test_any_joints_give_classes_only(joints):
    painted = paint_part_maps(joints, SIZES, (12, 4))
    assert painted.dtype == np.uint8
    assert painted.max() <= 7


def test_hidden_joints_paint_nothing():
    joints = standing()
    joints[:, 2] = 0.1  # not above
    assert not paint_part_maps(joints[None], SIZES[:1]).any()
    joints[[5, 6], 2] = 0.100001
    assert set(np.unique(paint_part_maps(joints[None], SIZES[:1]))) == {0, 1, 2}


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"keypoints must be \(N, 17, 3\), got \(1, 14, 3\)"):
        paint_part_maps(np.zeros((1, 14, 3)), SIZES[:1])
    with pytest.raises(ValueError, match=r"image_sizes must be \(1, 2\), got \(2, 2\)"):
        paint_part_maps(np.zeros((1, 17, 3)), SIZES)


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=60),
               elements=st.integers(0, 7)),
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
)  # fmt: skip
def test_nearest_is_opencvs_and_invents_no_class(labels, size):
    found = resize_part_labels(labels, size)
    assert set(np.unique(found)) <= set(np.unique(labels))
    if labels.shape[0] % size[0] == 0 and labels.shape[1] % size[1] == 0:
        wanted = cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST)
        assert (found == wanted).all()


def test_a_crop_is_sampled_at_floor_of_four_columns_and_two_and_two_thirds_rows():
    labels = np.random.default_rng(0).integers(0, 8, (128, 64), dtype=np.uint8)
    found = resize_part_labels(labels, (48, 16))
    rows = [int(np.floor(8 * i / 3)) for i in range(48)]
    assert (found == labels[np.ix_(rows, range(0, 64, 4))]).all()
    assert (found == cv2.resize(labels, (16, 48), interpolation=cv2.INTER_NEAREST)).all()


def test_bilinear_reproduces_the_released_codes_accident():
    edge = np.array([[0, 7]], dtype=np.uint8)
    assert resize_part_labels(edge, (1, 1), bilinear=True).item() == 4
    assert resize_part_labels(edge, (1, 1)).item() == 0


def test_wrong_labels_are_refused():
    with pytest.raises(ValueError, match="part labels must be 0..7, found 14"):
        resize_part_labels(np.full((4, 4), 14), (2, 2))
    with pytest.raises(ValueError, match=r"must be \(H, W\), got \(4, 4, 3\)"):
        resize_part_labels(np.zeros((4, 4, 3), np.uint8), (2, 2))
