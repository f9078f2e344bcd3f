"""Video: gating by K attention maps, and reading clips, against the straightforward ways.

The released code of DRSA expands the features to (frames, K, D, h, w) before it sums over the
cells; here it is one batched product with the same numbers. Memory is what the allocator hands out
beyond the inputs at its peak: on a GPU its own count, else the sum over the profiler's events.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
import torch
from PIL import Image
from torch import Tensor

from reidkit.bench.measure import peak_bytes
from reidkit.bench.table import Row
from reidkit.data.clips import ClipDataset
from reidkit.data.frames import RandomFrames
from reidkit.data.tracklets import TrackletSplit
from reidkit.registry import HEADS
from reidkit.structures import FeatureSpec

FRAMES, PARTS, CHANNELS, CELLS = 48, 6, 2048, (8, 4)
MB = 1 / 2**20


def expanded(maps: Tensor, features: Tensor) -> Tensor:
    """The released way: features for every part, weighted, summed over the cells.

    Shape:
        maps (M, K, L), features (M, D, h, w) -> (M, K, D).
    """
    parts, (height, width) = maps.shape[1], features.shape[2:]
    copies = features.unsqueeze(1).expand(-1, parts, -1, -1, -1)
    weights = maps.view(len(maps), parts, 1, height, width).expand_as(copies)
    return (copies * weights).sum((3, 4))


def run(quick: bool = False) -> list[Row]:
    """Measure everything and return the comparisons.

    Args:
        quick: few frames and repeats, to see that it works.

    Raises:
        RuntimeError: the two ways of gating disagree.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = _gating(4 if quick else FRAMES, 1 if quick else 5, device)
    return rows + _clips(6 if quick else 100, 1 if quick else 5)


def _gating(frames: int, repeats: int, device: str) -> list[Row]:
    """Forward and backward pass under a frozen and under a trained backbone."""
    from reidkit.plugin import load_plugins

    load_plugins(["drsa"])
    head = HEADS.build(
        dict(
            type="drsa/DRSAHead",
            features={"map": FeatureSpec(CHANNELS, 32)},
            parts=PARTS,
            enhance="none",
        )
    )
    source = torch.Generator().manual_seed(0)
    features = torch.rand(frames, CHANNELS, *CELLS, generator=source).to(device)
    logits = torch.randn(frames, PARTS, CELLS[0] * CELLS[1], generator=source).to(device)
    probe = torch.rand(frames, PARTS, CHANNELS, generator=source).to(device)
    ways: dict[str, Callable[[Tensor, Tensor], Tensor]] = dict(ours=head.gate, released=expanded)
    rows = []
    for trained in (False, True):

        def step(way: str, trained: bool = trained) -> list[Tensor]:
            maps = logits.softmax(2).requires_grad_()
            x = features.detach().requires_grad_(trained)
            gated = ways[way](maps, x)
            wanted = [maps, x] if trained else [maps]
            return [gated.detach(), *torch.autograd.grad(gated, wanted, probe)]

        results = {way: step(way) for way in ways}
        for one, other in zip(results["ours"], results["released"], strict=True):
            if not torch.allclose(one, other, rtol=1e-4, atol=1e-4):
                raise RuntimeError("fused and expanded gating disagree")
        del results, one, other
        seconds = {way: _least(lambda w=way: step(w), repeats, device) for way in ways}  # type: ignore[misc]
        memory = {way: peak_bytes(lambda w=way: step(w), device) * MB for way in ways}  # type: ignore[misc]
        name = f"gating, {frames} frames, K={PARTS}, {'trained' if trained else 'frozen'} CNN"
        for kind, unit, values in (("", "s", seconds), (", memory", "MB", memory)):
            against = "features expanded to every part"
            numbers = (values["released"], values["ours"], unit)
            rows.append(Row(f"{name}{kind}", against, *numbers, higher_is_better=False))
        if trained:  # both must return it, and it is most of what ours needs
            kind = "memory beyond the features' gradient"
            gradient = features.numel() * features.element_size() * MB
            beyond = memory["released"] - gradient, memory["ours"] - gradient
            rows.append(Row(f"{name}, {kind}", against, *beyond, "MB", higher_is_better=False))
    return rows


def _least(work: Callable[[], object], repeats: int, device: str) -> float:
    """Least seconds of a few runs: of this process' CPU, or of the wall on a GPU."""
    clock = time.perf_counter if device == "cuda" else time.process_time
    best = float("inf")
    for _ in range(repeats):
        start = clock()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, clock() - start)
    return best


def _clips(tracklets: int, repeats: int) -> list[Row]:
    """Tracklets per CPU second: six frames each, from JPEG files to a uint8 batch."""
    from torchvision import transforms

    size, sampler = (256, 128), RandomFrames(6)
    usual = transforms.Compose([transforms.Resize(size), transforms.ToTensor()])
    with tempfile.TemporaryDirectory() as folder:
        split = _write(Path(folder), tracklets)
        clips = [(row, sampler(int(n))[0]) for row, n in enumerate(split.lengths)]
        batches = [clips[i : i + 8] for i in range(0, len(clips), 8)]
        ours = ClipDataset(split, size)

        def one_by_one(batch: list) -> Tensor:
            pictures = [
                [Image.open(split.root / split.frames_of(row)[f]).convert("RGB") for f in frames]
                for row, frames in batch
            ]
            return torch.stack([torch.stack([usual(p) for p in clip]) for clip in pictures])

        ways: dict[str, Callable] = dict(ours=ours.__getitems__, usual=one_by_one)
        before = torch.get_num_threads(), cv2.getNumThreads()
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        try:
            rates: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(repeats):
                for way, read in ways.items():
                    start = time.process_time()
                    for batch in batches:
                        read(batch)
                    rates[way].append(len(clips) / (time.process_time() - start))
        finally:
            torch.set_num_threads(before[0])
            cv2.setNumThreads(before[1])
    medians = {way: float(np.median(values)) for way, values in rates.items()}
    against = "PIL + torchvision, frame by frame, stacked"
    return [
        Row("clips of 6 frames, 256x128", against, medians["usual"], medians["ours"], "tracklets/s")
    ]


def _write(folder: Path, tracklets: int) -> TrackletSplit:
    """Tracklets of 12 textured 256x128 JPEG frames, the size MARS has."""
    rng = np.random.default_rng(0)
    frames = []
    for i in range(tracklets):
        paths = [f"{i:03d}_{f:02d}.jpg" for f in range(12)]
        coarse = rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)
        smooth = cv2.resize(coarse, (128, 256), interpolation=cv2.INTER_CUBIC)
        data = simplejpeg.encode_jpeg(np.ascontiguousarray(smooth), quality=92)
        for path in paths:
            (folder / path).write_bytes(data)
        frames.append(paths)
    numbers = np.arange(tracklets)
    return TrackletSplit.of("bench", "train", folder, frames, numbers, numbers % 6)
