"""COCO JSON with tracks."""

import json

import numpy as np
import pytest

from reidkit.data import CocoTracks
from reidkit.errors import UserError


def coco(root, write_images, **change):
    names = [f"v{v}/{f}.png" for v in (1, 2) for f in range(3)]
    write_images(root / "images", names, 60, 80)
    images = [
        dict(id=i, file_name=name, video_id=1 + i // 3, height=60, width=80)
        for i, name in enumerate(names)
    ]
    annotations = [
        dict(id=10 * i + t, image_id=i, bbox=[15 * t - 5, 2, 12.5, 70], track_id=t, category_id=1)
        for i in range(6)
        for t in (0, 1, 2, 3)
    ]
    annotations[0] |= change
    annotations += [
        dict(id=900, image_id=0, bbox=[0, 0, 9, 60], track_id=9, iscrowd=1, category_id=1)
    ]
    annotations += [dict(id=901, image_id=0, bbox=[0, 0, 9, 60], track_id=8, category_id=2)]
    categories = [dict(id=1, name="person"), dict(id=2, name="dog")]
    content = dict(images=images, annotations=annotations, categories=categories)
    (root / "annotations.json").write_text(json.dumps(content))


def test_tracks_are_identities_of_their_video_or_of_all(tmp_path, write_images):
    coco(tmp_path / "own", write_images)
    reader = CocoTracks(str(tmp_path), "own", categories=["person"])
    splits = reader.splits()
    assert reader.protocol == "single-camera"
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 12, "query": 4, "gallery": 8,
    }  # fmt: skip
    every = np.concatenate([split.boxes for split in splits.values()])
    assert (every[:, 3] == 58).all() and set(every[:, 2]) == {7, 12}  # clipped to the image
    shared = CocoTracks(str(tmp_path), "own", shared=True, categories=["person"])
    splits = shared.splits()
    assert shared.protocol == "market" and set(splits["gallery"].cameras.tolist()) == {1, 2}
    people = {i for split in splits.values() for i in split.identities.tolist()}
    assert people == {1, 2, 3, 4}  # track 0 is somebody


@pytest.mark.parametrize(
    "change, reason",
    [
        (dict(track_id=None), "has None for identity or"),
        (dict(track_id=1.5), "has 1.5 for"),
        (dict(bbox=[0, 0, 1]), r"has bbox \[0, 0, 1\]"),
        (dict(bbox=[0, 0, float("nan"), 9]), "has bbox"),
        (dict(image_id=77), "KeyError"),
        (dict(bbox=[0, 0, 10**400, 9]), "OverflowError"),
    ],
)
def test_entries_that_say_nothing_are_refused(tmp_path, write_images, change, reason):
    coco(tmp_path / "own", write_images, **change)
    with pytest.raises(UserError, match=f"not a COCO file with tracks .*{reason}"):
        CocoTracks(str(tmp_path), "own").prepare()


def test_files_that_are_not_there_and_other_json_are_refused(tmp_path, write_images):
    coco(tmp_path / "own", write_images)
    (tmp_path / "own/images/v1/0.png").unlink()
    with pytest.raises(UserError, match="images/v1/0.png is named by annotations.json, but not"):
        CocoTracks(str(tmp_path), "own").prepare()
    for text in ("[]", "{}", "no json", "[" * 100_000):
        (tmp_path / "own/annotations.json").write_text(text)
        with pytest.raises(UserError, match="not a COCO file with tracks"):
            CocoTracks(str(tmp_path), "own").prepare()
    with pytest.raises(UserError, match="no box is left"):
        coco(tmp_path / "own", write_images)
        CocoTracks(str(tmp_path), "own", min_height=500).prepare()
