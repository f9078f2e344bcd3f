"""Images per second of exported files, against the same model in eager PyTorch, on one thread."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from reidkit.bench.measure import cpu_seconds
from reidkit.bench.table import Row
from reidkit.config import prepare_config
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.run import Run
from reidkit.export.export import Options, export_model
from reidkit.export.session import open_exported
from reidkit.export.tracing import FORMATS
from reidkit.structures import ReIDBatch

NETWORKS = {
    "OSNet x0.25": ("model.backbone=torchreid/osnet_x0_25",),
    "ResNet-50": ("model.backbone=ResNet", "model.head=BNNeckHead"),
}
WAYS = (Options("onnx", pixels="uint8"), Options("openvino", pixels="uint8"))


def networks(name: str) -> Run:
    """A network from random weights, as a run on the processor."""
    cfg = prepare_config("_base_/ready", [*NETWORKS[name], "settings.device=cpu"])
    run = Run(cfg, Path("bench"), torch.device("cpu"))
    run.model = build_model(cfg, TrainingSet(1), starting_weights=False).eval()
    return run


def measure(name: str, batch: int, repeats: int, ways: Sequence[Options] = WAYS) -> list[Row]:
    """CPU seconds of one batch, interleaved; the least of the repeats.

    Args:
        name: of ``NETWORKS``.
        batch: images in one pass, 256x128, uint8.
        repeats: passes of each way.
        ways: that are compared with eager PyTorch.
    """
    run = networks(name)
    size = tuple(run.cfg.input.size)
    images = torch.randint(0, 256, (batch, 3, *size), dtype=torch.uint8)
    works: dict[Any, Callable[[], object]] = {"eager": lambda: run.model.embed(ReIDBatch(images))}
    with tempfile.TemporaryDirectory() as place:
        for way in ways:
            folder = Path(place, way.to)
            facts = export_model(run, folder, way, say=lambda line: None)
            session = open_exported(folder / FORMATS[way.to], list(facts["outputs"]))
            works[way.to] = lambda session=session: session(images)  # type: ignore[misc]
        for work in works.values():
            work()
        best, _ = cpu_seconds(works, repeats)
    rates = {key: batch / seconds for key, seconds in best.items()}
    against = "eager PyTorch, channels last"
    return [
        Row(f"{name}, batch {batch}, {way.to}", against, rates["eager"], rates[way.to], "img/s")
        for way in ways
    ]


def run(repeats: int = 10) -> list[Row]:
    """Measure every network with one image and with sixteen, on one thread.

    Args:
        repeats: passes of each way.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            row for name in NETWORKS for batch in (1, 16) for row in measure(name, batch, repeats)
        ]
    finally:
        torch.set_num_threads(before)
