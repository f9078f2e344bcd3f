"""Images per second on one core, from JPEG crops on disk to batches, against the usual way."""

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

from reidkit.bench.table import Row
from reidkit.data.crops import CropDataset
from reidkit.data.split import Split
from reidkit.data.transforms import Normalize

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def write_crops(folder: Path, count: int, seed: int = 0) -> Split:
    """Write textured 128x64 JPEG crops of quality 92 (about 5 KB each, as in Market-1501).

    Args:
        folder: where to; must exist.
        count: how many.
        seed: of the textures.
    """
    rng = np.random.default_rng(seed)
    names = []
    for index in range(count):
        coarse = rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)
        smooth = cv2.resize(coarse, (64, 128), interpolation=cv2.INTER_CUBIC)
        image = smooth + rng.normal(0, 3, smooth.shape)
        data = simplejpeg.encode_jpeg(image.clip(0, 255).astype(np.uint8), quality=92)
        names.append(f"{index:05d}.jpg")
        (folder / names[-1]).write_bytes(data)
    labels = np.arange(count)
    return Split("bench", "train", folder, tuple(names), labels, labels % 6)


def usual(split: Split, size: tuple[int, int]) -> Callable[[list[int]], torch.Tensor]:
    """PIL + torchvision ``Resize``, ``ToTensor``, ``Normalize``, then ``stack``."""
    from torchvision import transforms

    steps = transforms.Compose(
        [transforms.Resize(size), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    )

    def batch(rows: list[int]) -> torch.Tensor:
        return torch.stack([steps(Image.open(split.file(row)).convert("RGB")) for row in rows])

    return batch


def rate(batch: Callable[[list[int]], object], batches: list[list[int]]) -> float:
    """Images per second of processor time of this process."""
    start = time.process_time()
    for rows in batches:
        batch(rows)
    return sum(len(rows) for rows in batches) / (time.process_time() - start)


def measure(
    split: Split, size: tuple[int, int] = (256, 128), batch_size: int = 64, repeats: int = 5
) -> list[Row]:
    """Compare all ways on the same files in one thread, interleaved; medians of the repeats.

    Args:
        split: the crops.
        size: (height, width) to resize to.
        batch_size: crops per batch.
        repeats: passes over the crops for each way.
    """
    rows = list(range(len(split)))
    batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    fast, exact = CropDataset(split, size), CropDataset(split, size, resize="pil")
    normalize = Normalize(MEAN, STD)
    ways: dict[str, Callable[[list[int]], object]] = {
        "usual": usual(split, size),
        "uint8 batches, normalised on the device": fast.__getitems__,
        "uint8 batches, normalised on this core": lambda r: normalize(fast.__getitems__(r)),
        'resize="pil", uint8 batches': exact.__getitems__,
    }
    with _one_thread():
        for batch in ways.values():
            batch(batches[0])
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, batch in ways.items():
                rates[name].append(rate(batch, batches))
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    base = medians.pop("usual")
    against = "PIL + torchvision Resize, ToTensor, Normalize"
    return [Row(name, against, base, value, "img/s") for name, value in medians.items()]


class _one_thread:
    """Torch and OpenCV on one thread inside the block."""

    def __enter__(self) -> None:
        self.before = torch.get_num_threads(), cv2.getNumThreads()
        torch.set_num_threads(1)
        cv2.setNumThreads(1)

    def __exit__(self, *error: object) -> None:
        torch.set_num_threads(self.before[0])
        cv2.setNumThreads(self.before[1])


def run(count: int = 1000, repeats: int = 5) -> list[Row]:
    """Write crops to a temporary folder and measure; prints what they are.

    Args:
        count: number of crops.
        repeats: passes over them for each way.
    """
    with tempfile.TemporaryDirectory() as folder:
        split = write_crops(Path(folder), count)
        size = np.mean([path.stat().st_size for path in Path(folder).iterdir()]) / 1000
        rows = measure(split, repeats=repeats)
    print(f"{count} JPEG crops of 128x64 ({size:.1f} KB each) to 256x128, one core")
    return rows
