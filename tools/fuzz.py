#!/usr/bin/env python
"""Repeat the campaign of generated inputs against every door of reidkit; see reidkit/testing/fuzz.

python tools/fuzz.py --minutes 10                 every door, a table, seeds of what failed
python tools/fuzz.py --door runs --minutes 1      one door
python tools/fuzz.py --replay runs:4711           one case again, with what it said
python tools/fuzz.py --page docs/reliability.md   the table into its section of the page
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")  # cases are forked, and one core is meant
os.environ.pop("REIDKIT_PLUGIN_PATH", None)

from reidkit.cli.common import entry_point, parser
from reidkit.cli.main import COMMANDS
from reidkit.cli.main import main as reidkit
from reidkit.errors import UserError

if TYPE_CHECKING:
    from reidkit.testing.fuzz.campaign import Tally


def main(argv: list[str]) -> int:
    """Run the campaign, or one case of it."""
    args = _parser().parse_args(argv)
    warm_up()
    from reidkit.testing.fuzz import DOORS, Campaign, failures, table
    from reidkit.testing.pages import write_section

    if args.replay:
        return _replay(args.replay)
    began = time.monotonic()
    with Campaign(args.door or DOORS, reidkit) as campaign:
        print(
            f"seed {args.seed}; valid inputs made in {time.monotonic() - began:.0f} s", flush=True
        )
        tallies = campaign.run(60 * args.minutes, args.seed, lambda text: print(text, flush=True))
    counts = table(tallies.values())
    print(counts)
    for name, tally in tallies.items():
        print(
            f"{name}: {tally.seconds / max(1, tally.counts.total()):.2f} s of processor time each"
        )
    failed = failures(tallies.values())
    if failed:
        print(f"\n{failed}")
    if args.page:
        write_section(args.page, "fuzz", _section(args, counts, tallies.values()))
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    command = parser("tools/fuzz.py", __doc__ or "")
    add = command.add_argument
    add("--minutes", type=float, default=10.0, help="of processor time, one core (default: 10)")
    add("--seed", type=int, default=0, help="of the first case of every door (default: 0)")
    add("--door", nargs="+", help="only these doors")
    add("--replay", metavar="DOOR:SEED", help="one case again")
    add("--page", type=Path, help="write the table into this page, between its marks")
    return command


def warm_up() -> None:
    """Import in this process what every forked case would import again."""
    import importlib

    import cv2
    import torch

    from reidkit.plugin import discover, load_plugins
    from reidkit.registry import import_core

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    import_core()
    for command in COMMANDS:
        importlib.import_module(f"reidkit.cli.{command.replace('-', '_')}")
    for module in (
        "reidkit.engine.run", "reidkit.engine.dry_run", "reidkit.engine.training",
        "reidkit.data.datasets.doctor", "reidkit.evaluation.compare", "reidkit.pose.imports",
        "reidkit.evaluation.rerank.k_reciprocal", "scipy.io", "h5py", "mmengine.optim", "pyarrow",
    ):  # fmt: skip
        try:
            importlib.import_module(module)
        except ImportError:  # not everything is installed everywhere
            continue
    load_plugins([name for name, m in discover().plugins.items() if m.origin == "shipped"])


def _replay(text: str) -> int:
    from reidkit.testing.fuzz import Campaign

    name, _, seed = text.partition(":")
    if not seed.isdigit():
        raise UserError(f"--replay wants DOOR:SEED, got {text!r}")
    with Campaign([name], reidkit) as campaign:
        outcome = campaign.one(campaign.doors[0], int(seed))
    print(f"{text}  {outcome.kind}: {outcome.what}\n{outcome.text}")
    return 0 if outcome.good else 1


def _section(args: argparse.Namespace, counts: str, tallies: Collection[Tally]) -> str:
    from reidkit.testing.pages import program_version

    cases = sum(tally.counts.total() for tally in tallies)
    seconds = sum(tally.seconds for tally in tallies)
    return (
        f"`python tools/fuzz.py --minutes {args.minutes:g} --seed {args.seed}` at "
        f"{program_version()}: {cases:,} generated inputs in {seconds:.0f} s of processor time, "
        f"the first of each door with seed {args.seed}.\n\n{counts}\n"
    )


if __name__ == "__main__":
    entry_point(main)
