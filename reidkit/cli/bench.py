"""``reidkit bench``: speed against the straightforward way, in one run, as a table of ratios."""

from __future__ import annotations

import importlib
import platform

from reidkit.cli.common import parser
from reidkit.errors import UserError

TASKS = {
    "data": "decoding and resizing against PIL + torchvision",
    "train": "the training step against a plain float32 loop",
    "labels": "part labels against a loop of mmpose.apis.inference_topdown",
    "drsa": "spatial attention against expanded features; clips against frame by frame",
    "jlml": "local streams side by side against a loop over them",
    "evaluation": "ranking, re-ranking and verification against the usual ways",
    "qaconv": "matching of feature maps against the plain way and the bare product",
    "dgnet": "DG-Net's whole iteration against a plain float32 one, and its memory",
}


def main(argv: list[str]) -> int:
    """Run the named benchmarks, or all."""
    listing = "\n".join(f"  {name:11} {text}" for name, text in TASKS.items())
    made = parser("reidkit bench", "Measure speed as ratios in one run.", f"tasks:\n{listing}")
    made.add_argument("task", nargs="*", help="one or more of the tasks; default: all")
    args = made.parse_args(argv)
    unknown = [task for task in args.task if task not in TASKS]
    if unknown:
        raise UserError(f"no benchmark named {unknown[0]!r}; available: {', '.join(TASKS)}")
    import torch

    from reidkit.bench.table import render

    place = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor()
    print(
        f"{place or platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}"
    )
    for task in args.task or TASKS:
        rows = importlib.import_module(f"reidkit.bench.{task}").run()
        print(render(rows, title=f"\n{task}: {TASKS[task]}"), flush=True)
    return 0
