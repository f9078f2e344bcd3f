"""Sequences in the format of MOTChallenge: frames, and a text file of boxes with track numbers."""

from __future__ import annotations

import configparser
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from reidkit.data.datasets.files import folders_in, list_images, read_lines
from reidkit.errors import UserError

DETECTORS = re.compile(r"-(DPM|FRCNN|SDP)$")  # MOT17 holds every sequence three times
COLUMNS = ("frame", "id", "left", "top", "width", "height", "flag", "class", "visibility")
LEVELS = 2  # folders below the root in which sequences lie: train/MOT17-02


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes with track numbers in the frames of one camera.

    Attributes:
        frames: (B,) int64, from 1.
        tracks: (B,) int64.
        boxes: (B, 4) float64: x, y, width, height in pixels from 0.
        considered: (B,) bool: false where the annotators say to pass a box over.
        classes: (B,) int64; 1 is a pedestrian, and -1 where the file has no classes.
        visibility: (B,) float64 in 0..1; 1 where the file does not say.
    """

    frames: np.ndarray
    tracks: np.ndarray
    boxes: np.ndarray
    considered: np.ndarray
    classes: np.ndarray
    visibility: np.ndarray

    def select(self, rows: np.ndarray) -> Boxes:
        """Only these rows: numbers, or a mask."""
        return Boxes(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class MOTSequence:
    """One sequence: ``img1/`` (or what ``seqinfo.ini`` says), ``gt/gt.txt``, ``seqinfo.ini``.

    Attributes:
        name: of its folder.
        folder: where it lies.
        images: frame number -> path relative to ``folder``.
        rate: frames per second.
        size: (height, width) of the frames in pixels.
        boxes: of ``gt/gt.txt``.
    """

    name: str
    folder: Path
    images: dict[int, str]
    rate: float
    size: tuple[int, int]
    boxes: Boxes

    @classmethod
    def read(cls, folder: Path) -> MOTSequence:
        """Read a sequence.

        Raises:
            UserError: no frames; no boxes, or boxes without tracks; a line of another form; boxes
                of frames that are not there.
        """
        images, rate, size = sequence_frames(folder)
        file = folder / "gt/gt.txt"
        if not file.is_file():
            raise UserError(
                f"{folder.as_posix()}: no gt/gt.txt, which says who is where"
                + (
                    "; det/det.txt holds boxes without identities"
                    if (folder / "det/det.txt").is_file()
                    else ""
                )
            )
        boxes = read_boxes(file)
        refuse_missing(boxes, images, file)
        return cls(folder.name, folder, images, rate, size, boxes)

    def crops(
        self, every: int, classes: Sequence[int], min_visibility: float, min_height: float
    ) -> Boxes:
        """The boxes that are worth a crop, clipped to the frame.

        Args:
            every: only of each n-th frame.
            classes: numbers that are kept, where the file tells classes.
            min_visibility: share of the object that is seen, at least.
            min_height: of the clipped box, in pixels.
        """
        own = self.boxes
        kept = own.considered & (own.visibility >= min_visibility)
        kept &= np.isin(own.classes, [-1, *classes]) & ((own.frames - 1) % every == 0)
        own = own.select(kept)
        clipped = clip_boxes(own.boxes, *self.size)
        large = (clipped[:, 3] >= max(1.0, min_height)) & (clipped[:, 2] >= 1)
        rows = np.flatnonzero(large)
        return Boxes(
            own.frames[rows], own.tracks[rows], clipped[rows], own.considered[rows],
            own.classes[rows], own.visibility[rows],
        )  # fmt: skip


def sequence_frames(folder: Path) -> tuple[dict[int, str], float, tuple[int, int]]:
    """Frame number -> path relative to a sequence's folder, frames per second, (height, width).

    What ``seqinfo.ini`` does not say is taken from the frames; the rate is then 25.

    Raises:
        UserError: no frames, or sizes and rates that cannot be.
    """
    info = _info(folder / "seqinfo.ini")
    images = _frames(folder, info.get("imdir", "img1"))
    try:
        size = int(info["imheight"]), int(info["imwidth"])
        rate = float(info["framerate"])
    except (KeyError, ValueError):  # as in exports of annotation tools
        size = _size(folder / next(iter(images.values())))
        rate = 25.0
    if not rate > 0 or min(size) < 1:
        raise UserError(f"{folder.as_posix()}/seqinfo.ini: rate {rate}, size {size}")
    return images, rate, size


def refuse_missing(boxes: Boxes, images: dict[int, str], file: Path) -> None:
    """Refuse boxes of frames that are not there.

    Args:
        boxes: of a file.
        images: frame number -> path.
        file: for the text.

    Raises:
        UserError: the first such frame.
    """
    missing = np.setdiff1d(boxes.frames, list(images))
    if len(missing):
        place = next(iter(images.values())).rpartition("/")[0]
        raise UserError(
            f"{file.as_posix()}: boxes of frame {missing[0]}, which is not in "
            f"{place}/ ({len(missing)} such frames); unpack the archive again"
        )


def find_sequences(root: Path) -> tuple[list[Path], list[str]]:
    """Folders of sequences at or below a folder, and notes on those left out.

    Of sequences that MOT17 holds once for each detector (``MOT17-02-DPM``, ``-FRCNN``, ``-SDP``),
    the first is taken: their frames and annotations are the same.

    Raises:
        UserError: there are none.
    """
    found = _below(root, LEVELS)
    if not found:
        raise UserError(
            f"{root.as_posix()}: no sequence of MOT's format, a folder with img1/ and gt/gt.txt"
        )
    first: dict[str, Path] = {}
    twins = []
    for path in found:
        base = DETECTORS.sub("", path.name)
        if base in first:
            twins.append(path.name)
        first.setdefault(base, path)
    notes = [f"left out, the same frames as another: {', '.join(twins)}"] if twins else []
    return list(first.values()), notes


def _below(folder: Path, levels: int) -> list[Path]:
    if (folder / "gt").is_dir() or (folder / "seqinfo.ini").is_file():
        return [folder]
    if not levels:
        return []
    return [one for name in folders_in(folder) for one in _below(folder / name, levels - 1)]


def read_boxes(file: Path) -> Boxes:
    """Boxes of a text file: frame, track, left, top, width, height, flag, class, visibility.

    Frames, tracks and pixels count from 1, as MOTChallenge states; the last three columns may be
    missing. A flag of 0 marks a box to be passed over.

    Raises:
        UserError: no lines, a line of another form (with its number), or boxes without tracks.
    """
    rows = [_numbers(file, number, line) for number, line in read_lines(file)]
    if not rows:
        raise UserError(f"{file.as_posix()}: holds no boxes")
    table = np.array(rows, dtype=np.float64)
    if (table[:, 1] < 0).any():
        raise UserError(
            f"{file.as_posix()}: boxes without identities (id -1), as of a detector; the ground "
            "truth or a tracker's output has them"
        )
    whole = table[:, [0, 1, 7]]
    if (whole != np.round(whole)).any() or (table[:, 0] < 1).any():
        raise UserError(f"{file.as_posix()}: frames, ids and classes must be whole numbers")
    frames, tracks, classes = whole.astype(np.int64).T
    boxes = table[:, 2:6] - [1, 1, 0, 0]
    visibility = np.where(table[:, 8] < 0, 1.0, table[:, 8])
    return Boxes(frames, tracks, boxes, table[:, 6] != 0, classes, visibility)


def _numbers(file: Path, number: int, line: str) -> list[float]:
    cells = [cell for cell in re.split(r"[,\s]+", line) if cell]
    try:
        values = [float(cell) for cell in cells[: len(COLUMNS)]]
    except ValueError:
        values = []
    if len(values) < 6 or not np.isfinite(values).all():
        raise UserError(
            f"{file.as_posix()}:{number}: expected {', '.join(COLUMNS)}, numbers with commas "
            f"between them, the last three optional; got {line[:80]!r}"
        )
    if len(cells) == 10:  # a tracker's output: -1 or world coordinates behind the flag
        values = [*values[:6], 1.0]
    return values + [1.0, -1.0, 1.0][len(values) - 6 :]


def _info(file: Path) -> dict[str, str]:
    """The section of ``seqinfo.ini``, keys in lower case; nothing where there is no file."""
    if not file.is_file():
        return {}
    parsed = configparser.ConfigParser(interpolation=None)
    try:
        parsed.read_string("\n".join(line for _, line in read_lines(file)))
        return dict(parsed["Sequence"])
    except (configparser.Error, KeyError) as error:
        text = str(error).splitlines()[0]
        raise UserError(f"{file.as_posix()}: no section [Sequence] of keys ({text})") from None


def _frames(folder: Path, place: str) -> dict[int, str]:
    """Frame number -> path, read off the file names."""
    if Path(place).is_absolute() or ".." in Path(place).parts:
        raise UserError(f"{folder.as_posix()}/seqinfo.ini: imDir={place} leads elsewhere")
    if not (folder / place).is_dir():
        raise UserError(f"{folder.as_posix()}: no folder {place}/ of frames")
    images: dict[int, str] = {}
    for name in list_images(folder / place):
        digits = re.findall(r"[0-9]+", name.rpartition(".")[0])
        if digits:
            images[int(digits[-1])] = f"{place}/{name}"
    if not images:
        raise UserError(f"{folder.as_posix()}/{place}: no frames such as 000001.jpg")
    return images


def _size(file: Path) -> tuple[int, int]:
    try:
        with Image.open(file) as image:
            return image.height, image.width
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{file.as_posix()}: its size cannot be read ({error})") from None


def clip_boxes(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Boxes truncated to whole pixels, then clipped to the image; those outside are empty.

    Shape:
        boxes (B, 4): x, y, width, height; returns the same as float64.

    Example:
        >>> clip_boxes(np.array([[-3.5, 2.9, 10.0, 20.2], [40, 0, 5, 5]]), height=12, width=30)
        array([[ 0.,  2.,  7., 10.],
               [30.,  0.,  0.,  5.]])
    """
    whole = np.trunc(np.asarray(boxes, dtype=np.float64).reshape(-1, 4))
    limits = np.array([width, height], dtype=np.float64)
    start = np.clip(whole[:, :2], 0, limits)
    end = np.clip(whole[:, :2] + whole[:, 2:], 0, limits)
    return np.concatenate([start, end - start], 1)
