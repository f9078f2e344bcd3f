import numpy as np
import pytest

from reidkit.pose.findings import label_findings
from reidkit.pose.generate import ensure_labels
from reidkit.pose.quality import Quality

# a person standing upright, shoulders to hips 40 pixels
STANDING = np.array([
    (30, 12), (32, 10), (28, 10), (34, 11), (26, 11), (40, 24), (20, 24), (42, 46), (18, 46),
    (43, 64), (17, 64), (37, 64), (23, 64), (36, 94), (24, 94), (36, 122), (24, 122),
])  # fmt: skip


def people(count: int = 10) -> np.ndarray:
    return np.concatenate([np.stack([STANDING] * count), np.ones((count, 17, 1))], -1).astype(float)


def test_people_who_stand_are_plausible():
    assert Quality.of(people()) == Quality(10, 0.0, 0.0, 0.0, 0.0)
    assert not Quality.of(people()).poor


def test_lost_joints_and_trunks_are_counted():
    keypoints = people()
    keypoints[0, :, 2] = 0
    keypoints[1, [5, 6], 2] = 0.1  # counts from above 0.1
    keypoints[2, 5, 2] = 0
    quality = Quality.of(keypoints)
    assert quality.nobody == pytest.approx(0.1)
    assert quality.lost == pytest.approx((17 + 2 + 1) / 170)
    assert quality.no_trunk == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("joints", "by"),
    [
        ((0, 1, 2, 3, 4), (0, 20)),  # the head below the shoulders
        ((5, 6), (0, 45)),  # shoulders below the hips
        ((13, 14), (0, -40)),  # knees above the hips
        ((15, 16), (0, -35)),  # ankles above the knees
        ((9,), (30, 0)),  # a forearm that is too long
        ((13,), (0, 20)),  # a thigh that is too long, beside a short shin
        ((11, 12, 13, 14, 15, 16), (25, 0)),  # a body that leans
    ],
)
def test_a_skeleton_that_nobody_has_is_noticed(joints, by):
    keypoints = people()
    keypoints[4, list(joints), :2] += by
    quality = Quality.of(keypoints)
    assert quality.implausible == pytest.approx(0.1)
    assert not quality.poor
    keypoints[5:8] = keypoints[4]
    assert Quality.of(keypoints).poor


def test_words_and_the_description_of_a_store_say_the_same():
    quality = Quality(200, 0.005, 0.125, 0.01, 0.02)
    assert Quality.stored(dict(quality=quality.as_dict())) == quality
    assert str(quality).endswith("cannot be 2.0%, nobody found in 0.5% of crops")


def test_a_data_sets_labels_are_reported_and_damaged_ones_too(crops, tmp_path, mean_labeller):
    split = crops(3)
    assert not list(label_findings(tmp_path / "labels", {"train": split}))
    folder = tmp_path / "labels" / split.label_key
    ensure_labels(split, folder, mean_labeller, (6, 2), workers=0)
    ((level, text),) = label_findings(tmp_path / "labels", {"train": split})
    assert level == "warning" and text.startswith("train: keypoints of mean: joints lost 0.0%")
    assert text.endswith("that is poor")  # all joints are at one place
    (folder / "meta.json").write_text("{")
    ((level, text),) = label_findings(tmp_path / "labels", {"train": split})
    assert level == "warning" and "not readable as JSON" in text
