"""Times from file names, and the readers of rendered people."""

import numpy as np
import pytest

from reidkit.data import ClonedPerson, DukeMTMCreID, Market1501, RandPerson
from reidkit.data.datasets.times import DUKE_STARTS, duke_seconds, market_seconds
from reidkit.errors import UserError


def market_name(camera, session, frame, identity=1):
    return f"{identity:04d}_c{camera}s{session}_{frame:06d}_00.jpg"


def test_sessions_of_a_camera_follow_one_another():
    lengths = {1: 100, 2: 200, 3: 300}
    names = [market_name(1, s, f) for s, n in lengths.items() for f in (0, n)]
    names.append(market_name(1, 4, 0))
    frames = market_seconds(names) * 25
    np.testing.assert_allclose(frames, [0, 100, 100, 300, 300, 600, 600])
    starts = market_seconds(names, doubled=True)[[0, 2, 4, 6]] * 25
    np.testing.assert_allclose(starts, [0, 100, 400, 1100])


def test_another_camera_has_a_clock_of_its_own():
    names = [market_name(1, 1, 500), market_name(2, 2, 10), market_name(1, 2, 10)]
    np.testing.assert_allclose(market_seconds(names) * 25, [500, 10, 510])


def test_names_of_another_form_tell_no_time():
    assert market_seconds([market_name(1, 1, 1), "0001_c1_1.png"]) is None
    assert duke_seconds(["0001_c9_f0000001.jpg"]) is None


def test_duke_starts():
    names = [f"0001_c{camera}_f0000000.jpg" for camera in range(1, 9)]
    np.testing.assert_allclose(duke_seconds(names), np.array(DUKE_STARTS) / 59.94)


def test_market_reader_gives_times_over_all_folders(tmp_path, write_images):
    root = tmp_path / "market1501"
    write_images(root / "bounding_box_train", [market_name(1, 1, 100)])
    write_images(root / "query", [market_name(1, 2, 5)])
    write_images(root / "bounding_box_test", [market_name(1, 1, 250), market_name(2, 1, 0)])
    splits = Market1501(str(tmp_path)).splits()
    assert splits["train"].times.tolist() == [4.0]
    assert splits["query"].times.tolist() == [(250 + 5) / 25]
    assert splits["gallery"].times.tolist() == [10.0, 0.0]


def test_duke_reader_gives_times(tmp_path, write_images):
    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        write_images(tmp_path / "dukemtmcreid" / folder, ["0001_c5_f0005994.jpg"])
    assert DukeMTMCreID(str(tmp_path)).splits()["query"].times.tolist() == [100.0]


def test_synthped_times_are_those_of_its_names(easy_data):
    """The names tell the frame; the reader takes the exact second."""
    from reidkit.synthped.reader import SynthPed

    split = SynthPed(str(easy_data), preset="easy").splits()["query"]
    frames = [int(path.rpartition("/")[2].split("_")[2]) for path in split.paths]
    assert np.abs(split.times - np.array(frames) / 25).max() <= 0.04


def test_randperson(tmp_path, write_images):
    folder = tmp_path / "randperson" / "randperson_subset"
    names = ["00000000_s00_c01_f000048.jpg", "00007999_s10_c00_f000024.jpg"]
    write_images(folder, names)
    splits = RandPerson(str(tmp_path)).splits()
    assert list(splits) == ["train"]
    assert splits["train"].identities.tolist() == [1, 8000]
    assert splits["train"].cameras.tolist() == [1, 15]
    assert splits["train"].times.tolist() == [2.0, 3_490_024 / 24]
    write_images(folder, ["00000001_s11_c00_f000024.jpg"])
    with pytest.raises(UserError, match="^RandPerson has scenes 0 to 10, a file names scene 11$"):
        RandPerson(str(tmp_path)).splits()


def test_clonedperson_keeps_the_cameras_of_scenes_apart(tmp_path, write_images):
    root = tmp_path / "clonedperson"
    for folder in ("train", "test/query", "test/gallery"):
        write_images(root / folder, ["00000_s01_c02_f000024.jpg", "-1_s02_c02_f000048.jpg"])
    query = ClonedPerson(str(tmp_path)).splits()["query"]
    rows = zip(query.identities, query.cameras, query.times, strict=True)
    by_name = dict(zip(query.paths, rows, strict=True))
    assert by_name["test/query/00000_s01_c02_f000024.jpg"] == (1, 102, 1.0)
    assert by_name["test/query/-1_s02_c02_f000048.jpg"] == (-1, 202, 2.0)
    write_images(root / "train", ["0001_c1.jpg"])
    with pytest.raises(UserError, match="train/0001_c1.jpg: the name does not tell identity"):
        ClonedPerson(str(tmp_path)).splits()
