"""Tracks of one camera: a tracker's file of boxes, and the video or folder of frames."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reidkit.data.cut import Recording
from reidkit.data.datasets.files import read_lines
from reidkit.data.datasets.mot import (
    Boxes,
    clip_boxes,
    read_boxes,
    refuse_missing,
    sequence_frames,
)
from reidkit.data.video import video_facts
from reidkit.errors import UserError

PEOPLE = (-1, 1)  # classes: none, pedestrian


@dataclass(frozen=True, eq=False)
class CameraTracks:
    """A tracker's output for one camera, with the frames.

    Attributes:
        recording: name, number from 1, boxes clipped to the frame, rate, and where the frames are.
        file: of the tracks.
        lines: cells of the file's line of each box, (B,) lists.
        start: of the first frame on the common clock of all cameras, seconds.
    """

    recording: Recording
    file: Path
    lines: list[list[str]]
    start: float = 0.0

    @classmethod
    def read(cls, tracks: Path, video: Path, camera: int = 1, start: float = 0.0) -> CameraTracks:
        """Read tracks in the format of MOTChallenge.

        Lines with flag 0 and those of classes other than 1 (people) are left out.

        Args:
            tracks: text file, see ``reidkit.data.datasets.mot.read_boxes``.
            video: that PyAV reads; or a folder of frames, the sequence with ``img1/`` and
                ``seqinfo.ini``, or its ``img1/``.
            camera: number from 1.
            start: of the first frame, seconds.

        Raises:
            UserError: a file that cannot be read, frames that are not there, or a track that has
                two boxes in one frame.
        """
        boxes = read_boxes(tracks)
        name, rate, size, frames = video.stem, 0.0, (0, 0), {}
        if video.is_dir():
            folder = _sequence(video)
            name, (images, rate, size) = folder.name, sequence_frames(folder)
            refuse_missing(boxes, images, tracks)
            frames = {frame: folder / path for frame, path in images.items()}
        else:
            rate, size = video_facts(video)
        _refuse_twice(boxes, tracks)
        boxes = replace(boxes, boxes=clip_boxes(boxes.boxes, *size))
        kept = np.flatnonzero(boxes.considered & np.isin(boxes.classes, PEOPLE))
        cells = [re.split(r"[,\s]+", line) for _, line in read_lines(tracks)]
        recording = Recording(
            name, camera, boxes.select(kept), rate, frames, None if frames else video
        )
        return cls(recording, tracks, [cells[row] for row in kept.tolist()], start)

    def seconds(self, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """Times of frames on the common clock."""
        return self.start + (frames - 1) / self.recording.rate


def read_cameras(
    tracks: Sequence[Path], videos: Sequence[Path], starts: Sequence[float] = ()
) -> list[CameraTracks]:
    """The cameras of a command: one file of tracks and one video each.

    Cameras are called as their videos; where names repeat, the camera's number follows.

    Args:
        tracks, videos: as many of each, in the same order.
        starts: of each, seconds; none: all began at the same moment.

    Raises:
        UserError: not as many of each; see ``CameraTracks.read``.
    """
    if len(tracks) != len(videos) or len(starts) not in (0, len(tracks)):
        raise UserError(
            f"{len(tracks)} files of tracks, {len(videos)} videos, {len(starts)} starts: each file "
            "needs its video, in the same order, and where one has a start, all need theirs"
        )
    moments = list(starts) or [0.0] * len(tracks)
    cameras = [
        CameraTracks.read(file, video, number, start)
        for number, (file, video, start) in enumerate(zip(tracks, videos, moments, strict=True), 1)
    ]
    counts = Counter(camera.recording.name for camera in cameras)
    return [
        camera
        if counts[camera.recording.name] == 1
        else replace(
            camera,
            recording=replace(camera.recording, name=f"{camera.recording.name}_{number}"),
        )
        for number, camera in enumerate(cameras, 1)
    ]


def _sequence(folder: Path) -> Path:
    """The sequence's folder, where its ``img1/`` was named."""
    whole = any((folder / name).exists() for name in ("seqinfo.ini", "img1"))
    return folder if whole or folder.name != "img1" else folder.absolute().parent


def _refuse_twice(boxes: Boxes, file: Path) -> None:
    places = np.stack([boxes.frames, boxes.tracks], 1)
    ordered = places[np.lexsort(places.T)]
    same = np.flatnonzero((ordered[1:] == ordered[:-1]).all(1))
    if len(same):
        frame, track = ordered[same[0]].tolist()
        raise UserError(
            f"{file.as_posix()}: track {track} has two boxes in frame {frame}; one track is one "
            "person, who is at one place"
        )
