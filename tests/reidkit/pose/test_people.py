"""From people in a file to the joints of crops."""

from dataclasses import replace

import numpy as np
import pytest

from reidkit.errors import UserError
from reidkit.pose.people import LabelledImage, Person, fit_people


def person(x: float, scale: float = 1.0, **more) -> Person:
    joints = np.stack([np.full(17, x), np.linspace(1, 30, 17), np.ones(17)], 1) * (scale, scale, 1)
    return Person(joints, "kp.json: annotation 1", **more)


def images(split, **more):
    return [LabelledImage(p, (person(i + 1),), **more) for i, p in enumerate(split.paths)]


def test_every_crop_gets_its_own_joints(crops):
    split = crops(4)
    fitted = fit_people(list(reversed(images(split))), split, "kp.json")
    assert fitted.keypoints[:, 0, 0].tolist() == [1, 2, 3, 4]
    assert fitted.sizes.tolist() == [[40 + i, 20 + i] for i in range(4)]
    assert (fitted.nobody, fitted.several) == (0, 0)


def test_crops_that_are_not_listed_are_refused_or_counted(crops):
    split = crops(4)
    with pytest.raises(UserError) as caught:
        fit_people(images(split)[:3], split, "kp.json")
    assert str(caught.value) == (
        "kp.json: nothing for 1 of 4 crops of toy/train, the first is '0003_c0.jpg' (the file has "
        "3 images, such as '0000_c0.jpg'); --allow-missing takes them as crops with nobody in them"
    )
    fitted = fit_people(images(split)[:3], split, "kp.json", allow_missing=True)
    assert fitted.nobody == 1 and not fitted.keypoints[3].any()


def test_a_listed_crop_without_people_has_nobody_in_it(crops):
    split = crops(2)
    empty = Person(np.zeros((17, 3)), "kp.json: annotation 3", area=900.0)
    entries = [images(split)[0], LabelledImage(split.paths[1], (empty,))]
    assert fit_people(entries, split, "kp.json").nobody == 1


def test_the_largest_person_is_taken_of_those_that_are_sure(crops):
    split = crops(1)
    big, small = np.array([0, 0, 18, 30.0]), np.array([0, 0, 4, 4.0])

    def chosen(*people):
        fitted = fit_people([LabelledImage(split.paths[0], people)], split, "kp.json")
        assert fitted.several == (len(people) > 1)
        return fitted.keypoints[0, 0, 0]

    assert chosen(person(1, box=small), person(2, box=big)) == 2
    assert chosen(person(1, box=small, area=9.0), person(2, box=big)) == 2  # not comparable
    assert chosen(person(1, area=9.0), person(2, area=5.0)) == 1
    assert chosen(person(1), person(2, scale=0.5)) == 1  # by the joints
    assert chosen(person(1, box=small, score=0.9), person(2, box=big, score=0.2)) == 1


def test_joints_of_a_larger_image_are_scaled_and_of_another_shape_refused(crops):
    split = crops(1)  # 20 wide, 40 high
    entry = LabelledImage(split.paths[0], (person(6, 2.0),), size=(80, 40))
    fitted = fit_people([entry], split, "kp.json")
    assert fitted.keypoints[0, 0].tolist() == [6, 1, 1]
    fit_people([replace(entry, size=(81, 40))], split, "kp.json")  # a rounded side
    with pytest.raises(UserError) as caught:
        fit_people([replace(entry, size=(256, 192))], split, "kp.json")
    assert "annotation 1: joints of an image of 192x256 pixels, and '0000_c0.jpg' has 20x40" in str(
        caught.value
    )


def test_fractions_are_of_the_crop(crops):
    split = crops(1)
    entry = LabelledImage(split.paths[0], (person(0.5, 1.0),), fractions=True)
    entry.people[0].joints[:, 1] = 0.25
    assert fit_people([entry], split, "kp.json").keypoints[0, 0].tolist() == [10, 10, 1]


def test_joints_in_other_pixels_than_the_crops_are_refused(crops):
    split = crops(3)
    twice = [LabelledImage(p, (person(18, 2.0),)) for p in split.paths]
    with pytest.raises(
        UserError, match="of the joints lie outside their crops: they were found in"
    ):
        fit_people(twice, split, "kp.json")
    tiny = [LabelledImage(p, (person(0.5, 0.05),)) for p in split.paths]
    with pytest.raises(UserError, match="they seem to be fractions of the image"):
        fit_people(tiny, split, "kp.json")
    with pytest.raises(
        UserError, match="annotation 1: nose is at x=1000, y=50, far outside the im"
    ):
        fit_people([LabelledImage(split.paths[0], (person(20, 50.0),))], split.select([0]), "kp")


def test_a_crop_of_a_photograph_takes_the_person_in_its_box(crops):
    split = crops(1)
    photograph = replace(
        split, paths=split.paths * 3, identities=[1, 2, 3], cameras=[0, 0, 0],
        boxes=[[0, 0, 8, 35], [10, 0, 8, 35], [2, 36, 4, 4]],
    )  # fmt: skip
    people = (person(13, box=np.array([9.5, 0, 8, 35])), person(4, box=np.array([0, 1, 8, 34])))
    fitted = fit_people([LabelledImage(split.paths[0], people)], photograph, "kp.json")
    assert fitted.keypoints[:, 0, 0].tolist() == [4, 3, 0]
    assert fitted.sizes.tolist() == [[35, 8], [35, 8], [4, 4]]
    assert (fitted.nobody, fitted.several) == (1, 0)


def test_entries_named_after_the_image_without_its_ending(crops):
    split = crops(2)
    entries = [LabelledImage(p[:-4], (person(i + 1),), named="stem")
               for i, p in enumerate(split.paths)]  # fmt: skip
    assert fit_people(entries, split, "folder").keypoints[:, 0, 0].tolist() == [1, 2]
    with pytest.raises(UserError, match="'0000_c0.jpg' and '0000_c0.png' are both called so"):
        fit_people(entries, split, "folder", among=["0000_c0.png"])


def test_entries_named_by_the_number_of_a_frame(crops):
    split = crops(2)
    split = replace(split, paths=("000012.jpg", "000007.jpg"))
    for old, new in zip(crops(2).paths, split.paths, strict=True):
        (split.root / old).rename(split.root / new)
    entries = [LabelledImage(str(n), (person(n),), named="frame") for n in (7, 12)]
    assert fit_people(entries, split, "video.json").keypoints[:, 0, 0].tolist() == [12, 7]
