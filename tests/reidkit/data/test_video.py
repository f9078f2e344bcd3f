import itertools

import av
import numpy as np
import pytest

from reidkit.data.video import video_facts, video_frames
from reidkit.errors import UserError

HEIGHT, WIDTH, COUNT = 64, 96, 30
IDENTITY = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
TURN = np.array([0, 1 << 16, 0, -1 << 16, 0, 0, HEIGHT << 16, 0, 1 << 30], ">i4").tobytes()


def picture(number):
    """Grey that tells the frame, and a bright corner at the upper left."""
    image = np.full((HEIGHT, WIDTH, 3), 20 + 6 * number, np.uint8)
    image[:16, :16] = 255
    return image


def grey(image):
    return (image[32:].mean() - 20) / 6


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """H.264 with B frames: what is stored is in another order than what is shown."""
    file = tmp_path_factory.mktemp("video") / "a.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "3", "crf": "5"})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for number in range(1, COUNT + 1):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file


def test_frames_are_counted_as_they_are_shown(video):
    assert video_facts(video) == (25.0, (HEIGHT, WIDTH))
    wanted = [1, 2, 7, 8, COUNT]
    frames = list(video_frames(video, wanted))
    assert [number for number, _ in frames] == wanted
    assert np.allclose([grey(image) for _, image in frames], wanted, atol=0.4)
    assert list(video_frames(video, [])) == []
    with pytest.raises(UserError, match=f"ends after frame {COUNT}, and frame 31 has boxes"):
        list(video_frames(video, [1, 31]))


def test_turned_videos_are_turned_upright(video, tmp_path):
    data = video.read_bytes()
    place = data.index(IDENTITY, data.index(b"tkhd"))
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(data[:place] + TURN + data[place + len(TURN) :])
    assert video_facts(turned) == (25.0, (WIDTH, HEIGHT))
    ((_, image),) = video_frames(turned, [1])
    assert image.shape == (WIDTH, HEIGHT, 3)
    corner = image[:16, -16:]  # a quarter turn clockwise: what was at the upper left
    assert corner.mean() > 200 > image[:16, :16].mean()


def test_bad_videos_are_refused(video, tmp_path):
    data, bad = video.read_bytes(), tmp_path / "bad.mp4"
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{video}\n#EXT-X-ENDLIST\n"
    for content in (b"no video", data[:200], playlist.encode(), b""):
        bad.write_bytes(content)
        with pytest.raises(UserError, match=r"bad.mp4: (no video that can be read|holds no)"):
            video_facts(bad)
    with pytest.raises(UserError, match="no such file"):
        video_facts(tmp_path / "none.mp4")


def test_a_damaged_frame_ends_the_reading(tmp_path):
    whole, cut = tmp_path / "whole.avi", tmp_path / "cut.avi"
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("ffv1", rate=10, options={"slicecrc": "1"})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        packets = []
        for number in range(1, 6):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for packet in packets:
            container.mux(packet)
    data = bytearray(whole.read_bytes())
    body = bytes(packets[2])
    place = data.index(body)
    data[place : place + len(body)] = bytes(255 - value for value in body)
    cut.write_bytes(data)
    taken = []
    with pytest.raises(UserError, match="cut.avi: damaged after frame 2"):
        taken.extend(itertools.chain(video_frames(cut, range(1, 6))))
