"""``reidkit reproduce``: a method's results page, every variant and seed, from one command."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from reidkit.cli.common import parse_with_overrides, parser
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/reproduce.py PLUGIN                   # writes docs/results/PLUGIN_synthped.md
  python tools/reproduce.py PLUGIN --out page.md recipe=paper data=market1501_to_dukemtmcreid
  python tools/reproduce.py --front                  # docs/results/README.md: all claims

Finished runs are kept: the command goes on where it was stopped. Beside the page lies a file of
the same name with all numbers (.json), from which the front page is made. Rows and seeds of an
earlier file that the folder has no runs of stay in it; to begin anew, move it away."""


def _command() -> argparse.ArgumentParser:
    command = parser("reidkit reproduce", "Make a method's results page.", EXAMPLES)
    command.add_argument("plan", nargs="?", help="plugin name, or a plan file")
    command.add_argument("--out", help="page to write (default: docs/results/<plan>_<data>.md)")
    command.add_argument("--folder", help="where the runs lie (default: runs/reproduce/<plan>)")
    command.add_argument(
        "--jobs", type=int, help="runs at a time (default: one per CPU core, 1 on GPU)"
    )
    command.add_argument("--only", nargs="+", metavar="ROW", help="train these rows only")
    command.add_argument("--page", action="store_true", help="write the page from finished runs")
    command.add_argument("--front", action="store_true", help="write the front page alone")
    return command


def main(argv: list[str]) -> int:
    """Train and test all rows of a plan and write the page, or write the front page.

    Raises:
        UserError: neither a plan nor --front, or what `run_all` raises.
    """
    args, overrides = parse_with_overrides(_command(), argv)
    if args.front:
        return _front(Path(args.out or "docs/results/README.md"))
    if args.plan is None:
        raise UserError("reidkit reproduce: name a plan (PLUGIN, or a file), or --front")
    import torch

    from reidkit.engine.products import reproduce, results_file, results_page
    from reidkit.report.plan_curves import draw_curves
    from reidkit.utils.io import atomic_write

    path = Path(args.plan)
    name = path.stem
    if path.suffix != ".yaml":
        path = _plans() / args.plan / "reproduce.yaml"
    plan = reproduce.read_plan(path)
    data = next((o.split("=")[1] for o in overrides if o.startswith("data=")), "synthped")
    folder = Path(args.folder or f"runs/reproduce/{name}")
    jobs = args.jobs or (1 if torch.cuda.is_available() else os.cpu_count() or 1)
    out = Path(args.out or f"docs/results/{name}_{data}.md")
    earlier = results_file.read_results(out.with_suffix(".json"), overrides)
    if not args.page:
        reproduce.run_all(plan, folder, overrides, jobs, args.only)
        # another command may have added to it in the meantime
        earlier = results_file.read_results(out.with_suffix(".json"), overrides)
    command = " ".join(["python tools/reproduce.py", args.plan, *earlier["overrides"]])
    content = results_file.results(plan, folder, command, data, earlier)
    with atomic_write(out.with_suffix(".json"), "w") as file:
        file.write(json.dumps(content, indent=1) + "\n")
    picture = out.with_name(f"{out.stem}_curves.png")
    draw_curves(picture, plan, folder)
    page = results_page.page(content, picture if picture.exists() else None)
    with atomic_write(out, "w") as file:
        file.write(page)
    print(page)
    print(f"written to {out} and {out.with_suffix('.json')}")
    return 0


def _plans() -> Path:
    from reidkit.config import config_path

    return Path(config_path("_base_/default.py")).parent.parent


def _front(out: Path) -> int:
    from reidkit.engine.products.front_page import front_page
    from reidkit.utils.io import atomic_write

    plans = sorted(_plans().glob("*/reproduce.yaml"))
    page = front_page(plans, out.parent)
    with atomic_write(out, "w") as file:
        file.write(page)
    print(f"written to {out}")
    return 0
