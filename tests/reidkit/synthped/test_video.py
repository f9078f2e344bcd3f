"""SynthPed video: MARS's tables, the same bytes always, and parts that come and go."""

import json

import numpy as np
import pytest

from reidkit.synthped import layout, shards
from reidkit.synthped.video import STEP
from reidkit.synthped.video_plan import VIDEO, contents, tracks, video_folder
from reidkit.synthped.video_reader import SynthPedVideo
from reidkit.synthped.world import Shot, render


@pytest.fixture(scope="module")
def reader(shared_folder) -> SynthPedVideo:
    """The easy video, rendered once."""
    import fcntl

    made = SynthPedVideo(str(shared_folder / "data"), preset="easy")
    with open(shared_folder / "video_lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        layout.write_contents(made.folder, made.contents, workers=0, show=False)
    return made


@pytest.mark.parametrize("preset", ["easy", "standard"])
def test_the_plan_is_a_test_of_mars_kind(preset):
    sizes = VIDEO[preset]
    train, test = tracks(preset, "A")
    assert len({t.name for t in train}) == sizes.train_ids
    lengths = [t.length for t in train + test]
    assert min(lengths) >= sizes.shortest and max(lengths) <= sizes.longest
    assert len(set(lengths)) > 5
    queries = [t for t in test if t.query]
    assert len(queries) == sizes.test_ids * sizes.queries
    for query in queries:  # has a match under another camera
        assert any(t.name == query.name and t.camera != query.camera for t in test)
    assert sum(t.name == 0 for t in test) == sizes.distractors
    assert sum(t.name == -1 for t in test) == sizes.junk
    names = [t.frame(i) for t in train + test for i in range(t.length)]
    assert len(names) == len(set(names))
    same = [(t.name, t.camera) for t in train]
    assert len(same) > len(set(same)), "nobody is twice under one camera"


@pytest.mark.slow
def test_the_reader_reads_what_was_planned(reader):
    splits = reader.splits()
    train, test = tracks("easy", "A")
    assert splits["train"].lengths.tolist() == [t.length for t in train]
    assert splits["gallery"].identities.tolist() == [t.name for t in test]
    assert splits["query"].identities.tolist() == [t.name for t in test if t.query]
    assert splits["train"].name == "train" and reader.name.endswith("A_video1")
    assert all((splits["train"].root / path).is_file() for path in splits["train"].frame_paths)


@pytest.mark.slow
def test_rendering_again_changes_nothing_and_other_arguments_do(reader):
    manifest = json.loads((reader.folder / "manifest.json").read_text())
    assert manifest["video"] == 1 and layout.holds(reader.folder, reader.contents, thorough=True)
    assert contents("easy", "A").tables == reader.contents.tables
    assert contents("easy", "B").tables != reader.contents.tables
    item = reader.contents.items[7]
    assert (reader.folder / item.path).read_bytes() == shards.encode(render(item.shot))
    assert video_folder("x", "easy", "A").name == "A_video1"
    for wrong in (dict(preset="huge"), dict(domain="C"), dict(style="Q")):
        with pytest.raises(ValueError, match="SynthPed video: .* must be one of"):
            contents(**{**dict(preset="easy", domain="A"), **wrong})
    with pytest.raises(ValueError, match="Shot.length"):
        Shot("A", 1, 1, length=-1)


@pytest.mark.slow
def test_parts_are_covered_for_a_while_and_seen_again(reader):
    """Within tracklets, legs, trunk and head are hidden in some frames and seen in others."""
    split, truth = reader.splits()["train"], reader.truth("train")
    torso, leg = truth["visible"][:, 2], truth["visible"][:, 6]
    come_and_go = {"torso": 0, "leg": 0}
    for i in range(len(split)):
        rows = slice(split.starts[i], split.starts[i + 1])
        for name, seen in (("torso", torso[rows]), ("leg", leg[rows])):
            come_and_go[name] += bool(seen.min() < 0.3 and seen.max() > 0.6)
    assert min(come_and_go.values()) >= 0.1 * len(split), come_and_go
    share = truth["occluded"].mean()
    assert 0.25 < share < 0.75


def test_a_tracklet_is_one_person_walking():
    shots = [Shot("A", 12, 2, 0, STEP * i, "easy", length=20) for i in range(20)]
    crops = [render(shot) for shot in shots]
    assert len({crop.heading for crop in crops}) == 1
    times = np.diff([crop.seconds for crop in crops])
    np.testing.assert_allclose(times, STEP / 25, atol=1e-6)
    errors = np.stack([crop.box_error for crop in crops])
    assert errors.std(0).max() < 0.03  # a tracker's box is steady
    heights = [crop.image.shape[0] for crop in crops]
    assert max(heights) - min(heights) < 20
