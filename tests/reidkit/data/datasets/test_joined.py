"""Sets joined to one: nobody is mixed up, every file is found, every set keeps its labels."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from reidkit.data import JoinedSets, Market1501
from reidkit.data.crops import CropDataset
from reidkit.data.datasets.joined import LabelArrays, _joined, _shifted
from reidkit.data.split import Split
from reidkit.data.tracklets import TrackletSplit
from reidkit.engine import domains as domains_module
from reidkit.engine.domains import Domains
from reidkit.errors import UserError
from reidkit.registry import DATASETS
from reidkit.viz.nearest import read_crop

SETS = [dict(type="Market1501", root="one"), dict(type="DukeMTMCreID", root="two/deep")]


@pytest.fixture
def data(tmp_path, write_images):
    """Two sets whose people and cameras have the same numbers."""
    for root, count, rest in (("one", 3, "s1_000001_00"), ("two/deep", 2, "_f0000001")):
        for folder in ("bounding_box_train", "query", "bounding_box_test"):
            names = [f"{p:04d}_c{c}{rest}.jpg" for p in range(1, count + 1) for c in (1, 2)]
            write_images(tmp_path / root / folder, names)
    return tmp_path


def test_people_and_cameras_are_shifted_apart(data):
    splits = JoinedSets(SETS, data_root=str(data)).splits()
    train, gallery, query = splits["train"], splits["gallery"], splits["query"]
    assert (train.num_identities, len(np.unique(train.cameras)), len(train)) == (5, 4, 10)
    first, second = train.identities[:6], train.identities[6:]
    assert not set(first) & set(second) and not set(train.cameras[:6]) & set(train.cameras[6:])
    # the shift is one for all splits of a set: a query finds its own people in the gallery
    assert set(query.identities) == set(gallery.identities) == set(train.identities)


def test_junk_stays_junk():
    assert _shifted([np.array([-1, 2]), np.array([-1, 0, 2])], [0, 3]).tolist() == [-1, 2, -1, 3, 5]


def test_every_file_is_found_and_the_parts_are_as_they_were(data):
    split = JoinedSets(SETS, data_root=str(data)).splits()["gallery"]
    assert all(split.file(row).is_file() for row in range(len(split)))
    alone = [
        DATASETS.build(one, dict(data_root=str(data), settings=None)).splits()["gallery"]
        for one in SETS
    ]
    assert [part.paths for part in split.parts] == [one.paths for one in alone]
    assert [part.label_key for part in split.parts] == [one.label_key for one in alone]
    assert split.label_key not in {part.label_key for part in split.parts}
    assert split.select([0]).parts == ()


def test_labels_come_from_the_store_of_each_set(data, monkeypatch):
    asked = []

    def store(split, folder, *rest, **more):
        asked.append(split.label_key)
        rows = np.full((len(split), 17, 3), len(asked), np.float32)
        return SimpleNamespace(keypoints=rows, image_sizes=np.ones((len(split), 2)), part_maps=None)

    monkeypatch.setattr(domains_module, "ensure_labels", store)
    cfg = Config(dict(
        settings=dict(data_root=str(data), label_root=None, workers=0, max_pixels=1_000_000),
        data=dict(name="x", domains=dict(source=dict(type="JoinedSets", sets=SETS))),
    ))  # fmt: skip
    domains = Domains(cfg)
    labels = domains.labels(domains.split("source", "train"), ["keypoints"])
    assert isinstance(labels, LabelArrays) and labels.part_maps is None
    assert len(labels.keypoints) == 10 and asked == ["market1501/train", "dukemtmcreid/train"]
    assert labels.keypoints[:, 0, 0].tolist() == [1] * 6 + [2] * 4


def test_tracklets_are_joined_with_their_frames(tmp_path, write_images):
    for root in ("a", "b"):
        frames = [f"0001C1T0001F{n:03d}.jpg" for n in (1, 2, 3)]
        write_images(tmp_path / root, frames)
    paths = [[f"0001C1T0001F{n:03d}.jpg" for n in (1, 2, 3)]]
    parts = [TrackletSplit.of(r, "train", tmp_path / r, paths, [4], [1]) for r in ("a", "b")]
    joined = _joined("a+b", "train", parts, [(0, 0), (5, 2)])
    assert joined.identities.tolist() == [4, 9] and joined.cameras.tolist() == [1, 3]
    assert joined.frames_of(1) == tuple(f"b/{name}" for name in paths[0])
    crops = joined.crops()
    assert len(crops) == 6 and all(crops.file(row).is_file() for row in range(6))
    assert [part.label_key for part in crops.parts] == ["a/train", "b/train"]


def test_a_set_of_boxes_is_joined_with_one_of_whole_files(tmp_path):
    street = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    assert cv2.imwrite(str(tmp_path / "street.png"), street[..., ::-1])
    assert cv2.imwrite(str(tmp_path / "crop.png"), street[:16, :8, ::-1])
    one = Split("a", "train", tmp_path, ["crop.png"], [1], [0])
    boxes = [[3, 4, 8, 16], [0, 0, 8, 16]]
    boxed = Split("b", "train", tmp_path, ["street.png"] * 2, [1, 2], [0, 1], boxes=boxes)
    joined = _joined("a+b", "train", [one, boxed], [(0, 0), (5, 2)])
    images = CropDataset(joined, (16, 8)).__getitems__([0, 1, 2]).images.permute(0, 2, 3, 1).numpy()
    assert (images == [street[:16, :8], street[4:20, 3:11], street[:16, :8]]).all()
    assert [joined.box(row) is None for row in range(3)] == [True, False, False]
    assert all((read_crop(joined, row) == images[row]).all() for row in range(3))


def test_one_set_is_not_joined():
    with pytest.raises(ValueError, match="JoinedSets joins two sets or more, got 1"):
        JoinedSets([dict(type="Market1501")], data_root="data")


def test_sets_that_are_tested_differently_are_not_tested_together():
    joined = JoinedSets([dict(type="Market1501"), dict(type="CUHK03NP")], data_root="data")
    with pytest.raises(UserError, match="market1501\\+.*: tested in different ways"):
        assert joined.protocol


class Moody(Market1501):
    """Market-1501 whose training crops have a mood."""

    labels = ("mood",)

    def read(self, folder):
        splits = super().read(folder)
        moods = splits["train"].identities * 10
        return {**splits, "train": replace(splits["train"], labels={"mood": moods})}


def test_labels_that_all_sets_bring_are_joined(data, monkeypatch):
    monkeypatch.setitem(DATASETS.module_dict, "Moody", Moody)
    twice = [dict(type="Moody", root="one"), dict(type="Moody", root="one")]
    both = JoinedSets(twice, data_root=str(data))
    assert both.labels == ("mood",)
    alone = Moody(str(data), root="one").splits()["train"]
    assert both.splits()["train"].labels["mood"].tolist() == [*alone.identities * 10] * 2
    one = JoinedSets([twice[0], SETS[1]], data_root=str(data))
    assert one.labels == () and not one.splits()["train"].labels
