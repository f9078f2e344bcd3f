"""One whole iteration of DG-Net, all terms on, against the same in plain eager float32.

Full size is the paper's (ResNet-50, 256x128, 8 crops per side, 751 identities), for a GPU; on a CPU
its iterations take minutes, so there the quick recipe's networks are measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from reidkit.bench.measure import peak_bytes
from reidkit.bench.table import Row
from reidkit.config import prepare_config
from reidkit.engine.devices import choose_device, choose_precision
from reidkit.engine.optim import build_optim
from reidkit.registry import MODELS
from reidkit.structures import ReIDBatch

PHASE_TWO = 10**6  # an iteration at which every ramp has ended


def run(
    steps: int = 5, full: bool | None = None, warm: int = 2, crops: int | None = None
) -> list[Row]:
    """Measure the ways in turn, memory apart from times.

    Args:
        steps: timed iterations of each; the fastest counts.
        full: measure at full size; default: with a GPU.
        warm: iterations before them that are not measured.
        crops: in a batch, two of each person; default: the recipe's at full size, 8 else.
    """
    device = choose_device("auto")
    precision = choose_precision("auto", device)
    full = device.type == "cuda" if full is None else full
    plain: dict[str, Any] = dict(precision="fp32", channels_last=False, networks={})
    fast: dict[str, Any] = dict(precision=precision, channels_last=True, networks={})
    ways = {"plain": plain, "ours": fast}
    if device.type == "cuda":
        ways["compiled"] = dict(fast, networks=dict(compile=True))
    ways["checkpointed"] = dict(fast, networks=dict(checkpoint=True))
    costs = {}
    for name, options in ways.items():
        build = partial(_build, options, full, device, crops)
        costs[name] = (_seconds(build, steps, warm), _peak(build, device))
    size = "full size" if full else "quick size"
    rows = []
    for name in list(ways)[1:]:
        how = f"{precision} + channels_last" + ("" if name == "ours" else f", {name}")
        title = f"iteration, {size}, {how}"
        (usual, most), (seconds, peak) = costs["plain"], costs[name]
        rows.append(Row(title, f"plain fp32 on {device}", 1 / usual, 1 / seconds, "it/s"))
        memory = f"{title}, memory"
        rows.append(Row(memory, "plain fp32", most, peak, "MB", higher_is_better=False))
    return rows


def _seconds(build: Callable[[], tuple], steps: int, warm: int) -> float:
    """Seconds of the fastest iteration."""
    parts = build()
    times = []
    for number in range(warm + steps):
        start = time.perf_counter()
        _step(*parts, number)
        times.append(time.perf_counter() - start)
    return min(times[warm:])


def _peak(build: Callable[[], tuple], device: torch.device) -> float:
    """Megabytes at the peak of two iterations, with networks, teacher and optimisers."""

    def work() -> None:
        parts = build()
        for number in range(2):  # the optimisers' state is there from the second on
            _step(*parts, number)

    return peak_bytes(work, device.type) / 2**20


def _step(model: Any, optim: Any, batch: ReIDBatch, number: int) -> None:
    batch.generator = torch.Generator().manual_seed(number)
    model.train_step({"source": batch}, optim)  # ends by reading the losses back: all is done


def _build(
    options: dict[str, Any], full: bool, device: torch.device, crops: int | None
) -> tuple[Any, Any, ReIDBatch]:
    """The model of configs/dgnet/dgnet.py with a random teacher, its optimisers and a batch."""
    recipe = ["recipe=paper", "model.backbone.pretrained=None"] if full else ["recipe=quick"]
    cfg = prepare_config("dgnet/dgnet", [*recipe, "model.generator_interval=1"])
    taught = prepare_config("dgnet/teacher", recipe)
    people, size = (751 if full else 90), tuple(cfg.input.size)
    shared = dict(num_identities=people, input_size=size)
    torch.manual_seed(0)
    alike = {key: options[key] for key in ("precision", "channels_last")}
    networks = {**cfg.model.networks, **options["networks"]}
    student = dict(cfg.model.to_dict(), networks=networks)
    model = MODELS.build(dict(student, **shared, **alike)).to(device).train()
    teacher = MODELS.build(dict(taught.model.to_dict(), **shared, **alike))
    model.set_teacher(teacher.to(device))
    model.iteration.fill_(PHASE_TWO)
    count = crops or (int(cfg.train.batch_size) if full else 8)
    images = torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8)
    identities = (torch.arange(count) % (count // 2)) % people
    optim = build_optim(model, cfg.train, options["precision"])
    return model, optim, ReIDBatch(images, identities=identities)
