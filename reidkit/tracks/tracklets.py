"""Tracklets: which of their boxes are looked at, what a model says of them, how far apart they are.

Shape letters: T tracklets, M crops, B boxes of a camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reidkit.data.datasets.mot import Boxes
from reidkit.evaluation.ranking.blocks import blocks
from reidkit.structures import Embedding
from reidkit.tracks.cameras import CameraTracks
from reidkit.utils.progress import track

COVERED = 0.3  # of a box by another one; such boxes are looked at only where a track has no others


@dataclass(frozen=True, eq=False)
class Tracklet:
    """One track of one camera.

    Attributes:
        camera: place in the list of cameras, from 0.
        track: number in the tracker's file.
        frames: (n,) int64, ascending.
        rows: (n,) of the camera's boxes.
        start, end: of the first and the last frame on the common clock, seconds.
    """

    camera: int
    track: int
    frames: NDArray[np.int64]
    rows: NDArray[np.int64]
    start: float
    end: float


def tracklets_of(cameras: Sequence[CameraTracks]) -> list[Tracklet]:
    """Every track of every camera, cameras and track numbers ascending."""
    found = []
    for place, camera in enumerate(cameras):
        boxes = camera.recording.boxes
        order = np.lexsort((boxes.frames, boxes.tracks))
        numbers, starts = np.unique(boxes.tracks[order], return_index=True)
        for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            frames = boxes.frames[rows]
            start, end = camera.seconds(frames[[0, -1]]).tolist()
            found.append(Tracklet(place, number, frames, rows, start, end))
    return found


def evenly_chosen(
    boxes: Boxes, rows: NDArray[np.int64], covered: NDArray, count: int, min_height: float
) -> NDArray[np.int64]:
    """Rows of a track that are looked at: the middles of ``count`` equal parts of it.

    Args:
        boxes: of the camera, clipped to the frame.
        rows: (n,) of the track, in order.
        covered: (B,) share of each box that the most covering other one covers.
        count: at most.
        min_height: of a clipped box, pixels; those that are smaller are left out.
    """
    width, height = boxes.boxes[rows, 2], boxes.boxes[rows, 3]
    usable = rows[(height >= max(1.0, min_height)) & (width >= 1)]
    free = usable[covered[usable] <= COVERED]
    pool = free if len(free) else usable
    places = ((np.arange(count) + 0.5) * len(pool) / count).astype(np.int64)
    return pool[np.unique(places)] if len(pool) else pool


def covered_shares(boxes: Boxes) -> NDArray[np.float64]:
    """Share (B,) of each box that lies in the box of its frame that covers it most.

    Example:
        >>> one = np.ones(3)
        >>> both = np.array([[0.0, 0, 10, 10], [5, 0, 10, 20], [0, 0, 9, 9]])
        >>> frames = np.array([1, 1, 2])
        >>> covered_shares(Boxes(frames, frames, both, one > 0, frames, one)).tolist()
        [0.5, 0.25, 0.0]
    """
    shares = np.zeros(len(boxes.frames))
    order = np.argsort(boxes.frames, kind="stable")
    _, starts = np.unique(boxes.frames[order], return_index=True)
    for rows in np.split(order, starts[1:]):
        start, size = boxes.boxes[rows, :2], boxes.boxes[rows, 2:]
        low = np.maximum(start[:, None], start[None])
        high = np.minimum((start + size)[:, None], (start + size)[None])
        common = np.clip(high - low, 0, None).prod(2)
        np.fill_diagonal(common, 0)
        shares[rows] = common.max(1) / np.maximum(size.prod(1), 1e-12)
    return shares


def embed_tracklets(
    cameras: Sequence[CameraTracks],
    tracklets: Sequence[Tracklet],
    model: Any,
    frames: int,
    min_height: float,
    batch_size: int,
) -> tuple[Embedding | None, NDArray[np.int64]]:
    """Embeddings of the chosen crops of all tracklets, in the order of the tracklets.

    Every video is read once, from its beginning to the last frame that is needed.

    Args:
        cameras: where they come from.
        tracklets: of all cameras.
        model: called with crops and ``batch_size``.
        frames: crops of a tracklet, at most.
        min_height: of a crop, pixels.
        batch_size: crops in one forward pass.

    Returns:
        The embeddings, and the tracklet of each (M,); None where no box can be used.
    """
    parts: list[Embedding] = []
    owners: list[int] = []
    for place, camera in enumerate(cameras):
        covered = covered_shares(camera.recording.boxes)
        own = [
            (number, evenly_chosen(camera.recording.boxes, one.rows, covered, frames, min_height))
            for number, one in enumerate(tracklets)
            if one.camera == place
        ]
        pairs = [(int(row), number) for number, rows in own for row in rows]
        crops: list[np.ndarray] = []
        for number, crop in _crops(camera, dict(pairs)):
            owners.append(number)
            crops.append(crop)
            if len(crops) == batch_size:
                parts.append(model(crops, batch_size))
                crops = []
        parts += [model(crops, batch_size)] if crops else []
    if not parts:
        return None, np.empty(0, np.int64)
    order = np.argsort(owners, kind="stable")
    return Embedding.cat(parts)[torch.from_numpy(order)], np.array(owners)[order]


def _crops(camera: CameraTracks, wanted: dict[int, int]):
    """(tracklet, crop) of the wanted rows, frame after frame."""
    recording = camera.recording
    rows = np.array(sorted(wanted), np.int64)
    chosen = type(recording)(
        recording.name, recording.camera, recording.boxes.select(rows), recording.rate,
        recording.frames, recording.video,
    )  # fmt: skip
    count = len(np.unique(chosen.boxes.frames))
    for frame, picture in track(chosen.pictures(), count, recording.name, unit="frames"):
        for row in rows[chosen.boxes.frames == frame].tolist():
            x, y, width, height = recording.boxes.boxes[row].astype(int).tolist()
            yield wanted[row], np.ascontiguousarray(picture[y : y + height, x : x + width])


@torch.inference_mode()
def tracklet_distances(
    embedding: Embedding, groups: NDArray[np.int64], matcher: nn.Module, block_mb: float = 64
) -> NDArray[np.float64]:
    """Distances between tracklets, in both directions alike.

    Vectors of a tracklet are joined to their mean (``Embedding.join``) and compared once. Maps
    cannot be joined without blurring them: there it is the mean distance of all pairs of crops.

    Args:
        embedding: of M crops, those of a tracklet one after the other.
        groups: their tracklets, 0..T-1, ascending, every one present.
        matcher: a `Matcher`.
        block_mb: memory of a block of distances, megabytes.

    Shape:
        groups (M,); returns (T, T).

    Example:
        >>> from reidkit.evaluation import CosineMatcher
        >>> two = Embedding(torch.tensor([[[1.0, 0]], [[0.0, 1]], [[1.0, 1]]]))
        >>> tracklet_distances(two, np.array([0, 0, 1]), CosineMatcher()).round(6).tolist()
        [[0.0, 0.0], [0.0, 0.0]]
    """
    if embedding.maps is None:
        embedding, groups = embedding.join(torch.from_numpy(groups)), np.arange(groups[-1] + 1)
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    sizes = np.diff(starts, append=len(groups))
    rows = np.empty((len(groups), len(starts)))
    for part, values in blocks(embedding, embedding, matcher, block_mb, distances=True):
        rows[part] = np.add.reduceat(values.double().cpu().numpy(), starts, axis=1) / sizes
    table = np.add.reduceat(rows, starts, axis=0) / sizes[:, None]
    return (table + table.T) / 2
