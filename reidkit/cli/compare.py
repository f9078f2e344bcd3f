"""``reidkit compare``: do two runs differ, or is it chance."""

from __future__ import annotations

from pathlib import Path

from reidkit.cli.common import parser
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/compare.py runs/eanet-pcb-synthped-quick-s0 runs/eanet-pap-synthped-quick-s0
  python tools/compare.py cosine.csv reranked.csv
Differences are second minus first, in points, with a 95 % bootstrap interval over queries; p is
that of a paired sign-flip permutation test. Both speak of these two models on this test set; they
do not say how another training seed would come out."""


def main(argv: list[str]) -> int:
    """Compare two runs on the tests that they share."""
    command = parser("reidkit compare", "Compare two runs query by query.", EXAMPLES)
    command.add_argument("first", type=Path, help="run folder, or per-query table")
    command.add_argument("second", type=Path, help="run folder, or per-query table")
    command.add_argument("--resamples", type=int, default=10_000, help="of test and interval")
    command.add_argument("--seed", type=int, default=0)
    args = command.parse_args(argv)
    from reidkit.config.ranges import MOST_RESAMPLES

    if not 1 <= args.resamples <= MOST_RESAMPLES:
        raise UserError(f"--resamples must be from 1 to {MOST_RESAMPLES:,}, got {args.resamples}")
    if args.seed < 0:
        raise UserError(f"--seed must not be below 0, got {args.seed}")
    from reidkit.evaluation.compare import compare_tables, query_tables

    one, two = query_tables(args.first), query_tables(args.second)
    shared = [test for test in one if test in two]
    if not shared:
        raise UserError(
            f"no common test: {args.first} has {', '.join(one)}; {args.second} has {', '.join(two)}"
        )
    for test in shared:
        comparison = compare_tables(one[test], two[test], args.resamples, args.seed)
        print(render(test or "queries", comparison))
    return 0


def render(test: str, comparison: dict) -> str:
    """The comparison of one test as a table, in points.

    Example:
        >>> import numpy as np
        >>> from reidkit.evaluation.metrics.intervals import paired_test
        >>> pair = paired_test(np.zeros(4), np.ones(4), 100)
        >>> print(render("target", {"R1": (0.0, 1.0, pair)}))
        target           first  second  difference        95 % interval       p  better  worse  same
          R1              0.00  100.00     +100.00  +100.00 to  +100.00  0.1386       4      0     0
    """
    lines = [
        f"{test:<16}{'first':>6}  {'second':>6}  {'difference':>10}  {'95 % interval':>19}  "
        f"{'p':>6}  {'better':>6}  {'worse':>5}  {'same':>4}"
    ]
    for name, (first, second, pair) in comparison.items():
        interval = f"{100 * pair.low:>+7.2f} to {100 * pair.high:>+8.2f}"
        lines.append(
            f"  {name:<14}{100 * first:>6.2f}  {100 * second:>6.2f}  "
            f"{100 * pair.difference:>+10.2f}  {interval}  "
            f"{pair.p:>6.4f}  {pair.better:>6}  {pair.worse:>5}  {pair.same:>4}"
        )
    return "\n".join(lines)
