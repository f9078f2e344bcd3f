import json
from pathlib import Path

import numpy as np
import pytest

from reidkit.data import CocoPersons, CropDataset
from reidkit.data.datasets.coco_persons import joint_groups
from reidkit.errors import UserError

SAMPLE = Path(__file__).parents[4].parent / "shared/data"


def person(number, box, joints=range(17), image=7, **more):
    keypoints = np.zeros((17, 3))
    for joint in joints:
        keypoints[joint] = box[0] + 1 + joint / 10, box[1] + 2, 1 + joint % 2
    return dict(
        id=number, image_id=image, bbox=box, keypoints=keypoints.reshape(-1).tolist(), **more
    )


PEOPLE = [
    person(31, [10.9, 5.2, 20.0, 37.0]),  # 37 > 1.8 * 20
    person(12, [10, 5, 20, 36]),  # exactly 1.8: not more
    person(14, [40, 2, 8, 30], joints=[0, 5, 11, 13]),  # four groups, ankles missing
    person(15, [40, 2, 8, 30], joints=[1, 2, 3, 4, 6, 12]),  # three groups
    person(16, [40, 2, 8, 30], iscrowd=1),
    person(17, [-4.5, -6, 12, 30.0]),  # reaches outside
    person(18, [70, 2, 8, 30]),  # outside
]


@pytest.fixture
def coco(tmp_path, write_images):
    root = tmp_path / "coco"
    write_images(root / "train2017", ["000000000007.jpg"], 48, 64)
    (root / "annotations").mkdir()
    content = dict(
        images=[dict(id=7, file_name="000000000007.jpg", height=48, width=64)],
        annotations=PEOPLE,
    )
    (root / "annotations/person_keypoints_train2017.json").write_text(json.dumps(content))
    return tmp_path


def test_filter_is_the_specifications(coco):
    train = CocoPersons(str(coco)).splits()["train"]
    assert train.identities.tolist() == [14, 17, 31]
    assert set(train.paths) == {"train2017/000000000007.jpg"}
    wide = CocoPersons(str(coco), min_ratio=1.0, min_joint_groups=3).splits()["train"]
    assert wide.identities.tolist() == [12, 14, 15, 17, 31]


def test_boxes_are_truncated_then_clipped_and_keypoints_follow(coco):
    train = CocoPersons(str(coco)).splits()["train"]
    rows = dict(zip(train.identities.tolist(), range(3), strict=True))
    assert train.boxes[rows[31]].tolist() == [10, 5, 20, 37]
    assert train.boxes[rows[17]].tolist() == [0, 0, 8, 24]
    nose = train.keypoints[rows[31], 0]
    assert nose == pytest.approx([10.9 + 1.5 - 10, 5.2 + 2.5 - 5, 1])
    assert train.keypoints[rows[17], 1] == pytest.approx([-4 + 1.1, -3.5, 2])
    hidden = train.keypoints[rows[14]]
    assert np.array_equal(hidden[1], [0, 0, 0]) and joint_groups(hidden[None]).tolist() == [4]


def test_crops_are_cut_out_of_the_photograph(coco):
    train = CocoPersons(str(coco)).splits()["train"]
    batch = CropDataset(train, (24, 12)).__getitems__([0, 1, 2])
    sizes = [[30, 8], [24, 8], [37, 20]]
    assert batch["image_sizes"].tolist() == sizes and batch.images.shape == (3, 3, 24, 12)
    assert batch["keypoints"].dtype.is_floating_point
    assert np.array_equal(batch["keypoints"].numpy(), train.keypoints)


