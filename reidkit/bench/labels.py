"""Crops labelled per second, against a loop of ``mmpose.apis.inference_topdown``, same model."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.bench.data import write_crops
from reidkit.bench.table import Row
from reidkit.data.split import Split
from reidkit.pose.compat import quiet
from reidkit.pose.crops import crop_batches, read_crop
from reidkit.pose.labeller import TopdownLabeller
from reidkit.pose.models import build_model

HRNET = "td-hm_hrnet-w32_8xb64-210e_coco-256x192"


def loop(labeller: TopdownLabeller, split: Split) -> Callable[[], None]:
    """mmpose's own way: one file, one call."""
    model: Any = build_model(labeller.spec, labeller.device)[0]
    model.test_cfg["flip_test"] = labeller.flip_test
    from mmpose.apis import inference_topdown

    def run() -> None:
        with quiet():
            for row in range(len(split)):
                bgr = np.ascontiguousarray(read_crop(split, row)[..., ::-1])
                inference_topdown(model, bgr)

    return run


def batched(labeller: TopdownLabeller, split: Split, workers: int) -> Callable[[], None]:
    """Ours: decoding in workers, warp, network and decoding of heatmaps in batches."""
    size = labeller.batch_size
    batches = [np.arange(i, min(i + size, len(split))) for i in range(0, len(split), size)]

    def run() -> None:
        for _, images, sizes in crop_batches(split, batches, workers):
            labeller.label_batch(images, sizes)

    return run


def rate(call: Callable[[], None], count: int) -> float:
    """Crops per second of wall-clock time."""
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return count / (time.perf_counter() - start)


def measure(labeller: TopdownLabeller, split: Split, workers: int, repeats: int) -> Row:
    """Both ways on the same files, interleaved; medians of the repeats."""
    ours, theirs = batched(labeller, split, workers), loop(labeller, split)
    ours(), theirs()  # warm
    rates = np.array([[rate(theirs, len(split)), rate(ours, len(split))] for _ in range(repeats)])
    base, value = np.median(rates, axis=0)
    name = f"{labeller.spec.name} on {labeller.device}"
    return Row(name, "loop of mmpose.apis.inference_topdown", base, value, "crops/s")


def run(count: int = 384, repeats: int = 3, workers: int | None = None) -> list[Row]:
    """Write crops of 128x64 to a temporary folder and measure, decoding included.

    Args:
        count: number of crops.
        repeats: passes over them for each way.
        workers: processes that decode; default 0 on a CPU, whose cores the network needs, else 8.
    """
    cuda = torch.cuda.is_available()
    workers = (8 if cuda else 0) if workers is None else workers
    with tempfile.TemporaryDirectory() as folder:
        split = write_crops(Path(folder), count)
        rows = [measure(TopdownLabeller("synthped", batch_size=64), split, workers, repeats)]
        if cuda:
            hrnet = TopdownLabeller(HRNET, "random", batch_size=128)
            rows.append(measure(hrnet, split, workers, repeats))
    return rows
