"""Embeddings of a whole split, every process its share."""

from __future__ import annotations

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
) -> Embedding:
    """Embedding of every crop or tracklet of a split, in the split's order, in main memory.

    Under several processes every rank embeds each world-size-th row; all ranks get all rows.

    Args:
        model: has ``embed(batch) -> Embedding``.
        split: the crops.
        size: (height, width) of the network's input in pixels.
        resize: "cv2" or "pil", as in training.
        labels: label store of the split, for models that pool by keypoints; None otherwise.
        batch_size: crops in one forward pass; of tracklets so many frames, about.
        workers: loader processes.
        label: what the progress line calls it.
        frames: which frames of a tracklet, for a split of tracklets. The embeddings of several
            clips of one are joined (``Embedding.join``).

    Shape:
        returns vectors (M, P, D) float32 and what else the head gives.
    """
    rank, world = get_rank(), get_world_size()
    mine = np.arange(rank, len(split), world)
    if isinstance(split, TrackletSplit):
        if frames is None:
            raise ValueError(f"{split.dataset}/{split.name} has tracklets: name a frame sampler")
        batches = list(fixed_clips(frames, split.lengths[mine], batch_size))
        batches = [[(int(mine[i]), clip) for i, clip in batch] for batch in batches]
        owners = torch.tensor([row // world for batch in batches for row, _ in batch])
        dataset = ClipDataset(split, size, resize, labels=labels)
    else:
        batches = [mine[i : i + batch_size].tolist() for i in range(0, len(mine), batch_size)]
        dataset, owners = CropDataset(split, size, resize, labels=labels), None
    loader = make_loader(dataset, batch_sampler=batches, workers=workers)
    parts = [
        model.embed(batch).cpu()
        for batch in track(
            loader, len(batches), label or split.name, unit="batches", show=rank == 0
        )
    ]
    own = Embedding.cat(parts) if parts else None
    if own is not None and owners is not None and len(owners) > len(mine):
        own = own.join(owners)
    if world == 1:
        assert own is not None  # a split is never empty
        return own
    shares = [share for share in all_gather_object(own) if share is not None]
    order = np.argsort(np.concatenate([np.arange(r, len(split), world) for r in range(world)]))
    return Embedding.cat(shares)[torch.as_tensor(order)]
