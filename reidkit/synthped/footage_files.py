"""Footage on disk: sequences in MOTChallenge's layout, with tracks as a tracker breaks them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from reidkit.errors import UserError
from reidkit.synthped.footage import RATE, SIZE, Footage
from reidkit.synthped.keys import stream
from reidkit.utils.io import atomic_folder
from reidkit.utils.progress import track

COUNTED = 0.1  # share of a body that is seen, from which on the truth counts it
DETECTED = 0.35  # from which on a detector gives a box
PATIENCE = 3  # frames for which a tracker waits; who is seen again later is a new track
EDGE = 0.03  # sd of a detector's box, of its width and height
QUALITY = 92  # of the JPEGs

Seen = list[tuple[int, np.ndarray, float]]


def write_footage(folder: Path, recordings: Sequence[Footage], show: bool = True) -> Path:
    """Write ``cam<camera>/`` of each recording: img1/, seqinfo.ini, gt/gt.txt, tracks.txt.

    ``gt.txt`` has the identities of the world, with the share of the body that is seen in the last
    column and flag 0 where that is below 10 %. ``tracks.txt`` is a simulated tracker's, see
    ``broken_tracks``. The folder appears whole.

    Args:
        folder: must not exist, or be empty.
        recordings: of different cameras.
        show: progress.

    Raises:
        UserError: the folder holds something.
    """
    try:
        with atomic_folder(folder) as new:
            for one in recordings:
                _write(new / f"cam{one.camera}", one, show)
    except FileExistsError as error:
        raise UserError(f"{error}; choose another folder") from None
    return folder


def broken_tracks(frames: Sequence[Seen], *key: int) -> list[tuple[int, int, np.ndarray]]:
    """Frame from 1, track and box of what a tracker follows, which loses everybody who is hidden.

    Bodies of which at least 35 % are seen are detected, with boxes whose edges are off by 3 % of
    their size (one standard deviation). Who is not detected for more than 3 frames comes back with
    a new number; tracks never pass to another person.

    Args:
        frames: what ``Footage.frame`` says of each frame.
        key: numbers that the errors of the boxes depend on.

    Example:
        >>> box = np.array([0.0, 0, 20, 60])
        >>> frames = [[(7, box, 1.0)]] * 2 + [[(7, box, 0.1)]] * 5 + [[(7, box, 1.0)]]
        >>> [(frame, track) for frame, track, _ in broken_tracks(frames)]
        [(1, 1), (2, 1), (8, 2)]
    """
    rng = stream("footage tracker", *key)
    current: dict[int, tuple[int, int]] = {}  # identity -> track, last frame
    found, count = [], 0
    for number, people in enumerate(frames, 1):
        for identity, box, share in people:
            if share < DETECTED:
                continue
            name, last = current.get(identity, (0, -PATIENCE - 1))
            if number - last > PATIENCE + 1:
                count += 1
                name = count
            current[identity] = name, number
            start = box[:2] + EDGE * box[2:] * rng.standard_normal(2)
            end = box[:2] + box[2:] * (1 + EDGE * rng.standard_normal(2))
            found.append((number, name, np.concatenate([start, np.maximum(end - start, 1)])))
    return found


def _write(folder: Path, footage: Footage, show: bool) -> None:
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    frames: list[Seen] = []
    numbers = range(1, footage.frames + 1)
    for number in track(numbers, label=folder.name, unit="frames", show=show):
        image, people = footage.frame(number)
        frames.append(people)
        file = str(folder / f"img1/{number:06d}.jpg")
        if not cv2.imwrite(file, image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY]):
            raise OSError(f"{file} could not be written")
    truth = [
        f"{number},{identity},{_cells(box)},{int(share >= COUNTED)},1,{share:.3f}"
        for number, people in enumerate(frames, 1)
        for identity, box, share in people
    ]
    key = (footage.seed, footage.walk, footage.camera)
    tracks = [
        f"{number},{name},{_cells(box)},1,-1,-1,-1"
        for number, name, box in broken_tracks(frames, *key)
    ]
    (folder / "gt/gt.txt").write_text("\n".join(truth) + "\n")
    (folder / "tracks.txt").write_text("\n".join(tracks) + "\n")
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate={RATE}\n"
        f"seqLength={footage.frames}\nimWidth={SIZE[1]}\nimHeight={SIZE[0]}\nimExt=.jpg\n"
    )


def _cells(box: np.ndarray) -> str:
    """Left and top from 1, width and height, as MOTChallenge writes them."""
    return ",".join(f"{value:.1f}" for value in box + [1, 1, 0, 0])
