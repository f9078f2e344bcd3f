"""``reidkit reproduce``: a method's results page, every variant and seed, from one command."""

from __future__ import annotations

import os
from pathlib import Path

from reidkit.cli.common import parse_with_overrides, parser

EXAMPLES = """examples:
  python tools/reproduce.py PLUGIN                   # writes docs/results/PLUGIN_synthped.md
  python tools/reproduce.py PLUGIN --out page.md recipe=paper data=market1501_to_dukemtmcreid

Finished runs are kept: the command goes on where it was stopped."""


def main(argv: list[str]) -> int:
    """Train and test all rows of a plan and write the page."""
    command = parser("reidkit reproduce", "Make a method's results page.", EXAMPLES)
    command.add_argument("plan", help="plugin name, or a plan file")
    command.add_argument("--out", help="page to write (default: docs/results/<plan>_<data>.md)")
    command.add_argument("--folder", help="where the runs lie (default: runs/reproduce/<plan>)")
    command.add_argument(
        "--jobs", type=int, help="runs at a time (default: one per CPU core, 1 on GPU)"
    )
    command.add_argument("--only", nargs="+", metavar="ROW", help="train these rows only")
    command.add_argument("--page", action="store_true", help="write the page from finished runs")
    args, overrides = parse_with_overrides(command, argv)
    import torch

    from reidkit.config import config_path
    from reidkit.engine.products import reproduce
    from reidkit.utils.io import atomic_write

    path = Path(args.plan)
    if path.suffix != ".yaml":
        path = Path(config_path("_base_/default.py")).parent.parent / args.plan / "reproduce.yaml"
    plan = reproduce.read_plan(path)
    data = next((o.split("=")[1] for o in overrides if o.startswith("data=")), "synthped")
    folder = Path(args.folder or f"runs/reproduce/{path.parent.name}")
    jobs = args.jobs or (1 if torch.cuda.is_available() else os.cpu_count() or 1)
    if not args.page:
        reproduce.run_all(plan, folder, overrides, jobs, args.only)
    table = reproduce.collect(plan, folder)
    out = Path(args.out or f"docs/results/{path.parent.name}_{data}.md")
    arguments = [argument for argument in argv if argument != "--page"]
    page = reproduce.markdown(plan, table, " ".join(["python tools/reproduce.py", *arguments]))
    with atomic_write(out, "w") as file:
        file.write(page)
    print(page)
    print(f"written to {out}")
    return 0
