"""Footage: several people at once, hidden by each other and by things, and tracks that break."""

import numpy as np
import pytest

from reidkit.data.datasets.mot import MOTSequence, read_boxes
from reidkit.errors import UserError
from reidkit.synthped import footage_files
from reidkit.synthped.footage import SECONDS, SIZE, Footage
from reidkit.synthped.footage_files import PATIENCE, broken_tracks, write_footage


@pytest.mark.slow
def test_a_frame_is_the_same_always_and_shows_several_people():
    image, people = Footage(camera=2, people=8).frame(120)
    again, _ = Footage(camera=2, people=8).frame(120)
    assert np.array_equal(image, again) and image.shape == (*SIZE, 3)
    assert len(people) >= 2
    for _, box, share in people:
        assert (box >= 0).all() and (box[:2] + box[2:] <= [SIZE[1], SIZE[0]]).all()
        assert 0 <= share <= 1
    other, _ = Footage(camera=2, people=8, seed=1).frame(120)
    assert not np.array_equal(image, other)


@pytest.mark.slow
def test_who_walks_behind_is_hidden():
    """Shares are of what is painted: without the others and the pillars everything is seen."""
    one = Footage(camera=1, people=1)
    shares = [
        share
        for number in range(1, one.frames, 9)
        for _, box, share in one.frame(number)[1]
        if box[0] > 2 and box[0] + box[2] < SIZE[1] - 2
    ]
    assert min(shares) < 0.1 and max(shares) == 1.0


def test_everybody_passes_every_camera_after_the_one_before():
    for identity in (1001, 1004):
        starts = [
            one.start + walk.start
            for one in (Footage(camera=c, people=4) for c in (1, 2, 3))
            for walk in one.walks()
            if walk.identity == identity
        ]
        assert len(starts) == 3 and (np.diff(starts) >= 15).all()
        assert all(walk.start < SECONDS for walk in Footage(camera=3, people=4).walks())


def test_a_track_breaks_after_it_was_hidden_for_longer_than_the_patience():
    box = np.array([10.0, 10, 20, 60])
    shown, hidden = [(1, box, 1.0)], [(1, box, 0.2)]
    short = broken_tracks([shown, *[hidden] * PATIENCE, shown])
    assert [track for _, track, _ in short] == [1, 1]
    long = broken_tracks([shown, *[hidden] * (PATIENCE + 1), shown])
    assert [track for _, track, _ in long] == [1, 2]
    assert abs(long[0][2] - box).max() < 10 and not np.array_equal(long[0][2], box)


@pytest.mark.slow
def test_what_is_written_is_a_sequence(tmp_path, monkeypatch):
    monkeypatch.setattr(Footage, "frames", 8)
    write_footage(tmp_path / "w", [Footage(camera=3, walk=4, people=8)], show=False)
    sequence = MOTSequence.read(tmp_path / "w/cam3")
    assert len(sequence.images) == 8 and sequence.size == SIZE and sequence.rate == 10
    assert set(sequence.boxes.tracks) <= set(range(1033, 1041))
    assert (sequence.boxes.considered == (sequence.boxes.visibility >= 0.1)).all()
    tracks = read_boxes(tmp_path / "w/cam3/tracks.txt")
    assert len(tracks.frames) and tracks.tracks.max() < 20
    with pytest.raises(UserError, match="choose another folder"):
        write_footage(tmp_path / "w", [Footage(camera=2)], show=False)
    assert footage_files.DETECTED > footage_files.COUNTED
