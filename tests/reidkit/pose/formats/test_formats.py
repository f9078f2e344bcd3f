"""Files as other programs write them: recognised, and their joints at the right crops."""

import json
import os

import numpy as np
import pytest
import torch

from reidkit.data.joints import JOINTS
from reidkit.errors import UserError
from reidkit.pose.formats import FORMATS, label_reader, recognise
from reidkit.pose.formats.openpose import BODY_25, COCO_18
from reidkit.pose.imports import KeypointFile

TRUNK = ("Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist")
LEGS = ("RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle")
FACE = ("REye", "LEye", "REar", "LEar")
FEET = ("LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel")
OPENPOSE_25 = (*TRUNK, "MidHip", *LEGS, *FACE, *FEET)
OPENPOSE_18 = (*TRUNK, *LEGS, *FACE)


def joints(row: int) -> np.ndarray:
    """Joints of the crop of a row, one of them lost: (17, 3)."""
    x, y = np.linspace(2, 16, 17) + 0.25 * row, np.linspace(3, 36, 17)
    found = np.stack([x, y, np.full(17, 0.75)], axis=1)
    found[16] = 0
    return found


def write_coco(folder, names):
    file = folder / "kp.json"
    images = [
        dict(id=i, file_name=name, height=40 + i, width=20 + i) for i, name in enumerate(names)
    ]
    people = [
        dict(id=i, image_id=i, category_id=1, keypoints=joints(i).reshape(-1).tolist())
        for i in range(len(names))
    ]
    file.write_text(json.dumps(dict(images=images, annotations=people)))
    return file


def write_alphapose(folder, names):
    file = folder / "alphapose-results.json"
    people = [
        dict(image_id=name, category_id=1, keypoints=joints(i).reshape(-1).tolist(), score=2.9,
             box=[0.0, 0.0, 20.0, 40.0], idx=[0.0])
        for i, name in enumerate(names)
    ]  # fmt: skip
    file.write_text(json.dumps(people))
    return file


def write_mmpose(folder, names):
    for i, name in enumerate(names):
        one = dict(keypoints=joints(i)[:, :2].tolist(), keypoint_scores=joints(i)[:, 2].tolist(),
                   bbox=[[0.0, 0.0, 20.0, 40.0]], bbox_score=1.0)  # fmt: skip
        (folder / f"{name[:-4]}.json").write_text(json.dumps([one]))
    return folder


def write_demo(folder, names):
    for i, name in enumerate(names):
        one = dict(keypoints=joints(i)[:, :2].tolist(), keypoint_scores=joints(i)[:, 2].tolist())
        content = dict(meta_info=dict(num_keypoints=17), instance_info=[one])
        (folder / f"results_{name[:-4]}.json").write_text(json.dumps(content))
    return folder


def openpose(names_of_joints):
    def write(folder, names):
        places = {"L": "left_", "R": "right_"}
        for i, name in enumerate(names):
            values = np.zeros((len(names_of_joints), 3))
            for place, joint in enumerate(names_of_joints):
                ours = (
                    joint.lower()
                    if joint == "Nose"
                    else places.get(joint[0], "") + joint[1:].lower()
                )
                if ours in JOINTS:
                    values[place] = joints(i)[JOINTS.index(ours)]
            people = [dict(person_id=[-1], pose_keypoints_2d=values.reshape(-1).tolist())]
            content = dict(version=1.3, people=people)
            (folder / f"{name[:-4]}_keypoints.json").write_text(json.dumps(content))
        return folder

    return write


def write_ultralytics(folder, names):
    for i, name in enumerate(names):
        x, y, visible = joints(i).T.tolist()
        one = dict(name="person", confidence=0.9, box=dict(x1=0.0, y1=0.0, x2=20.0, y2=40.0),
                   keypoints=dict(x=x, y=y, visible=visible))  # fmt: skip
        one["class"] = 0
        (folder / f"{name[:-4]}.json").write_text(json.dumps([one]))
    return folder


def write_txt(folder, names):
    for i, name in enumerate(names):
        values = joints(i) / (20 + i % 4, 40 + i, 1)
        line = [0, 0.5, 0.5, 1.0, 1.0, *values.reshape(-1).tolist()]
        (folder / f"{name[:-4]}.txt").write_text(" ".join(f"{v:.6g}" for v in line) + "\n")
    return folder


