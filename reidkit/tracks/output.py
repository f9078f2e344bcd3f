"""Tracks with identities as files: MOT's format for each camera, and one table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reidkit.errors import UserError
from reidkit.tracks.cameras import CameraTracks
from reidkit.tracks.tracklets import Tracklet
from reidkit.utils.io import atomic_folder

TABLE = "identities.csv"
COLUMNS = ("camera", "track", "identity", "first_frame", "last_frame", "frames")


def write(
    cameras: Sequence[CameraTracks],
    tracklets: Sequence[Tracklet],
    identities: NDArray[np.int64],
    folder: Path,
) -> None:
    """Write ``<camera>.txt`` for each camera and ``identities.csv``; the folder appears whole.

    A line of a camera is that of the tracker, with the identity in place of the track's number.

    Args:
        cameras: names are those of the files.
        tracklets: of the cameras.
        identities: (T,) of the tracklets.
        folder: must not exist, or be empty.

    Raises:
        UserError: it holds something.
    """
    try:
        with atomic_folder(folder) as new:
            with open(new / TABLE, "w", encoding="utf-8", newline="") as file:
                table = csv.writer(file, lineterminator="\n")
                table.writerow(COLUMNS)
                for one, identity in zip(tracklets, identities.tolist(), strict=True):
                    name, ends = cameras[one.camera].recording.name, one.frames[[0, -1]].tolist()
                    table.writerow((name, one.track, identity, *ends, len(one.frames)))
            for place, camera in enumerate(cameras):
                text = _lines(camera, place, tracklets, identities)
                (new / f"{camera.recording.name}.txt").write_text(text, encoding="utf-8")
    except FileExistsError as error:
        raise UserError(f"{error}; choose another folder with --out") from None


def _lines(
    camera: CameraTracks,
    place: int,
    tracklets: Sequence[Tracklet],
    identities: NDArray[np.int64],
) -> str:
    lines = [list(cells) for cells in camera.lines]
    for one, identity in zip(tracklets, identities.tolist(), strict=True):
        for row in one.rows.tolist() if one.camera == place else ():
            lines[row][1] = str(identity)
    return "".join(f"{','.join(cells)}\n" for cells in lines)
