"""Crops cut out of MOT sequences or of a video into a folder, with a table of what they show."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from reidkit.data.datasets.mot import Boxes, MOTSequence, clip_boxes, read_boxes
from reidkit.data.decode import decode_rgb, read_bytes
from reidkit.data.identities import number_identities, whole_numbers
from reidkit.data.tables.columns import cells, meanings, real_numbers
from reidkit.data.tables.read import read_table
from reidkit.data.video import video_facts, video_frames
from reidkit.errors import UserError
from reidkit.utils.io import atomic_folder
from reidkit.utils.progress import track

TABLE = "crops.csv"
IDENTITY, CAMERA = r"^p(\d+)_", r"_c(\d+)_"  # what tells identity and camera in the names
QUALITY = 95  # of the JPEGs


@dataclass(frozen=True, eq=False)
class Recording:
    """Boxes in the frames of one camera.

    Attributes:
        name: of the sequence or video.
        camera: number from 1.
        boxes: with tracks, clipped to the frames.
        rate: frames per second.
        frames: frame number -> file, for sequences of images.
        video: the file, for videos.
        names: of the tracks, where the table of boxes has names: ``names[k - 1]`` is track k.
    """

    name: str
    camera: int
    boxes: Boxes
    rate: float
    frames: dict[int, Path]
    video: Path | None = None
    names: tuple[str, ...] = ()

    def called(self, track: int) -> str:
        """A track as its source calls it."""
        return self.names[track - 1] if self.names else str(track)

    def pictures(self) -> Iterator[tuple[int, np.ndarray]]:
        """Frame number and (H, W, 3) RGB of every frame that has a box, in order."""
        wanted = np.unique(self.boxes.frames).tolist()
        if self.video is None:
            for frame in wanted:
                file = self.frames[frame]
                yield frame, decode_rgb(read_bytes(file), file.as_posix())
        else:
            yield from video_frames(self.video, wanted)


def sequence_recording(
    folder: Path, camera: int, every: int, classes: Sequence[int], visibility: float, height: float
) -> Recording:
    """A MOT sequence; see ``MOTSequence.crops`` for the options."""
    sequence = MOTSequence.read(folder)
    own = sequence.crops(every, classes, visibility, height)
    frames = {frame: folder / path for frame, path in sequence.images.items()}
    return Recording(sequence.name, camera, own, sequence.rate, frames)


def video_recording(file: Path, boxes: Path, camera: int, every: int, height: float) -> Recording:
    """A video and a table of boxes: .csv or .parquet with frame, identity and a box, or MOT's .txt.

    Frames count from 1.

    Raises:
        UserError: a video or table that cannot be read, or boxes of frames beyond its end.
    """
    rate, size = video_facts(file)
    names: tuple[str, ...] = ()
    if boxes.suffix == ".txt":
        listed = read_boxes(boxes)
    else:
        listed, names = table_boxes(boxes)
    listed = listed.select((listed.frames - 1) % every == 0)
    clipped = clip_boxes(listed.boxes, *size)
    kept = (clipped[:, 3] >= max(height, 1)) & (clipped[:, 2] >= 1) & listed.considered
    whole = Boxes(*(clipped if name == "boxes" else getattr(listed, name) for name in _FIELDS))
    return Recording(file.stem, camera, whole.select(kept), rate, {}, file, names)


_FIELDS = tuple(Boxes.__dataclass_fields__)
CORNERS, SIZES = ("x1", "y1", "x2", "y2"), ("x", "y", "width", "height")


def table_boxes(file: Path) -> tuple[Boxes, tuple[str, ...]]:
    """Boxes of a table with columns frame, identity, and x1, y1, x2, y2 or x, y, width, height.

    Returns:
        The boxes, and the names of their tracks where the identities are names.

    Raises:
        UserError: a table that cannot be read, a missing column or a value that cannot be.
    """
    columns = meanings(read_table(file), str(file))
    names = next((n for n in (CORNERS, SIZES) if all(name in columns for name in n)), None)
    if names is None or not {"frame", "identity"} <= set(columns):
        raise UserError(
            f"{file}: expected columns frame, identity, and x1, y1, x2, y2 or x, y, width, height;"
            f" it has: {', '.join(columns)}"
        )
    boxes = np.stack([real_numbers(columns[name]) for name in names], 1)
    if names is CORNERS:
        boxes[:, 2:] -= boxes[:, :2]
    frames = whole_numbers(columns["frame"].values, columns["frame"].where)
    people = number_identities(cells(columns["identity"]), columns["identity"].where)
    if (frames < 1).any():
        raise UserError(f"{columns['frame'].where}: frames count from 1")
    count = len(frames)
    ones = np.ones(count)
    return Boxes(frames, people.numbers, boxes, ones > 0, np.full(count, -1), ones), people.names


def cut(recordings: Sequence[Recording], out: Path, shared: bool = False) -> int:
    """Write the crops of all recordings and their table; the folder appears whole or not at all.

    Files are called ``p<identity>_c<camera>_f<frame>.jpg``; ``crops.csv`` holds file, identity,
    camera, time in seconds, sequence, track and frame.

    Args:
        recordings: of one camera each.
        out: must not exist, or be empty.
        shared: whether one track number, or name, is one person in all of them.

    Returns:
        The number of crops.

    Raises:
        UserError: no boxes, a frame that cannot be read, or a folder that holds something.
    """
    if not any(len(one.boxes.frames) for one in recordings):
        raise UserError("no box is left to be cut out; lower the limits of size and visibility")
    tracks = {
        (0 if shared else place, one.called(number))
        for place, one in enumerate(recordings)
        for number in one.boxes.tracks.tolist()
    }
    ordered = sorted(tracks, key=lambda key: (key[0], len(key[1]) * key[1].isdecimal(), key[1]))
    people = {key: number for number, key in enumerate(ordered, 1)}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("file", "identity", "camera", "time", "sequence", "track", "frame"))
    count = 0
    try:
        with atomic_folder(out) as folder:
            for place, one in enumerate(recordings):
                frames = len(np.unique(one.boxes.frames))
                for frame, picture in track(one.pictures(), frames, one.name):
                    for row in np.flatnonzero(one.boxes.frames == frame).tolist():
                        name = one.called(int(one.boxes.tracks[row]))
                        person = people[0 if shared else place, name]
                        file = f"p{person:04d}_c{one.camera}_f{frame:06d}.jpg"
                        _write(folder / file, picture, one.boxes.boxes[row])
                        moment = round((frame - 1) / one.rate, 3)
                        table.writerow((file, person, one.camera, moment, one.name, name, frame))
                        count += 1
            (folder / TABLE).write_text(text.getvalue())
    except FileExistsError as error:
        raise UserError(f"{error}; choose another folder with --out") from None
    return count


def _write(file: Path, picture: np.ndarray, box: np.ndarray) -> None:
    x, y, width, height = (int(v) for v in box)
    part = picture[y : y + height, x : x + width]
    if not part.size or file.exists():
        why = "lies outside the frame" if not part.size else "is the second of one track there"
        raise UserError(f"{file.name}: box x={x} y={y} {width}x{height} {why}; correct the table")
    bgr = np.ascontiguousarray(part[..., ::-1])
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise UserError(f"{file.name}: the crop could not be encoded")
    file.write_bytes(data.tobytes())