def prediction(i):
    """What Keypoint R-CNN gives for one image: every joint is "visible", its score tells."""
    found = joints(i)
    visible = np.concatenate([found[:, :2], np.ones((17, 1))], 1)[None]
    scores = np.where(found[:, 2] > 0, 9.0, -5.0)[None]
    return dict(boxes=np.array([[0.0, 0, 20, 40]]), labels=np.array([1]), scores=np.array([0.99]),
                keypoints=visible, keypoints_scores=scores)  # fmt: skip


def write_torchvision_json(folder, names):
    content = {n: {k: v.tolist() for k, v in prediction(i).items()} for i, n in enumerate(names)}
    (folder / "rcnn.json").write_text(json.dumps(content))
    return folder / "rcnn.json"


def write_torchvision_pt(folder, names):
    content = {
        n: {k: torch.tensor(v) for k, v in prediction(i).items()} for i, n in enumerate(names)
    }
    torch.save(content, folder / "rcnn.pt")
    return folder / "rcnn.pt"


def write_torchvision_npz(folder, names):
    rows = [prediction(i) for i in range(len(names))]
    keys = ("boxes", "keypoints", "scores", "keypoints_scores")
    np.savez(folder / "rcnn.npz", files=np.array(names),
             **{key: np.concatenate([row[key] for row in rows]) for key in keys})  # fmt: skip
    return folder / "rcnn.npz"


WRITERS = [
    ("coco", write_coco, 0.5),
    ("alphapose", write_alphapose, 0.5),
    ("mmpose", write_mmpose, 0.5),
    ("mmpose", write_demo, 0.5),
    ("openpose", openpose(OPENPOSE_25), 0.5),
    ("openpose", openpose(OPENPOSE_18), 0.5),
    ("ultralytics", write_ultralytics, 0.0),
    ("ultralytics-txt", write_txt, 0.0),
    ("torchvision", write_torchvision_json, 0.0),
    ("torchvision", write_torchvision_pt, 0.0),
    ("torchvision", write_torchvision_npz, 0.0),
]


@pytest.mark.parametrize(("form", "write", "shift"), WRITERS)
def test_every_format_gives_the_same_joints(crops, tmp_path, form, write, shift):
    """Whole numbers are centres of pixels for some programs, and edges for others."""
    split = crops(3)
    folder = tmp_path / "from"
    folder.mkdir()
    source = KeypointFile(write(folder, split.paths))
    assert source.form == form
    fitted = source.fit(split)
    for row in range(3):
        wanted = joints(row)
        assert np.allclose(fitted.keypoints[row, :16, :2], wanted[:16, :2] + shift, atol=1e-3)
        confidence = fitted.keypoints[row, :, 2]
        assert (confidence[:16] > 0.7).all() and confidence[16] <= 0.1


def test_openposes_orders_are_cocos():
    for order, names in ((BODY_25, OPENPOSE_25), (COCO_18, OPENPOSE_18)):
        sides = {"L": "left_", "R": "right_"}
        ours = [sides.get(names[p][0], "") + names[p][1:].lower() for p in order[1:]]
        assert names[order[0]] == "Nose" and tuple(ours) == JOINTS[1:]


def test_frames_of_a_video_are_matched_by_number(tmp_path):
    one = dict(keypoints=joints(0)[:, :2].tolist(), keypoint_scores=[1.0] * 17)
    content = dict(
        instance_info=[dict(frame_id=3, instances=[one]), dict(frame_id=4, instances=[])]
    )
    (tmp_path / "results_walk.json").write_text(json.dumps(content))
    first, second = FORMATS[recognise(tmp_path)](tmp_path)
    assert (first.name, first.named, len(first.people)) == ("3", "frame", 1)
    assert (second.name, len(second.people)) == ("4", 0)


def test_normalised_results_are_fractions(tmp_path):
    x, y, visible = (joints(0) / (20, 40, 1)).T.tolist()
    one = dict(name="person", keypoints=dict(x=x, y=y, visible=visible))
    other = dict(one, name="dog")
    (tmp_path / "a.json").write_text(json.dumps([one, other]))
    (tmp_path / "b.json").write_text("[]")
    first, second = FORMATS["ultralytics"](tmp_path)
    assert first.fractions and len(first.people) == 1 and second.people == ()
    assert recognise(tmp_path) == "ultralytics"


