"""``reidkit extract``: embeddings of a run's test sets into feature stores, or of any images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from reidkit.cli.common import kept, parse_with_overrides, parser, take_weights
from reidkit.cli.extract_images import add_options, extract_images
from reidkit.errors import UserError

if TYPE_CHECKING:
    from reidkit.engine.run import Run

EXAMPLES = """examples:
  python tools/extract.py runs/eanet-pap-synthped-quick-s0 --out features
  python tools/extract.py RUN --out features --tests target evaluation.protocol=multi-query
  python tools/extract.py osnet_x0_25 weights=FILE data=market1501 --out features
  torchrun --nproc-per-node 4 tools/extract.py RUN --out features
then, as often as you like:
  python tools/evaluate.py features/target --rerank KReciprocal
images of your own, in folders, Parquet files or webdataset tars (docs/extraction.md):
  python tools/extract.py RUN --images crops --out vectors
  python tools/extract.py RUN --images 's3://bucket/*.tar' --out vectors --engine ray --actors 4"""


def main(argv: list[str]) -> int:
    """Embed the test sets of a run, one store for each, or images of one's own."""
    about = "Keep the embeddings of test sets or images, by a run or a network with weights=FILE."
    command = parser("reidkit extract", about, EXAMPLES)
    command.add_argument("run", help="run folder, or network")
    command.add_argument(
        "--out", required=True, type=Path, help="folder for the stores, or of the extraction"
    )
    command.add_argument("--tests", nargs="+", help="domains; default: those of the run")
    command.add_argument("--launcher", default="auto", choices=["auto", "none", "pytorch", "slurm"])
    add_options(command)
    args, given = parse_with_overrides(command, argv)
    overrides, weights = take_weights(given)
    from reidkit.utils.io import ensure_writable

    ensure_writable(args.out / "store")
    if args.images:
        return extract_images(args, overrides, weights)
    if args.engine != "local":
        raise UserError("--engine ray embeds --images; test sets are shared out by torchrun")
    return _extract_tests(args, overrides, weights)


def _extract_tests(args: argparse.Namespace, overrides: list[str], weights: str | None) -> int:
    """Write a store for each test set that has none yet."""
    from reidkit.engine.ready import open_model

    run = open_model(args.run, overrides, weights, args.launcher)
    from mmengine.dist import barrier, is_main_process

    from reidkit.engine.stores import embedded, origin_of
    from reidkit.evaluation.io.store import write_store
    from reidkit.utils.leftovers import clear_leftovers

    tests = args.tests or list(run.cfg.data.tests)
    origin = origin_of(run)
    missing = [test for test in tests if not _is_there(args.out / test, origin, run, test)]
    barrier()
    if is_main_process():
        clear_leftovers(args.out)
        for test in set(tests) - set(missing):
            print(f"{args.out / test}: is there already, from this run")
    for test in missing:
        with kept("what is extracted"):
            store = embedded(run, test, dict(run=str(args.run), origin=origin))
            if is_main_process():
                write_store(args.out / test, store)
        if is_main_process():
            counts = ", ".join(f"{name} {len(side):,}" for name, side in store.sides.items())
            print(f"{args.out / test}: {store.meta['dataset']}, {counts}", flush=True)
        barrier()
    return 0


def _is_there(folder: Path, origin: str, run: Run, test: str) -> bool:
    """Whether a broken off extraction has finished this store already.

    Raises:
        UserError: the folder holds something else, or images that have changed since.
    """
    from reidkit.engine.stores import is_of_run
    from reidkit.evaluation.io.store import read_store

    if not is_of_run(folder, origin):
        return False
    kept = read_store(folder).meta.get("fingerprints", {})
    if kept == {name: run.domains.split(test, name).fingerprint() for name in kept}:
        return True
    raise UserError(f"{folder} exists already, of other images; choose another --out")
