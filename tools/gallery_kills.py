#!/usr/bin/env python
"""Kill writers of galleries at many moments, open the galleries, and look whether all is there.

  python tools/gallery_kills.py --points 100 --seed 0

Enrolment, erasure and merging are killed (SIGKILL) at a random one of the moments at which they
change a file, or up to five milliseconds after. What had returned must count, nothing may be half,
nothing unfinished may be left. Exit status 1 where that is not so. One processor core; Linux."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from reidkit.cli.common import entry_point


def main(argv: list[str]) -> int:
    """Run the campaign and print a table."""
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--points", type=int, default=100, help="kills (default: 100)")
    command.add_argument("--seed", type=int, default=0, help="of their moments (default: 0)")
    args = command.parse_args(argv)
    import torch

    from reidkit.testing.gallery_kills import WORKS, campaign

    torch.set_num_threads(1)
    base = Path(tempfile.mkdtemp(prefix="reidkit-gallery-kills-"))
    trials = campaign(base, args.points, args.seed)
    print("| work | kills | moments | steps confirmed before | trials with a problem |")
    print("|---|---|---|---|---|")
    for work in WORKS:
        own = [trial for trial in trials if trial.work == work]
        kinds = Counter(trial.at.split()[0] for trial in own)
        listed = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        done = sum(len(trial.confirmed) for trial in own)
        wrong = [trial for trial in own if trial.problems]
        print(f"| {work} | {len(own)} | {listed} | {done} | {len(wrong)} |")
        for trial in wrong:
            print(f"{trial.work} at {trial.at}: {'; '.join(trial.problems)}", file=sys.stderr)
    failed = any(trial.problems for trial in trials)
    if not failed:
        shutil.rmtree(base)
    return int(failed)


if __name__ == "__main__":
    entry_point(main)
