"""Held-out identities: nobody is on two sides, the same for every run, labels of the whole."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config

from reidkit.data import HeldOutIdentities, TrackletSplit
from reidkit.data.datasets.held_out import selected
from reidkit.data.datasets.joined import LabelArrays
from reidkit.engine import domains as domains_module
from reidkit.engine.domains import Domains
from reidkit.errors import UserError
from reidkit.evaluation.labelled import Labels
from reidkit.evaluation.protocols import PROTOCOLS, match_labels

SET = dict(type="Market1501", check_counts="never")


@pytest.fixture
def data(tmp_path, write_images):
    """Twelve training identities, two images by each of two cameras; 90 is only in the test."""
    names = [f"{p:04d}_c{c}s1_00000{k}_00.jpg" for p in range(1, 13) for c in (1, 2) for k in "12"]
    write_images(tmp_path / "market1501/bounding_box_train", names)
    for folder, camera in (("query", 1), ("bounding_box_test", 2)):
        write_images(tmp_path / "market1501" / folder, [f"0090_c{camera}s1_000001_00.jpg"])
    return tmp_path


def held_out(data, **options):
    return HeldOutIdentities(SET, data_root=str(data), **options)


def test_identities_are_learned_or_tested_and_the_sets_own_test_is_left_alone(data):
    splits = held_out(data).splits()
    train, query, gallery = (set(splits[n].identities) for n in ("train", "query", "gallery"))
    assert query == gallery and not train & query and train | query == set(range(1, 13))
    assert len(query) == 4 and len(splits["gallery"]) == 16
    assert held_out(data, share=0.5).splits()["train"].num_identities == 6


def test_every_query_is_of_another_identity_and_camera_and_finds_two(data):
    splits = held_out(data).splits()
    query = splits["query"]
    assert len({*zip(query.identities, query.cameras, strict=True)}) == len(query) == 8
    sides = [Labels(s.identities, s.cameras) for s in (query, splits["gallery"])]
    assert match_labels(PROTOCOLS["market"], *sides).n_positives.tolist() == [2] * 8


def test_drawn_from_the_seed_alone(data):
    first, again, other = (held_out(data, seed=s).splits()["query"].paths for s in (0, 0, 5))
    assert first == again != other


def test_the_protocol_is_the_sets_unless_identities_have_one_camera(data):
    assert held_out(data).protocol == "market"
    for path in (data / "market1501/bounding_box_train").glob("*_c2*"):
        path.unlink()
    assert held_out(data).protocol == "single-camera"


def test_rows_of_the_label_store_of_the_whole(data, monkeypatch):
    asked = []

    def store(split, folder, *rest, **more):
        asked.append((folder.name, len(split)))
        rows = np.arange(len(split), dtype=np.float32)
        joints = np.tile(rows[:, None, None], (1, 17, 3))
        return SimpleNamespace(
            keypoints=joints, image_sizes=np.ones((len(split), 2)), part_maps=None
        )

    monkeypatch.setattr(domains_module, "ensure_labels", store)
    cfg = Config(dict(
        settings=dict(data_root=str(data), label_root=None, workers=0, max_pixels=1_000_000),
        data=dict(name="x", domains=dict(source=dict(type="HeldOutIdentities", set=SET))),
    ))  # fmt: skip
    domains = Domains(cfg)
    whole = domains.reader("source").reader.splits()["train"]
    for name in ("train", "query"):
        split = domains.split("source", name)
        labels = domains.labels(split, ["keypoints"])
        assert isinstance(labels, LabelArrays) and len(labels.keypoints) == len(split)
        places = labels.keypoints[:, 0, 0].astype(int)
        assert [whole.paths[place] for place in places] == list(split.paths)
        few = split.select([2, 0])
        assert domains.labels(few, ["keypoints"]).keypoints[:, 0, 0].tolist() == [
            places[2],
            places[0],
        ]
    assert asked == [("train", 48)]


def test_frames_of_tracklets_keep_their_rows(tmp_path):
    frames = [["a1.jpg", "a2.jpg"], ["b1.jpg"], ["c1.jpg", "c2.jpg"]]
    whole = TrackletSplit.of("toy", "train", tmp_path, frames, [1, 2, 3], [1, 1, 1])
    part = selected(whole, np.array([2, 0]), "toy-val", "gallery")
    assert part.frames_of(0) == ("c1.jpg", "c2.jpg") and len(part) == 2
    crops = part.crops()
    assert crops.paths == ("c1.jpg", "c2.jpg", "a1.jpg", "a2.jpg")
    assert crops.rows.tolist() == [3, 4, 0, 1] and crops.whole.label_key == "toy/train"


@pytest.mark.parametrize("share, held", [(0.05, 1), (0.95, 11)])
def test_too_few_identities_on_either_side(data, share, held):
    with pytest.raises(UserError, match=f"{held} of 12 training identities would be held out"):
        held_out(data, share=share).splits()


def test_sets_without_training_split_and_shares_out_of_range(data):
    reader = HeldOutIdentities(dict(SET, type="PartialREID"), data_root=str(data))
    reader.reader.splits = lambda: {"query": None}
    with pytest.raises(UserError, match="no training split to hold identities out of"):
        reader.splits()
    with pytest.raises(ValueError, match="share must be between 0 and 1"):
        held_out(data, share=1.0)
