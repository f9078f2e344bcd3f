"""What the core has to show on a GPU: part labels, evaluation, loading, compilation, its tests."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.bench.data import write_crops
from reidkit.bench.evaluation import MARKET, METAS, MSMT17, make_features
from reidkit.bench.gpu.measurement import Measurement, device, seconds
from reidkit.bench.labels import HRNET, batched, loop, rate
from reidkit.bench.train import network
from reidkit.data.crops import CropDataset
from reidkit.data.loader import make_loader
from reidkit.engine.devices import choose_precision
from reidkit.evaluation import CosineMatcher, KReciprocal, match_labels, score
from reidkit.evaluation.matchers.base import tensor_of
from reidkit.evaluation.ranking.ranks import rank_positives
from reidkit.pose.compat import quiet
from reidkit.pose.labeller import TopdownLabeller
from reidkit.structures import Embedding, ReIDBatch

ROOT = Path(__file__).resolve().parents[3]
RTMPOSE = "rtmpose-m_8xb256-420e_coco-256x192"
SIZE = (384, 128)  # of a training image, pixels
CROPS = 32_668  # of Market-1501; 4,096 take an H100 a second, in which workers have to start, too


def labels(tiny: bool) -> list[Measurement]:
    """Crops labelled per second, decoding included: against mmpose's loop and the bare network."""
    count, some = (4, 2) if tiny else (CROPS, 128)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        split = write_crops(Path(folder), count)
        for config in (HRNET, RTMPOSE):
            labeller = TopdownLabeller(config, "random", batch_size=2 if tiny else 128)
            few = split.select(np.arange(some))
            usual, ours = loop(labeller, few), batched(labeller, split, 0 if tiny else 12)
            if not tiny:
                usual(), ours()
            slow, fast = rate(usual, some), rate(ours, count)
            bare = _forward(labeller, tiny)
            name = labeller.spec.name.split("_8xb")[0]
            note = f"{fast:,.0f} crops/s, {count:,} crops; loop {slow:,.0f}, network {bare:,.0f}"
            rows += [
                Measurement(
                    f"labels, {name}: of mmpose's loop", fast / slow, "times", 10, note=note
                ),
                Measurement(f"labels, {name}: of the bare network", 100 * fast / bare, "%", 80),
            ]
    return rows


def _forward(labeller: TopdownLabeller, tiny: bool) -> float:
    """Crops per second through the network alone, from inputs that lie on the device."""
    net, geometry, _ = labeller.parts
    images = torch.rand(labeller.batch_size, 3, *geometry.input_size, device=labeller.device)
    images = images.to(memory_format=torch.channels_last)
    low = labeller.dtype != torch.float32
    cast = torch.autocast(labeller.device.type, labeller.dtype) if low else nullcontext()
    with torch.inference_mode(), quiet(), cast:
        return labeller.batch_size / seconds(lambda: net(images), *((1, 0) if tiny else (10, 3)))


def evaluation(tiny: bool) -> list[Measurement]:
    """Features on the device to metrics, at the sizes of Market-1501 and MSMT17."""
    small = dict(n_query=60, n_gallery=300, dims=32, people=20, distractors=20)
    market = make_features(**(small if tiny else {}))
    rows = [_ranking(market, "Market-1501", 0.030, tiny), _reranking(market, tiny)]
    return [*rows, _ranking(make_features(**(small if tiny else MSMT17)), "MSMT17", 0.5, tiny)]


def _on_device(data: Any) -> list[Embedding]:
    sides = (data.query, data.gallery)
    return [Embedding(torch.from_numpy(side)[:, None].to(device())) for side in sides]


def _ranking(data: Any, size: str, limit: float, tiny: bool) -> Measurement:
    query, gallery = _on_device(data)
    truth = match_labels(MARKET, data.q, data.g)

    def metrics() -> None:
        ranks = rank_positives(query, gallery, truth, CosineMatcher(), 256)
        score(ranks, truth, MARKET, "CosineMatcher")

    times = (1, 0) if tiny else (5, 2)
    left, right = (tensor_of(side).flatten(1) for side in (query, gallery))
    floor = seconds(lambda: left @ right.T, *times)
    spent, note = seconds(metrics, *times), f"bare product {1000 * floor:.3g} ms"
    return Measurement(f"features to metrics, {size}'s size", spent, "s", limit, True, note)


