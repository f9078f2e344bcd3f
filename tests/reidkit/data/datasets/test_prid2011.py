"""PRID2011 and iLIDS-VID: two cameras, ten divisions."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from reidkit.data import ILIDSVID, PRID2011
from reidkit.errors import UserError


def write_prid(root, put, people=24):
    for camera in "ab":
        for person in range(1, people + 1):
            count = 22 if person % 2 else 5  # every second one has too few frames
            names = [f"{f:04d}.png" for f in range(1, count + 1)]
            put(root / f"multi_shot/cam_{camera}/person_{person:04d}", names, 8, 4)
    used = [f"person_{p:04d}" for p in range(1, people + 1, 2)]
    splits = [{"train": used[i : i + 6], "test": used[:i] + used[i + 6 :]} for i in range(6)]
    splits += splits[:4]
    (root / "splits_prid2011.json").write_text(json.dumps(splits))
    return used, splits


def test_prid2011(tmp_path, write_images):
    used, splits = write_prid(tmp_path / "prid2011", write_images)
    reader = PRID2011(str(tmp_path), split=3)
    train, query, gallery = (reader.splits()[n] for n in ("train", "query", "gallery"))
    assert reader.protocol == "two-camera" and len(reader.trials()) == 1
    assert len(train) == 12 and set(train.cameras.tolist()) == {1, 2}
    people = [int(name[-4:]) for name in sorted(splits[3]["test"])]
    assert query.identities.tolist() == gallery.identities.tolist() == people
    assert query.paths[0].startswith("multi_shot/cam_a/") and query.lengths[0] == 22
    assert gallery.paths[0].startswith("multi_shot/cam_b/")


def test_prid2011_all_divisions_as_trials(tmp_path, write_images):
    used, splits = write_prid(tmp_path / "prid2011", write_images)
    reader = PRID2011(str(tmp_path), split=None)
    assert list(reader.splits()) == ["query", "gallery"]
    query = reader.splits()["query"]
    for number, trial in enumerate(reader.trials()):
        found = {f"person_{i:04d}" for i in query.identities[trial.query]}
        assert found == set(splits[number]["test"])
        assert (trial.query == trial.gallery).all()
    drawn = PRID2011(str(tmp_path), split=None, splits="random")
    halves = [drawn.halves(drawn.find(), n) for n in range(10)]
    assert all(sorted(a + b) == sorted(used) for a, b in halves)  # only those with 22 frames
    assert len({tuple(a) for a, _ in halves}) > 5


def test_prid2011_says_what_is_wrong(tmp_path, write_images):
    root = tmp_path / "prid2011"
    write_prid(root, write_images)
    (root / "splits_prid2011.json").write_text("{}")
    with pytest.raises(UserError, match="expected a list of ten dicts"):
        PRID2011(str(tmp_path)).splits()
    (root / "splits_prid2011.json").unlink()
    with pytest.raises(UserError, match='(?s)splits_prid2011.json.*splits="random"'):
        PRID2011(str(tmp_path)).splits()
    with pytest.raises(ValueError, match="0..9 or None"):
        PRID2011(str(tmp_path), split=10)


@pytest.mark.slow
def test_ilidsvid(tmp_path, write_images):
    root, people = tmp_path / "ilidsvid", (1, 2, 4, 7, 30, 300)  # not contiguous
    for camera in (1, 2):
        for p in people:
            names = [f"cam{camera}_person{p:03d}_{f:05d}.png" for f in (99, 100, 1000)]
            write_images(root / f"i-LIDS-VID/sequences/cam{camera}/person{p:03d}", names, 8, 4)
    order = np.array([np.roll(np.arange(1, 7), k) for k in range(10)], np.uint16)
    (root / "train-test people splits").mkdir()
    savemat(
        root / "train-test people splits/train_test_splits_ilidsvid.mat",
        {"ls_set": order},
    )
    reader = ILIDSVID(str(tmp_path), split=1)
    splits = reader.splits()
    assert order[1].tolist() == [6, 1, 2, 3, 4, 5]  # positions, first half is the test set
    assert splits["query"].identities.tolist() == [1, 2, 300]
    assert sorted(set(splits["train"].identities.tolist())) == [4, 7, 30]
    numbers = [path[-9:-4] for path in splits["query"].frames_of(0)]
    assert numbers == ["00099", "00100", "01000"]
    assert len(ILIDSVID(str(tmp_path), split=None).trials()) == 10
    order[1, 0] = 9
    savemat(root / reader.file, {"ls_set": order})
    with pytest.raises(UserError, match="row 1 of ls_set"):
        ILIDSVID(str(tmp_path), split=1).splits()


@pytest.mark.parametrize(
    "train, test, reason",
    [
        (["person_0001"], ["person_0001"], "division 0 has person_0001 in train and in test"),
        (["person_0001", "person_0001"], [], "stands twice in one half"),
        (["../cam_b/person_0001"], [], "is no name of a folder"),
        ([1], [], "a half must be a list of names"),
        ("person_0001", [], "a half must be a list of names"),
    ],
)
def test_prid2011_divisions_that_would_test_wrongly(tmp_path, write_images, train, test, reason):
    write_prid(tmp_path / "prid2011", write_images, 4)
    splits = [dict(train=train, test=test)] * 10
    (tmp_path / "prid2011/splits_prid2011.json").write_text(json.dumps(splits))
    with pytest.raises(UserError, match=reason):
        PRID2011(str(tmp_path)).prepare()
