"""Tracks of several cameras become identities; who is seen together never becomes one."""

import csv

import cv2
import numpy as np
import pytest
import torch

from reidkit.data.datasets.mot import read_boxes
from reidkit.errors import UserError
from reidkit.evaluation.calibration import Calibration
from reidkit.evaluation.open_set import OpenSet
from reidkit.structures import Embedding
from reidkit.tracks import CameraTracks, link
from reidkit.tracks.cameras import read_cameras
from reidkit.tracks.clustering import clusters
from reidkit.tracks.threshold import link_threshold
from reidkit.tracks.tracklets import tracklet_distances
from tests.reidkit.tracks.conftest import ColourModel, MapMatcher, write_camera


def cameras_of(folders, starts=()):
    return read_cameras([one / "tracks.txt" for one in folders], folders, starts)


def people(linked):
    """(camera, track) -> identity."""
    pairs = zip(linked.tracklets, linked.identities.tolist(), strict=True)
    return {("ab"[one.camera], one.track): identity for one, identity in pairs}


@pytest.mark.parametrize("maps", [False, True])
def test_one_number_per_person_across_cameras(two_cameras, maps):
    linked = link(cameras_of(two_cameras), ColourModel(maps), 0.1, frames=2)
    found = people(linked)
    assert found["a", 1] == found["a", 7] == found["b", 3] == 1
    assert found["a", 5] == found["b", 1] == 2 and found["b", 2] == 3
    assert linked.pairs == 5 and linked.near == 0  # (1, 5), (5, 7); all three of camera b


def test_files_hold_the_trackers_lines_with_identities(two_cameras, tmp_path):
    link(cameras_of(two_cameras), ColourModel(), 0.1).write(tmp_path / "out")
    lines = (tmp_path / "out/a.txt").read_text().splitlines()
    given = (two_cameras[0] / "tracks.txt").read_text().splitlines()
    assert len(lines) == len(given) and lines[-1] == given[-1].replace("5,7,", "5,1,")
    assert read_boxes(tmp_path / "out/b.txt").tracks.tolist() == [2, 3, 2, 3, 1, 3, 1, 1]
    rows = list(csv.DictReader((tmp_path / "out/identities.csv").open()))
    assert rows[1] == dict(
        camera="a", track="5", identity="2", first_frame="1", last_frame="4", frames="4"
    )
    with pytest.raises(UserError, match="--out"):
        link(cameras_of(two_cameras), ColourModel(), 0.1).write(tmp_path / "out")


def test_two_who_are_seen_together_stay_two(tmp_path):
    twins = [(f, t, "red", 40 * t) for f in (1, 2) for t in (0, 1)] + [(4, 2, "red", 4)]
    folders = [write_camera(tmp_path / name, twins) for name in "ab"]
    linked = link(cameras_of(folders), ColourModel(), 0.5)
    found = people(linked)
    assert found["a", 0] != found["a", 1] and found["b", 0] != found["b", 1]
    assert len(set(found.values())) == 2
    assert linked.pairs == 2 and linked.near == 1  # so the summary says that it is too large


def test_time_keeps_tracks_apart(two_cameras):
    model = ColourModel()

    def found(starts=(), **options):
        return people(link(cameras_of(two_cameras, starts), model, 0.1, **options))

    late = found((0.0, 60.0), max_gap=30)
    assert late["a", 1] == late["a", 7] != late["b", 3] and late["a", 5] != late["b", 1]
    assert found((0.0, 60.0), max_gap=61) == found((0.0, 60.0))
    near = found(min_travel=0)  # at both cameras at once: those are others
    assert near["a", 5] != near["b", 1] and near["a", 7] != near["b", 3]
    far = found((0.0, 60.0), min_travel=59)
    assert far["a", 5] == far["b", 1] and far["a", 1] == far["b", 3]


def test_a_video_is_read_as_its_frames_are(two_cameras, tmp_path):
    files = []
    for folder in two_cameras:
        files.append(tmp_path / f"{folder.name}.avi")
        code = cv2.VideoWriter.fourcc(*"MJPG")
        video = cv2.VideoWriter(str(files[-1]), code, 10, (96, 64))
        for image in sorted(folder.glob("img1/*.png")):
            video.write(cv2.imread(str(image)))
        video.release()
    given = [folder / "tracks.txt" for folder in two_cameras]
    linked = link(read_cameras(given, files), ColourModel(), 0.1)
    assert people(linked) == people(link(cameras_of(two_cameras), ColourModel(), 0.1))


