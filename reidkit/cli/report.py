"""``reidkit report``: one run, or two side by side, as one HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidkit.cli.common import parser, split_overrides
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/report.py runs/eanet-pap-synthped-quick-s0                    RUN/report.html
  python tools/report.py runs/eanet-pcb-synthped-quick-s0 runs/eanet-pap-synthped-quick-s0
  python tools/report.py RUN --no-pictures --out shared.html
  python tools/report.py RUN settings.data_root=/where/it/lies
The file needs no network and no other file. Features that the run has not kept yet are extracted
into RUN/features. Pictures are those of the data at hand; whether they may be passed on is for the
data set's licence to say."""


def main(argv: list[str]) -> int:
    """Write the report of one or two runs."""
    args, rest = _parsed(argv)
    folders = [folder for folder in (args.run, args.second) if folder]
    features = args.features or [None] * len(folders)
    if len(features) != len(folders):
        raise UserError(
            f"--features: name a folder for each run, {len(folders)}, not {len(features)}"
        )
    out = args.out or args.run / "report.html"
    from reidkit.utils.io import ensure_writable

    ensure_writable(out)
    from reidkit.report import Source, write_report

    sources = [
        Source.open(folder, place, rest, args.pictures)
        for folder, place in zip(folders, features, strict=True)
    ]
    size = write_report(out, sources, args.seed)
    print(f"{out}: {size / 1e6:.1f} MB")
    return 0


def _parsed(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    command = parser("reidkit report", "Show and explain a run as one HTML file.", EXAMPLES)
    add = command.add_argument
    add("run", type=Path, help="run folder")
    add("second", nargs="?", type=Path, help="run folder to compare with")
    add("--out", type=Path, help="HTML file; default: report.html in the first run folder")
    add(
        "--features",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="of feature stores, one for each run; default: features in the run folder",
    )
    add("--seed", type=int, default=0, help="of the queries that are shown at random")
    add(
        "--pictures",
        action=argparse.BooleanOptionalAction,
        help="show crops of the data at hand; default: what the run's settings.pictures says",
    )
    overrides, others = split_overrides(argv)
    args = command.parse_args(others)
    if args.seed < 0:
        raise UserError(f"--seed must not be below 0, got {args.seed}")
    return args, overrides
