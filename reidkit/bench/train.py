"""The training step against the same network in a plain float32 loop."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from reidkit.bench.table import Row
from reidkit.engine.devices import choose_device, choose_precision
from reidkit.models.reid_model import ReIDModel
from reidkit.registry import import_core
from reidkit.structures import ReIDBatch


def run(steps: int = 6, batch_size: int = 32, height: int = 192, width: int = 64) -> list[Row]:
    """Measure ResNet-18 and ResNet-50 with an identity loss, ours and plain, in turn.

    Args:
        steps: timed steps of each; the fastest counts, after one unmeasured step.
        batch_size: images in a step.
        height: of the input in pixels.
        width: of the input in pixels.
    """
    import_core()  # the model is built from registered components
    device = choose_device("auto")
    precision = choose_precision("auto", device)
    rows = []
    for depth in (18, 50):
        images = torch.randint(0, 256, (batch_size, 3, height, width), dtype=torch.uint8)
        batch = ReIDBatch(images, identities=torch.arange(batch_size) % 8)
        baseline = _fastest(
            _step(network(depth, (height, width), "fp32", False), batch, device), steps
        )
        ours = _fastest(
            _step(network(depth, (height, width), precision, True), batch, device), steps
        )
        name = f"training step, ResNet-{depth}, {height}x{width}, {precision} + channels_last"
        rows.append(
            Row(
                name,
                f"plain fp32 on {device}",
                batch_size / baseline,
                batch_size / ours,
                "images/s",
            )
        )
    return rows


def network(depth: int, size: tuple[int, int], precision: str, channels_last: bool) -> ReIDModel:
    """A ResNet with an identity loss, with random weights, the same ones every time."""
    torch.manual_seed(0)
    return ReIDModel(
        backbone=dict(type="ResNet", depth=depth),
        head=dict(type="BNNeckHead"),
        losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
        matcher=dict(type="CosineMatcher"),
        transforms=dict.fromkeys(("train", "test"), dict(normalize=dict(type="Normalize"))),
        num_identities=8,
        input_size=size,
        precision=precision,
        channels_last=channels_last,
    )


def _step(model: ReIDModel, batch: ReIDBatch, device: torch.device) -> Callable[[], None]:
    model = model.to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        data = model.data_preprocessor({"source": batch}, True)
        loss = sum(model(**data, mode="loss").values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return step


def _fastest(step: Callable[[], None], times: int) -> float:
    step()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
