"""Composites without a generator: an identity in another crop's pose, place and box."""

from dataclasses import replace

import numpy as np
import pytest

from reidkit.synthped import plan
from reidkit.synthped.composites import SynthPedComposites, contents
from reidkit.synthped.reader import SynthPed
from reidkit.synthped.world import Shot, render


def test_every_crop_gives_composites_in_poses_of_the_training_set():
    items = contents("tiny", "A", 0, None, 3).items
    real = [i for i in plan.plan("tiny", "A") if i.path.startswith(f"{plan.TRAIN}/")]
    assert len({i.path for i in items}) == len(items) == 3 * len(real)
    worn = [i.shot.wearer for i in items]
    assert {n: worn.count(n) for n in set(worn)} == {n: 18 for n in range(1, 13)}
    assert {replace(i.shot, wearer=None) for i in items} <= {i.shot for i in real}
    assert np.mean([i.shot.wearer != i.shot.identity for i in items]) > 0.8
    with pytest.raises(ValueError, match="each must be at least 1, got 0"):
        contents("tiny", "A", 0, None, 0)


def test_the_wearer_stands_in_the_other_ones_pose_and_box():
    own = render(Shot("A", 5, 2), (128, 64))
    other = render(Shot("A", 5, 2, wearer=9), (128, 64))
    again = render(Shot("A", 9, 2), (128, 64))
    assert own.heading == other.heading != again.heading and own.seconds == other.seconds
    np.testing.assert_array_equal(own.box_error, other.box_error)
    difference = np.abs(own.image.astype(int) - other.image).mean(2)
    assert difference[own.parts > 0].mean() > 2 * difference[own.parts == 0].mean()
    same = render(Shot("A", 5, 2, wearer=5), (128, 64))
    np.testing.assert_array_equal(own.image, same.image)


def test_the_same_crop_in_the_colours_of_others():
    items = contents("tiny", "A", 0, None, 2, "colours").items
    real = [i for i in plan.plan("tiny", "A") if i.path.startswith(f"{plan.TRAIN}/")]
    assert len({i.path for i in items}) == len(items) == 2 * len(real)
    assert all(i.shot.identity == int(i.path.rpartition("/")[2][:4]) for i in items)
    assert {replace(i.shot, colours=None) for i in items} == {i.shot for i in real}
    assert np.mean([i.shot.colours != i.shot.identity for i in items]) > 0.8
    with pytest.raises(ValueError, match="kind must be one of .*, got 'hats'"):
        contents("tiny", "A", 0, None, 2, "hats")


def test_other_colours_leave_shape_pose_and_background():
    shot = next(
        s for s in (Shot("A", n, 2) for n in range(50)) if not render(s, (128, 64)).occluded
    )
    own, other = (render(replace(shot, colours=c), (128, 64)) for c in (None, 9))
    assert np.mean(own.parts != other.parts) < 0.03  # side stripes and boots differ
    np.testing.assert_array_equal(own.joints, other.joints)
    difference = np.abs(own.image.astype(int) - other.image).mean(2)
    assert difference[own.parts > 0].mean() > 5 * difference[own.parts == 0].mean()
    same = render(replace(shot, colours=shot.identity), (128, 64))
    np.testing.assert_array_equal(own.image, same.image)


def test_the_reader_brings_a_training_split_of_the_same_people(tmp_path):
    reader = SynthPedComposites(str(tmp_path), preset="tiny", each=1)
    reader.prepare()
    splits = reader.splits()
    assert list(splits) == ["train"] and len(splits["train"]) == 72
    assert set(splits["train"].identities.tolist()) == set(range(1, 13))
    assert splits["train"].times is not None and splits["train"].pictures == "synthped"
    first, last = splits["train"].paths[0], splits["train"].paths[-1]
    shots = {item.path: item.shot for item in reader.contents.items}
    crop = reader.wearing(last, first)
    worn = replace(shots[first], wearer=int(splits["train"].identities[-1]))
    np.testing.assert_array_equal(crop.image, render(worn).image)


def test_the_reader_brings_crops_in_other_colours(tmp_path):
    reader = SynthPedComposites(str(tmp_path), preset="tiny", each=1, kind="colours")
    reader.prepare()
    train = reader.splits()["train"]
    assert reader.name.endswith("A_composites1_colours") and len(train) == 72
    plain = SynthPedComposites(str(tmp_path), preset="tiny", each=1)
    assert plain.name != reader.name and plain.contents.items != reader.contents.items


def test_a_crop_of_the_set_again_and_on_someone_else(tmp_path):
    reader = SynthPed(str(tmp_path), preset="tiny")
    items = plan.plan("tiny", "A")
    first, second = (next(i for i in items if name in i.path) for name in ("/0001_c1", "/0002_c2"))
    own = reader.wearing(first.path, first.path)
    np.testing.assert_array_equal(own.image, render(first.shot).image)
    other = reader.wearing(second.path, first.path)
    np.testing.assert_array_equal(other.image, render(replace(first.shot, wearer=2)).image)
