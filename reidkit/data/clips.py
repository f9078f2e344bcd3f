"""Clips of tracklets as batches (B, T, 3, H, W): which frames is decided before they are read.

Frames are drawn in the main process, where the epoch is known, and travel to the workers beside the
row. So a draw is a pure function of (seed, epoch, tracklet, copy), whatever the number of workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from reidkit.data.crops import CropDataset
from reidkit.data.tracklets import TrackletSplit
from reidkit.structures import Field, ReIDBatch

Clip = tuple[int, np.ndarray]  # row of a tracklet, indices of its frames (T,)
FrameSampler = Callable[..., np.ndarray]
AUGMENT = ("tracklet", "frame")


class ClipDataset(Dataset):
    """Clips of a split's tracklets, handed out a batch at a time.

    All frames of a batch are decoded in one go into one array; a frame that a clip repeats is
    decoded once.

    Args:
        split: what to read.
        size, resize, labels, fields, relabel, domain: see ``CropDataset``; labels have one row per
            frame.
        augment: "tracklet": batch transforms make one decision for all frames of a clip; "frame":
            one for each.
        sampler: frame sampler whose fixed choice is taken of rows asked for without frames.

    Shape:
        batch.images (B, T, 3, height, width) uint8; fields of the frames (B, T, ...), such as
        keypoints (B, T, 17, 3); everything else has one row per tracklet.

    Raises:
        ValueError: clips of different lengths in one batch; unknown ``augment``.
        UserError: on reading, a damaged image.
    """

    def __init__(
        self,
        split: TrackletSplit,
        size: tuple[int, int],
        resize: str = "cv2",
        labels: Any | None = None,
        fields: Sequence[str] | None = None,
        relabel: bool = False,
        domain: str = "",
        augment: str = "tracklet",
        sampler: FrameSampler | None = None,
    ):
        if augment not in AUGMENT:
            raise ValueError(f"augment must be one of {AUGMENT}, got {augment!r}")
        self.split, self.domain, self.augment, self.sampler = split, domain, augment, sampler
        brought = {n: a for n, a in split.labels.items() if fields is None or n in fields}
        self.fields = brought  # of the tracklets; the rest has one row per frame
        of_frames = None if fields is None else [name for name in fields if name not in brought]
        self.frames = CropDataset(split.crops(), size, resize, labels, of_frames, domain=domain)
        self.identities, self.num_identities = split.identities, split.num_identities
        if relabel:
            self.identities, self.num_identities = split.relabel()

    def __len__(self) -> int:
        return len(self.split)

    def __getitems__(self, indices: Sequence[Clip | int]) -> ReIDBatch:
        """These clips as one batch, in this order."""
        clips = [self._clip(index) if isinstance(index, int) else index for index in indices]
        lengths = {len(frames) for _, frames in clips}
        if len(lengths) != 1:
            raise ValueError(f"clips of one batch must be equally long, got {sorted(lengths)}")
        [length] = lengths
        rows = np.array([row for row, _ in clips], np.int64)
        wanted = np.concatenate([self.split.starts[row] + frames for row, frames in clips])
        once, places = np.unique(wanted, return_inverse=True)
        if len(once) == len(wanted):
            read = self.frames.__getitems__(wanted.tolist())
        else:
            read = _take(self.frames.__getitems__(once.tolist()), places)

        shape = (len(rows), length)
        of_frames = {n: one.map(lambda t: t.unflatten(0, shape)) for n, one in read.fields.items()}
        of_clips = {n: Field(torch.from_numpy(a[rows]), "clip") for n, a in self.fields.items()}
        return ReIDBatch(
            images=read.images.unflatten(0, shape),
            identities=torch.from_numpy(self.identities[rows]),
            cameras=torch.from_numpy(self.split.cameras[rows]),
            indices=torch.from_numpy(rows),
            paths=[self.split.frame_paths[i] for i in wanted],
            domain=self.domain,
            frames=length,
            augment_group=length if self.augment == "tracklet" else 1,
            fields={**of_frames, **of_clips},
        )

    def _clip(self, row: int) -> Clip:
        if self.sampler is None:
            raise ValueError("tracklets are asked for as (row, frames): there is no frame sampler")
        return row, self.sampler(int(self.split.lengths[row]), None)[0]


def _take(batch: ReIDBatch, places: np.ndarray) -> ReIDBatch:
    """Images and fields of the batch at these places, in a batch of their own."""
    index = torch.from_numpy(places)
    fields = {name: one.map(lambda t: t[index]) for name, one in batch.fields.items()}
    return ReIDBatch(batch.images[index], fields=fields)


class ClipBatches:
    """A batch sampler of tracklets with the frames of each drawn: what a loader of clips iterates.

    Args:
        batches: batch sampler of rows, see ``BatchSampler``.
        frames: frame sampler.
        lengths: (M,) frames of every tracklet.
        seed: of the run.
        rank, world_size: of this process. The n-th time a process meets a tracklet in a pass is
            copy ``n * world_size + rank`` of it.

    Raises:
        ValueError: a frame sampler that gives several clips.

    Example:
        >>> from reidkit.data import RandomFrames, ShuffleSampler
        >>> rows = ShuffleSampler(num_samples=4, batch_size=2)
        >>> [batch, _] = ClipBatches(rows, RandomFrames(3), np.array([9, 9, 9, 9]))
        >>> [frames.shape for _, frames in batch]
        [(3,), (3,)]
    """

    def __init__(
        self,
        batches: Any,
        frames: FrameSampler,
        lengths: np.ndarray,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ):
        self.batches, self.frames, self.lengths = batches, frames, lengths
        self.seed, self.rank, self.world_size = int(seed), int(rank), int(world_size)
        self.epoch = self.restart = self.start = 0

    def __len__(self) -> int:
        return len(self.batches)

    def __getattr__(self, name: str) -> Any:
        if name == "batches":
            raise AttributeError(name)
        return getattr(self.batches, name)  # refresh(model), state_dict, ...

    def set_epoch(self, epoch: int, restart: int = 0, start: int = 0) -> None:
        """Choose the pass that the next iteration gives; see ``BatchSampler.set_epoch``."""
        self.epoch, self.restart, self.start = int(epoch), int(restart), int(start)
        self.batches.set_epoch(epoch, restart)

    def sample_frames(self, row: int, copy: int) -> np.ndarray:
        """Frames (T,) of one copy of a tracklet in the chosen pass: a pure function."""
        generator = np.random.default_rng([self.seed, self.epoch, self.restart, row, copy])
        clips = self.frames(int(self.lengths[row]), generator)
        if len(clips) != 1:
            raise ValueError(
                f"{type(self.frames).__name__} gives {len(clips)} clips of a tracklet; training "
                "takes one"
            )
        return clips[0]

    def __iter__(self) -> Iterator[list[Clip]]:
        met: Counter[int] = Counter()
        for number, rows in enumerate(self.batches):
            copies = []
            for row in rows:
                copies.append(met[row] * self.world_size + self.rank)
                met[row] += 1
            if number >= self.start:
                yield [(r, self.sample_frames(r, c)) for r, c in zip(rows, copies, strict=True)]


def fixed_clips(frames: FrameSampler, lengths: Iterable[int], images: int) -> Iterator[list[Clip]]:
    """All clips of the fixed choice of the test, in batches of equally long ones, in order.

    Args:
        frames: frame sampler.
        lengths: frames of every tracklet; the n-th has row n.
        images: frames in one batch, about; a longer clip is a batch of its own.

    Example:
        >>> from reidkit.data import DenseFrames
        >>> [[row for row, _ in clips] for clips in fixed_clips(DenseFrames(2), [4, 2, 5], 6)]
        [[0, 0, 1], [2, 2, 2]]
    """
    waiting: list[Clip] = []
    for row, length in enumerate(lengths):
        for clip in frames(int(length), None):
            full = waiting and (len(waiting) + 1) * len(clip) > images
            if full or (waiting and len(waiting[0][1]) != len(clip)):
                yield waiting
                waiting = []
            waiting.append((row, clip))
    if waiting:
        yield waiting
