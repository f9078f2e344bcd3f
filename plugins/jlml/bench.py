"""Local streams side by side against the plain loop over them: the training step and embedding.

Where the work of one operation is small beside the cost of starting it (few images, a GPU), four
streams in one operation cost little more than one. On a CPU with full batches they do not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from reidkit.bench.table import Row
from reidkit.engine.devices import choose_device
from reidkit.plugin import load_plugins
from reidkit.registry import BACKBONES, import_core

QUICK = dict(width=16, blocks=(1, 1, 1, 1), strides=(1, 2, 2, 1))
# name, options of jlml/JLMLNet, batch, (height, width)
SIZES: tuple[tuple[str, dict[str, Any], int, tuple[int, int]], ...] = (
    ("local branch, quick", dict(branch="local", **QUICK), 24, (192, 64)),
    ("whole network, quick", QUICK, 24, (192, 64)),
    ("local branch, paper", dict(branch="local"), 32, (224, 224)),
    ("whole network, paper", {}, 32, (224, 224)),
)


def run(steps: int = 5, sizes: Sequence = SIZES) -> list[Row]:
    """Measure the two ways in turn, after checking that they give the same maps.

    Args:
        steps: timed steps of each; the fastest counts, after one unmeasured step.
        sizes: rows of (name, options of jlml/JLMLNet, batch size, (height, width)).
    """
    import_core()
    load_plugins(["jlml"])
    device = choose_device("auto")
    rows = []
    for name, options, batch, size in sizes:
        torch.manual_seed(0)
        ours = BACKBONES.build(dict(type="jlml/JLMLNet", **options))
        loop = ours.unrolled()
        nets = [net.to(device, memory_format=torch.channels_last) for net in (loop, ours)]
        images = torch.rand(batch, 3, *size, device=device)
        images = images.contiguous(memory_format=torch.channels_last)
        _same_maps(nets, images[:2])
        for what, step, some in (
            (f"training, {batch} at a time", _train, images),
            ("training, 4 at a time", _train, images[:4]),
            ("embedding, 4 at a time", _embed, images[:4]),
        ):
            loop_time, our_time = _fastest([partial(step, net, some) for net in nets], steps)
            rates = len(some) / loop_time, len(some) / our_time
            rows.append(Row(f"{name}: {what}", f"loop on {device}", *rates, unit="images/s"))
    return rows


def _train(net: nn.Module, images: Tensor) -> None:
    net.train().zero_grad()
    torch.stack([maps.mean() for maps in net(images).values()]).sum().backward()


@torch.no_grad()
def _embed(net: nn.Module, images: Tensor) -> None:
    net.eval()(images)


@torch.no_grad()
def _same_maps(nets: Sequence[nn.Module], images: Tensor) -> None:
    """Refuse to compare the speed of two things that are not the same."""
    first, second = (net.eval()(images) for net in nets)
    for name, maps in first.items():
        torch.testing.assert_close(maps, second[name], rtol=1e-3, atol=1e-3)


def _fastest(steps: Sequence[Callable[[], None]], times: int) -> list[float]:
    """The least seconds of each step, measured in turn so that all see the same machine.

    Processor time of one thread, whatever else runs there; time by the clock with several threads,
    whose waiting for each other counts as processor time, or with a GPU.
    """
    gpu = torch.cuda.is_available()
    alone = not gpu and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    least = [float("inf")] * len(steps)
    for attempt in range(times + 1):
        for place, step in enumerate(steps):
            start = clock()
            step()
            if gpu:
                torch.cuda.synchronize()
            if attempt:
                least[place] = min(least[place], clock() - start)
    return least