def test_part_labels_and_styled_crops_go_by_image_and_annotation(coco, write_images):
    root = coco / "coco"
    write_images(root / "masks_7_parts/train", ["000000000007_31.png", "000000000007_14.png"])
    drawn = CocoPersons(str(coco), masks="masks_7_parts/train").splits()["train"]
    assert drawn.identities.tolist() == [14, 31]
    assert drawn.part_label_paths[1] == "masks_7_parts/train/000000000007_31.png"
    write_images(root / "images/train_market1501_style", ["000000000007_31.jpg"], 37, 20)
    styled = CocoPersons(str(coco), masks="masks_7_parts/train", styled="market1501")
    split = styled.splits()["train"]
    assert split.paths == ("images/train_market1501_style/000000000007_31.jpg",)
    assert split.boxes is None and split.label_key == "coco_persons_market1501/train"
    assert split.part_label_paths == ("masks_7_parts/train/000000000007_31.png",)
    assert np.array_equal(split.keypoints[0], drawn.keypoints[1])


def test_wrong_files_are_named(coco):
    file = coco / "coco/annotations/person_keypoints_train2017.json"
    file.write_text('{"images": []}')
    with pytest.raises(UserError, match="a list 'annotations' is missing"):
        CocoPersons(str(coco)).prepare()
    file.write_text("{")
    with pytest.raises(UserError, match="not readable as JSON"):
        CocoPersons(str(coco)).prepare()
    file.unlink()
    with pytest.raises(UserError, match="COCO persons: not found in"):
        CocoPersons(str(coco)).prepare()


def rewritten(coco, change):
    file = coco / "coco/annotations/person_keypoints_train2017.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return CocoPersons(str(coco))


@pytest.mark.parametrize("new", [lambda one: f"ann_{one}", lambda one: one + 10**30])
def test_ids_that_no_whole_number_holds_are_numbered(coco, new):
    def change(content):
        for one in content["annotations"]:
            one["id"] = new(one["id"])

    assert rewritten(coco, change).splits()["train"].identities.tolist() == [1, 3, 5]


def test_one_person_without_joints_and_animals_are_left_out(coco):
    def change(content):
        del content["annotations"][0]["keypoints"]
        content["categories"] = [dict(id=1, name="person"), dict(id=2, name="dog")]
        for one in content["annotations"]:
            one["category_id"] = 2 if one["id"] == 14 else 1

    assert rewritten(coco, change).splits()["train"].identities.tolist() == [17]


def test_a_photograph_without_height_or_file_is_named(coco):
    def no_height(content):
        del content["images"][0]["height"], content["images"][0]["width"]

    with pytest.raises(UserError, match="annotation 31: the file does not say height and width"):
        rewritten(coco, no_height).splits()

    def renamed(content):
        content["images"][0] |= dict(file_name="zz.jpg", height=48, width=64)

    with pytest.raises(UserError, match="annotation 31 is in 'zz.jpg', and there is no .*zz.jpg"):
        rewritten(coco, renamed).splits()


@pytest.mark.data
@pytest.mark.skipif(not (SAMPLE / "coco_sample").is_dir(), reason="no ../shared/data/coco_sample")
def test_real_photographs():
    options = dict(root="coco_sample", annotations="test_coco.json", images=".")
    train = CocoPersons(str(SAMPLE), **options).splits()["train"]
    assert train.identities.tolist() == [488308, 1724673, 467657, 531914, 543117]
    content = json.loads((SAMPLE / "coco_sample/test_coco.json").read_text())
    joints = {a["id"]: np.array(a["keypoints"]).reshape(17, 3) for a in content["annotations"]}
    for row, identity in enumerate(train.identities):
        own, full = train.keypoints[row], joints[identity]
        seen = full[:, 2] > 0
        assert np.array_equal(own[seen, :2] + train.boxes[row, :2] - 0.5, full[seen, :2])
    batch = CropDataset(train, (128, 64)).__getitems__(range(len(train)))
    assert batch["image_sizes"].tolist() == [[113, 48], [96, 30], [165, 74], [223, 99], [220, 90]]
    spread = batch.images.float().flatten(1).std(1)
    assert bool((spread > 20).all())  # photographs, not blanks
