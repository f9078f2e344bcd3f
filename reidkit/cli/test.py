"""``reidkit test``: the final numbers of a run again, from its folder alone."""

from __future__ import annotations

import json
from pathlib import Path

from reidkit.cli.common import parse_with_overrides, parser
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/test.py runs/eanet-pap_st_ps-synthped-quick-s0
  python tools/test.py RUN 'data.tests=["target"]'
  python tools/test.py RUN evaluation.protocol=single-camera
  python tools/test.py RUN model.matcher=EuclideanMatcher
  python tools/test.py RUN +evaluation.rerank.rr=KReciprocal --out rr.json
"""


def main(argv: list[str]) -> int:
    """Test the weights of a run folder on its test sets."""
    command = parser("reidkit test", "Test a finished run again.", EXAMPLES)
    command.add_argument("run", help="run folder")
    command.add_argument("--out", help="write the numbers there as JSON")
    command.add_argument(
        "--queries", type=Path, help="folder for per-query tables, one per test set"
    )
    command.add_argument("--launcher", default="auto", choices=["auto", "none", "pytorch", "slurm"])
    args, overrides = parse_with_overrides(command, argv)
    from reidkit.config import resolve
    from reidkit.engine.run import Run

    run = Run.open(args.run, overrides, args.launcher)
    for line in resolve(run.folder / "config.py", overrides, run=True).notices:
        print(line)
    from mmengine.dist import is_main_process

    from reidkit.engine.folder import write_json
    from reidkit.engine.report import numbers, table
    from reidkit.evaluation.io.queries import write_queries

    tests = run.test()
    if not is_main_process():
        return 0
    stored = run.folder / "metrics.json"
    kept = json.loads(stored.read_text()) if stored.exists() else {}
    print(table(tests, kept.get("trained_on", run.cfg.data.name)))
    for test in tests:
        if _has_more(test.result):
            print(f"\n{test.result.report()}")
        if args.queries:
            write_queries(args.queries / f"queries_{test.domain}.csv", test.result.per_query)
    if args.out:
        write_json(Path(args.out), dict(data=run.cfg.data.name, tests=numbers(tests)))
    if overrides or not kept:
        return 0
    before = {k: v["metrics"] for k, v in kept["tests"].items()}
    now = {k: v["metrics"] for k, v in numbers(tests).items()}
    if before == now:
        print(f"equal to {stored}, to the last digit")
        return 0
    gaps = {
        f"{test} {name}": (before[test].get(name), value)
        for test, metrics in now.items()
        for name, value in metrics.items()
        if before.get(test, {}).get(name) != value
    }
    raise UserError(
        f"{stored}: {len(gaps)} numbers differ from this test (stored, now): {gaps}. "
        "Other data, another device or other library versions would explain it."
    )


def _has_more(result) -> bool:
    """Whether there is something that the table of all tests does not show."""
    names = ("verification", "camera_pairs", "intervals")
    return any(getattr(result, name, None) for name in names)
