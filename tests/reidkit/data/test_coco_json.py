"""Every value of a COCO file is looked at, and refused with file, entry and value."""

import copy
import json
import math

import numpy as np
import pytest

from reidkit.data.coco_json import people_of, read_people
from reidkit.data.joints import JOINTS
from reidkit.errors import UserError


def coco(count: int = 2) -> dict:
    """One person in each of some images of 20x40 pixels."""
    joints = [v for joint in range(17) for v in (joint + 1, 2 * joint + 1, 2)]
    return dict(
        images=[dict(id=n, file_name=f"{n}.jpg", height=40, width=20) for n in range(1, count + 1)],
        annotations=[
            dict(id=10 + n, image_id=n, category_id=1, keypoints=list(joints))
            for n in range(1, count + 1)
        ],
        categories=[dict(id=1, name="person", keypoints=list(JOINTS))],
    )


def test_people_with_joints_are_read_and_others_counted():
    content = coco(4)
    content["annotations"][1]["iscrowd"] = 1
    content["annotations"][2]["num_keypoints"] = 0
    content["annotations"][3]["keypoints"] = [0] * 51
    people = people_of(content, "kp.json")
    assert [person.id for person in people.people] == [11]
    assert (people.crowds, people.empty, len(people.images)) == (1, 2, 4)
    assert people.people[0].image.size == (40, 20)
    assert people.people[0].joints[3].tolist() == [4, 7, 2]


def test_another_order_of_the_joints_is_brought_into_cocos():
    content = coco(1)
    content["categories"][0]["keypoints"] = list(reversed(JOINTS))
    assert people_of(content, "kp.json").people[0].joints[0].tolist() == [17, 33, 2]
    content["categories"][0]["keypoints"] = [*JOINTS[:-1], "tail"]
    with pytest.raises(UserError, match="keypoints names 'tail'; expected COCO's 17"):
        people_of(content, "kp.json")


def test_animals_are_left_out():
    content = coco(2)
    content["categories"].append(dict(id=2, name="dog", keypoints=["nose", "tail"]))
    content["annotations"][0]["category_id"] = 2
    assert [person.id for person in people_of(content, "kp.json").people] == [12]


def test_confidences_stand_in_the_place_of_flags_or_beside_them():
    content = coco(2)
    content["annotations"][0]["keypoints"][2::3] = [0.25] * 17
    content["annotations"][1]["keypoint_scores"] = [1.2, *[0.5] * 16]
    first, second = people_of(content, "kp.json").people
    assert first.scores.tolist() == [0.25] * 17
    assert second.scores[:2].tolist() == [1.0, 0.5]


WRONG = [
    (("annotations", 0, "keypoints", 3), math.nan, r"annotation 11: keypoints\[3\] is nan"),
    (("annotations", 0, "keypoints", 3), None, r"keypoints\[3\] is None; expected a finite number"),
    (("annotations", 0, "keypoints", 3), math.inf, r"keypoints\[3\] is inf"),
    (("annotations", 0, "keypoints", 3), 10**400, r"keypoints\[3\] is 1000"),
    (("annotations", 0, "keypoints", 3), "4", r"keypoints\[3\] is '4'"),
    (("annotations", 0, "keypoints", 3), True, r"keypoints\[3\] is True"),
    (("annotations", 0, "keypoints", 3), 1e300, r"left_eye is at x=1e\+300, y=3, far outside"),
    (("annotations", 0, "keypoints", 3), -1e6, "left_eye is at x=-1e.06, y=3, far outside"),
    (("annotations", 0, "keypoints", 5), 7, "confidence of left_eye is 7; expected"),
    (("annotations", 0, "keypoints"), 5, "keypoints is 5; expected a list of 51 numbers"),
    (("annotations", 0, "keypoints"), [1], "keypoints has 1 numbers, expected 51"),
    (("annotations", 0, "keypoints"), "text", "keypoints is 'text'; expected a list"),
    (("annotations", 0, "keypoint_scores"), 5, "keypoint_scores is 5; expected a list of 17"),
    (("annotations", 0, "keypoint_scores"), [None] * 17, r"keypoint_scores\[0\] is None"),
    (("annotations", 0, "keypoint_scores"), [50] * 17, "confidence of nose is 50"),
    (("annotations", 0, "keypoint_scores"), [-1] * 17, "confidence of nose is -1"),
    (("annotations", 0, "bbox"), [1, 2, -3, 4], "bbox is .* width and height are 0 or more"),
    (("annotations", 0, "area"), math.nan, r"area\[0\] is nan"),
    (("annotations", 0, "image_id"), 9, "image_id is 9, which no entry of images has"),
    (("annotations", 0, "image_id"), [1], "image_id is .1., which no entry"),
    (("annotations", 0, "category_id"), 3, "category_id is 3; the file has categories 1"),
    (("annotations", 0), 5, r"annotations\[0\] is no dict"),
    (("annotations",), 5, "no COCO annotations: a list 'annotations' is missing"),
    (("images", 1, "id"), 1, r"images\[1\]: id 1 is that of '1.jpg' already"),
    (("images", 1, "id"), 1.5, r"images\[1\]: id is 1.5; expected a whole number or text"),
    (("images", 1, "file_name"), "1.jpg", "file_name '1.jpg' is listed twice"),
    (("images", 1, "file_name"), None, "file_name is None; expected the image's path"),
    (("images", 1, "height"), 0, "height 0, width 20; expected whole numbers of pixels from 1"),
    (("images", 1, "height"), None, r"height, width\[0\] is None"),
    (("images", 1), [], r"images\[1\] is no dict"),
    (("categories",), 4, "categories: expected a list of dicts"),
    (("categories", 0, "id"), None, "categories: id is None"),
]


@pytest.mark.parametrize(("place", "value", "text"), WRONG)
def test_what_cannot_be_is_refused_with_its_place(tmp_path, place, value, text):
    content = copy.deepcopy(coco())
    node = content
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    file = tmp_path / "kp.json"
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=text) as caught:
        read_people(file)
    assert str(caught.value).startswith(str(file))


@pytest.mark.parametrize("key", ["image_id", "file_name", "id"])
def test_missing_keys_are_named(key):
    content = coco()
    content["annotations" if key == "image_id" else "images"][0].pop(key)
    with pytest.raises(UserError, match=f"{key} is None"):
        people_of(content, "kp.json")


def test_files_that_are_none_end_in_words(tmp_path):
    file = tmp_path / "kp.json"
    for content, text in ((b"[", "not readable as JSON"), (b"\xff", "not readable as JSON"),
                          (b"[" * 100_000, "nested too deep|not readable"), (b"{}", "'images'"),
                          (b"3", "'images'")):  # fmt: skip
        file.write_bytes(content)
        with pytest.raises(UserError, match=text):
            read_people(file)
    with pytest.raises(UserError, match="cannot be read"):
        read_people(tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        read_people(tmp_path / "absent.json")


def test_text_ids_are_ids():
    content = coco(1)
    content["annotations"][0] |= dict(id="ann_1", image_id="one")
    content["images"][0]["id"] = "one"
    assert people_of(content, "kp.json").people[0].id == "ann_1"
    assert np.isfinite(people_of(content, "kp.json").people[0].joints).all()
