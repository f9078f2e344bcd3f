import pytest

from reidkit.data import TrackletSplit
from reidkit.data.tracklets import in_time
from reidkit.errors import UserError


def test_frames_are_in_order_of_their_numbers():
    assert in_time(["x/f_10.png", "x/f_9.png", "x/f_100.png"]) == [
        "x/f_9.png",
        "x/f_10.png",
        "x/f_100.png",
    ]
    with pytest.raises(UserError, match="does not tell the frame's number"):
        in_time(["x/frame.png"])


def test_a_tracklet_without_frames_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"tracklet 2 of .* has no frames"):
        TrackletSplit.of("toy", "train", tmp_path, [["a1.jpg"], []], [1, 2], [1, 1])
