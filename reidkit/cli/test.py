"""``reidkit test``: the final numbers of a run again, from its folder alone."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from reidkit.cli.common import parse_with_overrides, parser, take_weights
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.utils.io import read_regular

METRICS = "metrics.json"
# overrides under which the numbers of the same data stay what they were
ELSEWHERE = ("data.tests", "settings.data_root", "settings.label_root", "settings.workers")

EXAMPLES = """examples:
  python tools/test.py runs/eanet-pap_st_ps-synthped-quick-s0
  python tools/test.py RUN 'data.tests=["target"]'
  python tools/test.py RUN evaluation.protocol=single-camera
  python tools/test.py RUN model.matcher=EuclideanMatcher
  python tools/test.py RUN +evaluation.rerank.rr=KReciprocal --out rr.json
a network that is trained already (docs/weights.md):
  python tools/test.py osnet_x0_25 weights=osnet_x0_25_msmt17.pth data=market1501 --pictures ranks
"""


def _command() -> argparse.ArgumentParser:
    about = "Test a finished run again, or a ready network with weights=FILE."
    command = parser("reidkit test", about, EXAMPLES)
    command.add_argument("run", help="run folder, or network")
    command.add_argument("--out", help="write the numbers there as JSON")
    command.add_argument(
        "--queries", type=Path, help="folder for per-query tables, one per test set"
    )
    command.add_argument(
        "--pictures", type=Path, help="folder for ranked lists of some queries of each test set"
    )
    command.add_argument("--launcher", default="auto", choices=["auto", "none", "pytorch", "slurm"])
    return command


def main(argv: list[str]) -> int:
    """Test the weights of a run folder on its test sets, or a ready network."""
    args, given = parse_with_overrides(_command(), argv)
    overrides, weights = take_weights(given)
    from reidkit.utils.io import ensure_writable

    inside = [folder / "file" for folder in (args.queries, args.pictures) if folder]
    for place in [args.out] * bool(args.out) + inside:
        ensure_writable(place)
    from reidkit.config import resolve
    from reidkit.config.override import parse_override
    from reidkit.engine.ready import open_model

    run = open_model(args.run, overrides, weights, args.launcher)
    of_run = (run.folder / "config.py").is_file()
    if of_run:
        for line in resolve(run.folder / "config.py", overrides, run=True).notices:
            print(line)
    from mmengine.dist import is_main_process

    from reidkit.engine.folder import write_json
    from reidkit.engine.report import numbers, table
    from reidkit.evaluation.io.queries import write_queries
    from reidkit.models.weights import starting_weights

    kept = _kept(run.folder) if of_run else {}
    tests = run.test()
    if not is_main_process():
        return 0
    if of_run:
        print(table(tests, kept.get("trained_on", run.cfg.data.name)))
    else:
        for loaded in starting_weights(run.model):
            print(loaded.summary())
        print(table(tests, run.weights.name if run.weights else "library's own", "weights"))
    for test in tests:
        if _has_more(test.result):
            print(f"\n{test.result.report()}")
    sys.stdout.flush()  # whatever becomes of the files
    if args.queries:
        for test in tests:
            write_queries(args.queries / f"queries_{test.domain}.csv", test.result.per_query)
    if args.pictures:
        from reidkit.engine.products.pictures import draw_tests
        from reidkit.utils.trouble import make_folder

        make_folder(args.pictures)
        draw_tests(args.pictures, run.cfg, run.model, run.domains, tests)
        print(f"pictures: {args.pictures}")
    if args.out:
        write_json(Path(args.out), dict(data=run.cfg.data.name, tests=numbers(tests)))
    if kept and all(parse_override(text).key.startswith(ELSEWHERE) for text in overrides):
        _compare(run.folder / METRICS, kept, numbers(tests))
    return 0


def _kept(folder: Path) -> dict[str, Any]:
    """What the run has recorded; empty where it has not."""
    file = folder / METRICS
    if not file.exists():
        return {}
    try:
        kept = json.loads(read_regular(file))
        if all(isinstance(one["metrics"], dict) for one in kept.get("tests", {}).values()):
            return kept if "tests" in kept else {}
    except (OSError, *WRONG_CONTENT):
        pass
    raise UserError(f"{file}: no numbers of a run; move it away to test without comparing")


def _compare(file: Path, kept: dict[str, Any], now: dict[str, Any]) -> None:
    """Say whether a test has the numbers that the run recorded, where it read the same data.

    Raises:
        UserError: numbers differ.
    """
    prints = ("query_fingerprint", "gallery_fingerprint")
    before = kept["tests"]
    other = [
        name for name, test in now.items()
        if name not in before or any(test[key] != before[name].get(key) for key in prints)
    ]  # fmt: skip
    if other:
        print(f"not compared with {file}: it is of other images ({', '.join(other)})")
        return
    gaps = {
        f"{test} {name}": (before[test]["metrics"].get(name), value)
        for test, content in now.items()
        for name, value in content["metrics"].items()
        if before[test]["metrics"].get(name) != value
    }
    if gaps:
        raise UserError(
            f"{file}: {len(gaps)} numbers differ from this test (stored, now): {gaps}. "
            "Other data, another device or other library versions would explain it."
        )
    print(f"equal to {file}, to the last digit")


def _has_more(result) -> bool:
    """Whether there is something that the table of all tests does not show."""
    names = ("verification", "camera_pairs", "intervals")
    return any(getattr(result, name, None) for name in names)
