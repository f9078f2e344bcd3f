"""``reidkit bench``: speed against the straightforward way, in one run, as a table of ratios."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Callable
from typing import Any

from reidkit.cli.common import parser
from reidkit.errors import UserError

# the core's own; a plugin's benchmark is found through its manifest
TASKS = {
    "data": "decoding and resizing against PIL + torchvision",
    "train": "the training step against a plain float32 loop",
    "rendering": "SynthPed's crops a second of a core",
    "commands": "memory and CPU seconds of whole commands; training on a busy machine",
    "labels": "part labels against a loop of mmpose.apis.inference_topdown",
    "gallery": "searching a gallery against vector libraries",
    "growth": "time and memory at 1x, 4x and 16x of a size",
    "peers": "installed packages of others, on the same features and images (make peers)",
    "export": "exported files against the model in PyTorch",
    "evaluation": "ranking, re-ranking and verification against the usual ways",
}


def main(argv: list[str]) -> int:
    """Run the named benchmarks, or all."""
    from reidkit.plugin.extend import benchmarks, unknown_name

    plugins = benchmarks()
    texts = {**TASKS, **{name: extension.about for name, extension in plugins.items()}}
    listing = "\n".join(f"  {name:11} {text}" for name, text in texts.items())
    command = parser("reidkit bench", "Measure speed as ratios in one run.", f"tasks:\n{listing}")
    command.add_argument("task", nargs="*", help="one or more of the tasks; default: all")
    args = command.parse_args(argv)
    unknown = [task for task in args.task if task not in texts]
    if unknown:
        raise UserError(unknown_name("benchmark", unknown[0], list(texts)))
    import torch

    from reidkit.bench.table import render

    place = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor()
    print(
        f"{place or platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}"
    )
    for task in args.task or texts:
        run: Callable[[], Any] = (
            importlib.import_module(f"reidkit.bench.{task}").run
            if task in TASKS
            else plugins[task].load()
        )
        print(render(run(), title=f"\n{task}: {texts[task]}"), flush=True)
    return 0