def _reranking(data: Any, tiny: bool) -> Measurement:
    query, gallery = _on_device(data)
    truth = match_labels(MARKET, data.q, data.g)

    def reranked() -> None:
        sides = KReciprocal(block_mb=256).rerank(query, gallery, CosineMatcher(), *METAS)
        rank_positives(sides[0], sides[1], truth, sides[2], 256)

    spent = seconds(reranked, *((1, 0) if tiny else (3, 1)))
    return Measurement("k-reciprocal re-ranking, Market-1501's size", spent, "s", 1.0, True)


def loading(tiny: bool) -> list[Measurement]:
    """How long a ResNet-50's step waits for its images, decoded by 12 workers from files."""
    count, batch, steps = (4, 2, 1) if tiny else (4096, 64, 60)
    step = _resnet_step(batch)
    with tempfile.TemporaryDirectory() as folder:
        split = write_crops(Path(folder), count)
        _loop(step, [_batch(batch)] * 3)  # kernels are chosen and memory is taken here
        alone = _loop(step, [_batch(batch)] * steps)
        loader = make_loader(
            CropDataset(split, SIZE),
            batch_size=batch,
            workers=0 if tiny else 12,
            pin=device().type == "cuda",
        )
        _loop(step, loader)  # workers start, files are in memory from here on
        fed = _loop(step, loader)
    idle = 100 * max(0.0, 1 - alone / fed)
    note = f"{batch / fed:,.0f} images/s with the loader, {batch / alone:,.0f} without"
    return [Measurement("a training step's wait for the loader", idle, "%", 10, True, note)]


def compiled(tiny: bool) -> list[Measurement]:
    """A ResNet-50's training step with `torch.compile`, against the same step without."""
    batch = 2 if tiny else 64
    times = (1, 0) if tiny else (8, 3)
    plain, faster = _resnet_step(batch), _resnet_step(batch, "eager" if tiny else "inductor")
    data = _batch(batch)
    eager = seconds(lambda: plain(data), *times)
    began = time.perf_counter()
    faster(data)
    first = time.perf_counter() - began
    ours = seconds(lambda: faster(data), *times)
    note = f"{batch / eager:,.0f} to {batch / ours:,.0f} images/s; the first step {first:.0f} s"
    return [Measurement("torch.compile, ResNet-50's step", eager / ours, "times", note=note)]


def _resnet_step(batch: int, backend: str = "") -> Any:
    """A function that takes a batch of crops through one training step of a ResNet-50."""
    at = device()
    model = network(50, SIZE, choose_precision("auto", at), True).to(at).train()
    if backend:
        model.backbone.compile(backend=backend)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step(data: ReIDBatch) -> None:
        data.identities = torch.arange(len(data.images)) % 8
        inputs = model.data_preprocessor({"source": data}, True)
        optimizer.zero_grad()
        sum(model(**inputs, mode="loss").values()).backward()
        optimizer.step()

    return step


def _batch(count: int) -> ReIDBatch:
    return ReIDBatch(torch.randint(0, 256, (count, 3, *SIZE), dtype=torch.uint8))


def _loop(step: Any, batches: Any) -> float:
    """Seconds of a step, over many of them."""
    count, start = 0, time.perf_counter()
    for data in batches:
        step(data)
        count += 1
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / count


def tests(tiny: bool) -> list[Measurement]:
    """The tests that need a GPU."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    # the other files may import optional packages that are not on this machine
    files = (path for path in (ROOT / "tests").rglob("test_*.py") if "mark.gpu" in path.read_text())
    command += ["--collect-only"] * tiny + sorted(map(str, files))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    counts = {
        word: int(number)
        for number, word in re.findall(
            r"(\d+)(?:/\d+)? (passed|failed|skipped|error|tests)", done.stdout
        )
    }
    failed = counts.get("failed", 0) + counts.get("error", 0) + (done.returncode not in (0, 5))
    note = ", ".join(f"{number} {word}" for word, number in counts.items()) or done.stdout[-300:]
    return [Measurement("tests that need a GPU: failures", failed, "tests", 0, True, note)]