def test_a_joint_that_was_cut_to_the_corner_is_lost_whatever_its_confidence(tmp_path):
    x, y, visible = joints(0).T.tolist()
    x[5] = y[5] = 0.0
    (tmp_path / "a.json").write_text(
        json.dumps([dict(name="person", keypoints=dict(x=x, y=y, visible=visible))])
    )
    (image,) = FORMATS["ultralytics"](tmp_path)
    assert image.people[0].joints[5].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("form", "name", "content", "text"),
    [
        ("alphapose", "a.json", [dict(image_id=3)], "image_id is 3; expected"),
        ("alphapose", "a.json", [dict(image_id="a", keypoints=[0] * 50)], "has 50 numbers"),
        ("alphapose", "a.json", [dict(image_id="a", keypoints=[9] * 51)], "of nose is 9"),
        ("alphapose", "a.json", {"a": 3}, "expected a list of people"),
        ("mmpose", "a.json", [dict(keypoints=[[0, 0]] * 21)], "21 keypoints"),
        ("mmpose", "a.json", [dict(keypoints=[[0, 0]] * 17)], "keypoint_scores is None"),
        ("mmpose", "a.json", dict(instance_info=[dict(frame_id="x")]), "frame_id is 'x'"),
        ("openpose", "a_keypoints.json", dict(people=[{}]), "has 0 numbers"),
        ("openpose", "a_keypoints.json", dict(people=5), "expected a list of people"),
        ("openpose", "a.json", [], "no .*_keypoints.json in this folder"),
        ("ultralytics", "a.json", [dict(name="person")], "expected lists x, y and visible"),
        ("ultralytics", "a.json", [dict(keypoints=dict(x=[1]))], "keypoints.x has 1 num"),
        ("ultralytics-txt", "a.txt", "0 0.5 0.5 1 1 3", "line 1: 6 numbers; expected class, box"),
        ("ultralytics-txt", "a.txt", "0 nan 0.5 1 1" + " 0" * 51, r"box\[0\] is nan"),
        ("ultralytics-txt", "a.txt", "person", "'person' is no line of numbers"),
        ("torchvision", "a.json", {"a": dict(keypoints=[[[1, 2, 1]]])}, "expected 17 keypoints"),
        ("torchvision", "a.json", {"a": dict(keypoints=5)}, "expected lists of keypoints"),
        ("torchvision", "a.json", {"a": dict(keypoints=[], boxes=[1])}, "are not of one length"),
        ("torchvision", "a.json", {"a": 5}, "expected a dict with keypoints and boxes"),
    ],
)  # fmt: skip
def test_what_is_not_of_the_format_is_refused_in_words(tmp_path, form, name, content, text):
    file = tmp_path / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    folder = form in ("mmpose", "openpose", "ultralytics", "ultralytics-txt")
    with pytest.raises(UserError, match=text):
        label_reader(form)(tmp_path if folder else file)


def test_arrays_that_are_damaged_or_of_other_names_are_refused(tmp_path):
    file = tmp_path / "a.npz"
    for content in (b"", b"no zip"):
        file.write_bytes(content)
        with pytest.raises(UserError, match="not a readable .npz"):
            FORMATS["torchvision"](file)
    np.savez(file, keypoints=np.zeros((2, 17, 3)))
    with pytest.raises(UserError, match="expected arrays files .text. and keypoints"):
        FORMATS["torchvision"](file)
    np.savez(file, files=np.array(["a"]), keypoints=np.zeros((2, 17, 3)))
    with pytest.raises(UserError, match="one row per person, but the arrays have"):
        FORMATS["torchvision"](file)


@pytest.mark.parametrize("name", ["a.json", "a.txt", "a.npz"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    form = {"a.json": "coco", "a.txt": "ultralytics-txt", "a.npz": "torchvision"}[name]
    with pytest.raises(UserError, match="cannot be read|not a readable .npz|no such file"):
        label_reader(form)(tmp_path / name)


def test_tensors_that_would_run_code_are_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("evil",)

    torch.save({"a": Evil()}, tmp_path / "a.pt")
    with pytest.raises(UserError, match="refused, because loading it would run code"):
        FORMATS["torchvision"](tmp_path / "a.pt")


def test_what_is_not_recognised_names_the_formats(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    (tmp_path / "b.pkl").write_bytes(b"")
    for name in ("a.json", "b.pkl"):
        with pytest.raises(UserError, match="--import-format: coco, mmpose, .*eanet/pickle"):
            recognise(tmp_path / name)
    with pytest.raises(UserError, match="no such file or folder"):
        recognise(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no .json or .txt files in this folder"):
        recognise(tmp_path / "empty")
