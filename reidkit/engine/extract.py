"""Embeddings of a whole split, or of chosen crops, every process its share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size

from reidkit.data.clips import ClipDataset, FrameSampler, fixed_clips
from reidkit.data.crops import CropDataset
from reidkit.data.loader import make_loader
from reidkit.data.split import Split
from reidkit.data.tracklets import TrackletSplit
from reidkit.structures import Embedding
from reidkit.utils.progress import track


def extract(
    model,
    split: Split,
    size: tuple[int, int],
    resize: str = "cv2",
    labels=None,
    batch_size: int = 64,
    workers: int = 0,
    label: str = "",
    frames: FrameSampler | None = None,
    domain: str = "",
) -> Embedding:
    """Embedding of every crop or tracklet of a split, in its order, float32, in main memory.

    Args:
        model: has ``embed(batch) -> Embedding``.
        split: the crops, or tracklets.
        size: (height, width) of the network's input in pixels.
        resize: "cv2" or "pil", as in training.
        labels: label store of the split, for models that pool by keypoints; None otherwise.
        batch_size: crops in one forward pass; of tracklets so many frames, about.
        workers: loader processes.
        label: what the progress line calls it.
        frames: which frames of a tracklet, for a split of tracklets. The embeddings of several
            clips of one are joined (``Embedding.join``).
        domain: name of the domain, copied into every batch: cameras are numbered anew in each data
            set, and only the domain tells a model whether they are those that it learned.

    Shape:
        returns vectors (M, P, D) float32 and what else the head gives.

    Raises:
        ValueError: a split of tracklets and no ``frames``.
    """
    label = label or split.name
    if not isinstance(split, TrackletSplit):
        dataset = CropDataset(split, size, resize, labels=labels, domain=domain)
        return embed_rows(model, dataset, np.arange(len(split)), batch_size, workers, label)
    if frames is None:
        raise ValueError(f"{split.dataset}/{split.name} has tracklets: name a frame sampler")
    batches = list(fixed_clips(frames, split.lengths, batch_size))
    clips = ClipDataset(split, size, resize, labels=labels, domain=domain)
    embedding = _embed(model, clips, batches, workers, label)
    owners = torch.tensor([row for batch in batches for row, _ in batch])
    return embedding if len(owners) == len(split) else embedding.join(owners)


def embed_rows(
    model,
    dataset: CropDataset | ClipDataset,
    rows: np.ndarray,
    batch_size: int = 64,
    workers: int = 0,
    label: str = "",
) -> Embedding:
    """Embedding of some crops of a data set, in the order of ``rows``, in main memory.

    Args:
        model: has ``embed(batch) -> Embedding``.
        dataset: the crops, or tracklets, of which it takes the fixed choice of frames.
        rows: row numbers of the data set.
        batch_size: crops in one forward pass.
        workers: loader processes.
        label: what the progress line calls it; empty for silence.
    """
    batches = [rows[i : i + batch_size].tolist() for i in range(0, len(rows), batch_size)]
    return _embed(model, dataset, batches, workers, label)


def _embed(
    model,
    dataset: CropDataset | ClipDataset,
    batches: Sequence[Sequence[Any]],
    workers: int,
    label: str,
) -> Embedding:
    """Embeddings of all batches in order; every process embeds each world-size-th batch.

    The batches are the same whatever the number of processes, so all ranks get all rows, and the
    same ones as a single process.
    """
    rank, world = get_rank(), get_world_size()
    mine = batches[rank::world]
    loader = make_loader(dataset, batch_sampler=mine, workers=min(workers, len(mine)))
    shown = track(loader, len(mine), label, unit="batches", show=rank == 0 and bool(label))
    parts = [model.embed(batch).cpu() for batch in shown]
    if world == 1:
        return Embedding.cat(parts)
    shares = all_gather_object(parts)
    return Embedding.cat([shares[i % world][i // world] for i in range(len(batches))])
