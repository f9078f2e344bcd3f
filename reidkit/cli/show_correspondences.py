"""``reidkit show-correspondences``: the local matches behind a finished run's ranking, as lines."""

from __future__ import annotations

from pathlib import Path

from reidkit.cli.common import parse_with_overrides, parser
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/show_correspondences.py RUN
  python tools/show_correspondences.py RUN --test target --queries 8 --seed 1 --out matches.png
"""


def main(argv: list[str]) -> int:
    """Draw the strongest local matches of queries with their nearest positive and negative."""
    command = parser("reidkit show-correspondences", "Draw local matches as lines.", EXAMPLES)
    command.add_argument("run", help="run folder")
    command.add_argument("--test", help="test set, by domain (default: the last one)")
    command.add_argument("--queries", type=int, default=4, help="queries to draw (default: 4)")
    command.add_argument("--lines", type=int, default=14, help="matches per pair (default: 14)")
    command.add_argument("--seed", type=int, default=0, help="of the choice of queries")
    command.add_argument("--out", help="PNG file (default: RUN/matches_<test>.png)")
    args, overrides = parse_with_overrides(command, argv)
    if min(args.queries, args.lines) < 1:
        raise UserError("--queries and --lines must be at least 1")
    from reidkit.engine.run import Run

    run = Run.open(args.run, overrides)
    tests = list(run.cfg.data.tests)
    if not tests:
        raise UserError(
            f'{args.run}: has no tests; add one: data.tests=["{next(iter(run.cfg.data.domains))}"]'
        )
    test = args.test or tests[-1]
    if test not in tests:
        raise UserError(f"--test {test}: no such test set; this run has: {', '.join(tests)}")
    if not hasattr(run.model.matcher, "correspondences"):
        raise UserError(
            f"{type(run.model.matcher).__name__} compares whole embeddings, so there are no local "
            "matches to draw; this works for runs whose matcher has correspondences(query, gallery)"
        )
    from reidkit.engine.evaluate import TestRun, build_evaluator, embed_test
    from reidkit.engine.products.pictures import draw_matches

    sides = embed_test(run.cfg, run.model, run.domains, test, build_evaluator(run.cfg))
    (query, query_split), (gallery, gallery_split) = sides["query"], sides["gallery"]
    outcome = TestRun(test, query_split, gallery_split, query, gallery, result=None)
    out = Path(args.out) if args.out else Path(args.run) / f"matches_{test}.png"
    draw_matches(out, run.cfg, run.model, run.domains, outcome, args.queries, args.lines, args.seed)
    print(out)
    return 0
