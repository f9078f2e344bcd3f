"""Frames of a video, decoded by PyAV one after the other."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.errors import UserError

# containers that hold one video; playlists are left out, since they make the decoder open whatever
# other files and addresses a stranger wrote into them
CONTAINERS = "avi,mov,matroska,webm,mpeg,mpegts,mpegvideo,asf,flv,ogg,m4v,h264,hevc"
OPTIONS = dict(format_whitelist=CONTAINERS, protocol_whitelist="file")


def video_facts(file: Path) -> tuple[float, tuple[int, int]]:
    """Frames per second, and (height, width) in pixels as a player shows them.

    Args:
        file: the video.

    Raises:
        UserError: PyAV is not installed, or no video that it reads.
    """
    with _opened(file) as (stream, frames):
        _, first = next(frames, (0, None))
        rate = stream.guessed_rate or stream.average_rate
    if first is None or not rate:
        raise UserError(f"{file}: holds no frame of a known rate")
    return float(rate), _rgb(first).shape[:2]


def video_frames(file: Path, wanted: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Frames of a video, each decoded in its turn, since seeking is inexact in many formats.

    A turned video (a telephone's) is turned upright, as players do.

    Args:
        file: the video.
        wanted: numbers from 1, ascending.

    Yields:
        Number and (H, W, 3) uint8 RGB of each.

    Raises:
        UserError: PyAV is not installed, the file cannot be read, or it ends earlier.
    """
    waiting = iter(wanted)
    place, count = next(waiting, None), 0
    with _opened(file) as (_, frames):
        while place is not None:
            count, frame = next(frames, (count, None))
            if frame is None:
                raise UserError(
                    f"{file}: ends after frame {count}, and frame {place} has boxes; the table "
                    "belongs to another video, or counts otherwise than from 1"
                )
            if count == place:
                yield place, _rgb(frame)
                place = next(waiting, None)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[Any, Iterator[tuple[int, Any]]]]:
    """The video stream of a file, and its numbered frames."""
    if importlib.util.find_spec("av") is None:
        raise UserError(f"{file}: videos need PyAV: python -m pip install 'reidkit[video]'")
    import av  # heavy

    if not file.is_file():
        raise UserError(f"{file}: no such file")
    try:
        with av.open(str(file), options=OPTIONS) as container:
            if not container.streams.video:
                raise UserError(f"{file}: holds no video")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield stream, _decoded(file, container, stream)
    except av.FFmpegError as error:
        raise UserError(
            f"{file}: no video that can be read ({error.strerror}); convert it to MP4 with H.264"
        ) from None


def _decoded(file: Path, container: Any, stream: Any) -> Iterator[tuple[int, Any]]:
    """Numbers and frames; a damaged one ends the reading, since what follows is miscounted."""
    import av

    count = 0
    try:
        for frame in container.decode(stream):
            count += 1
            yield count, frame
    except av.FFmpegError as error:
        raise UserError(
            f"{file}: damaged after frame {count} ({error.strerror}); frames behind it cannot be "
            "counted, so repair the file or cut it there"
        ) from None


def _rgb(frame: Any) -> np.ndarray:
    """(H, W, 3) RGB, turned by the quarter turns that the file asks for."""
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