def test_boxes_that_others_cover_are_looked_at_last(tmp_path):
    boxes = [(f, 1, "red", 4) for f in range(1, 9)]
    hidden = [(f, 2, "blue", 8) for f in range(1, 8)]  # painted over most of track 1
    camera = cameras_of([write_camera(tmp_path / "a", boxes + hidden)])
    linked = link(camera, ColourModel(), 0.1)
    assert people(linked) == {("a", 1): 1, ("a", 2): 2}
    model = ColourModel()
    link(camera, model, 0.1, frames=4)
    assert model.seen == 1 + 4  # frame 8 of track 1; of track 2 there is nothing better


def test_small_boxes_are_identities_of_their_own(two_cameras):
    linked = link(cameras_of(two_cameras), ColourModel(), 0.1, min_height=41)
    assert linked.unseen == 6 and sorted(linked.identities) == [1, 2, 3, 4, 5, 6]
    with open(two_cameras[0] / "tracks.txt", "a") as file:
        file.write("1,0,200,11,16,40,1,-1,-1,-1\n")  # beside the frame
    linked = link(cameras_of(two_cameras), ColourModel(), 0.1)
    assert linked.unseen == 1 and linked.identities.tolist().count(linked.identities[0]) == 1


def test_distances_of_maps_are_means_over_pairs():
    source = torch.Generator().manual_seed(0)
    made = Embedding(maps=torch.rand(5, 3, 1, 1, generator=source))
    groups = np.array([0, 0, 1, 1, 1])
    both = MapMatcher()(made, made)
    table = tracklet_distances(made, groups, MapMatcher())
    assert table[0, 1] == pytest.approx(float(both[:2, 2:].mean()), abs=1e-6)


def test_clusters_stop_at_the_threshold_and_never_join_what_is_apart():
    rng = np.random.default_rng(0)
    for count in (2, 5, 40):
        points = rng.normal(size=(count, 2))
        table = np.linalg.norm(points[:, None] - points[None], axis=2)
        apart = np.triu(rng.random((count, count)) < 0.3, 1)
        for threshold in (0.0, 0.5, 100.0):
            labels = clusters(table, apart, threshold)
            assert not (apart & (labels[:, None] == labels)).any()
            members = [np.flatnonzero(labels == n) for n in range(labels.max() + 1)]
            for i, first in enumerate(members):
                for second in members[:i]:
                    block = np.ix_(first, second)
                    free = not (apart | apart.T)[block].any()
                    assert not free or table[block].mean() > threshold


def test_where_the_threshold_comes_from():
    model = ColourModel()
    with pytest.raises(UserError, match="give --threshold"):
        link_threshold(model, None, 0.01)
    assert link_threshold(model, 0.3, 0.01) == (0.3, "as given")
    model.matcher.calibration = Calibration(slope=10.0, intercept=4.0)
    assert link_threshold(model, None, 0.01)[0] == 0.4
    table = np.random.default_rng(0).uniform(0.5, 1, (1, 300, 100)).astype(np.float32)
    model.open_set = OpenSet(table, np.arange(300) % 100, np.array([1]))
    value, text = link_threshold(model, None, 0.01)
    assert value == model.open_set.match_threshold(0.01).value and "100 people held out" in text


@pytest.mark.parametrize(
    "text, reason",
    [
        ("1,1,1,1,16,40\n1,1,2,2,16,40", "track 1 has two boxes in frame 1"),
        ("99,1,1,1,16,40", "boxes of frame 99"),
        ("1,-1,1,1,16,40", "without identities"),
    ],
)
def test_tracks_that_cannot_be(two_cameras, text, reason):
    file = two_cameras[0] / "tracks.txt"
    file.write_text(text)
    with pytest.raises(UserError, match=reason):
        CameraTracks.read(file, two_cameras[0])


def test_arguments_that_do_not_fit(two_cameras):
    with pytest.raises(UserError, match="1 files of tracks, 0 videos"):
        read_cameras([two_cameras[0] / "tracks.txt"], [])
    with pytest.raises(ValueError, match="fmr must"):
        link([], ColourModel(), fmr=1.0)
    with pytest.raises(ValueError, match="seconds from 0"):
        link([], ColourModel(), max_gap=-1.0)
    names = [one.recording.name for one in cameras_of([two_cameras[0]] * 2)]
    assert names == ["a_1", "a_2"]
    inner = CameraTracks.read(two_cameras[0] / "tracks.txt", two_cameras[0] / "img1")
    assert inner.recording.name == "a" and inner.recording.rate == 10
