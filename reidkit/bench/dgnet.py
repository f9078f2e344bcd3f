"""One whole iteration of DG-Net, all terms on, against the same in plain eager float32.

With a GPU at the paper's size (ResNet-50, 256x128, 8 crops per side, 751 identities), with peak
memory; on a CPU with the quick recipe's networks, where only a ratio is to be had.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from reidkit.bench.table import Row
from reidkit.config import prepare_config
from reidkit.engine.devices import choose_device, choose_precision
from reidkit.engine.optim import build_optim
from reidkit.registry import MODELS
from reidkit.structures import ReIDBatch

PHASE_TWO = 10**6  # an iteration at which every ramp has ended


def run(steps: int = 5) -> list[Row]:
    """Measure the ways in turn.

    Args:
        steps: timed iterations of each; the fastest counts, after two that are not measured.
    """
    device = choose_device("auto")
    precision = choose_precision("auto", device)
    full = device.type == "cuda"
    plain = dict(precision="fp32", channels_last=False)
    fast: dict[str, Any] = dict(precision=precision, channels_last=True)
    ways = {"plain": plain, "ours": fast}
    if full:
        ways["compiled"] = dict(fast, compile=True)
    ways["checkpointed"] = dict(fast, checkpoint=True)
    found = {name: _measure(options, full, device, steps) for name, options in ways.items()}
    size = "full size" if full else "quick size"
    rows = []
    for name in list(ways)[1:]:
        how = f"{precision} + channels_last" + ("" if name == "ours" else f", {name}")
        title = f"iteration, {size}, {how}"
        rows.append(
            Row(title, f"plain fp32 on {device}", 1 / found["plain"][0], 1 / found[name][0], "it/s")
        )
        if full:
            peaks = found["plain"][1], found[name][1]
            rows.append(Row(f"{title}, memory", "plain fp32", *peaks, "MB", higher_is_better=False))
    return rows


def _measure(
    options: dict[str, Any], full: bool, device: torch.device, steps: int
) -> tuple[float, float]:
    """Seconds of the fastest iteration, and the peak of allocated memory in MB."""
    model, optim, batch = _build(options, full, device)
    if full:
        torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for step in range(steps + 2):
        batch.generator = torch.Generator().manual_seed(step)
        start = time.perf_counter()
        model.train_step({"source": batch}, optim)  # ends by reading the losses back
        if full:
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated(device) / 2**20 if full else 0.0
    del model, optim
    return min(seconds[2:]), peak


def _build(options: dict[str, Any], full: bool, device: torch.device):
    """The model of configs/dgnet/dgnet.py with a random teacher, its optimisers and a batch."""
    recipe = ["recipe=paper", "model.backbone.pretrained=None"] if full else ["recipe=quick"]
    cfg = prepare_config("dgnet/dgnet", recipe)
    taught = prepare_config("dgnet/teacher", recipe)
    people, size = (751 if full else 90), tuple(cfg.input.size)
    shared = dict(num_identities=people, input_size=size)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model.to_dict(), **shared, **options).to(device).train()
    alike = {key: options[key] for key in ("precision", "channels_last")}
    teacher = MODELS.build(taught.model.to_dict(), **shared, **alike)
    model.set_teacher(teacher.to(device))
    model.iteration.fill_(PHASE_TWO)
    count = int(cfg.train.batch_size) if full else 8
    images = torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8)
    identities = (torch.arange(count) % (count // 2)) % people
    optim = build_optim(model, cfg.train, options["precision"])
    return model, optim, ReIDBatch(images, identities=identities)
