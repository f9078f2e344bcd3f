"""``reidkit extract``: embeddings of a run's test sets into memory-mapped feature stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidkit.cli.common import kept, parse_with_overrides, parser, take_weights
from reidkit.errors import UserError

if TYPE_CHECKING:
    from reidkit.engine.run import Run
    from reidkit.evaluation.io.store import TestSet

EXAMPLES = """examples:
  python tools/extract.py runs/eanet-pap-synthped-quick-s0 --out features
  python tools/extract.py RUN --out features --tests target evaluation.protocol=multi-query
  python tools/extract.py osnet_x0_25 weights=FILE data=market1501 --out features
  torchrun --nproc-per-node 4 tools/extract.py RUN --out features
then, as often as you like:
  python tools/evaluate.py features/target --rerank KReciprocal"""


def main(argv: list[str]) -> int:
    """Embed the test sets of a run, or with a ready network, and write one store for each."""
    about = "Keep the embeddings of test sets, by a run or a ready network with weights=FILE."
    command = parser("reidkit extract", about, EXAMPLES)
    command.add_argument("run", help="run folder, or network")
    command.add_argument(
        "--out", required=True, type=Path, help="folder for the stores, one per test"
    )
    command.add_argument("--tests", nargs="+", help="domains; default: those of the run")
    command.add_argument("--launcher", default="auto", choices=["auto", "none", "pytorch", "slurm"])
    args, given = parse_with_overrides(command, argv)
    overrides, weights = take_weights(given)
    from reidkit.utils.io import ensure_writable

    ensure_writable(args.out / "store")
    from reidkit.engine.ready import open_model

    run = open_model(args.run, overrides, weights, args.launcher)
    from mmengine.dist import barrier, is_main_process

    from reidkit.evaluation.io.store import write_store
    from reidkit.utils.leftovers import clear_leftovers

    tests = args.tests or list(run.cfg.data.tests)
    origin = _origin(run)
    missing = [test for test in tests if not _is_there(args.out / test, origin, run, test)]
    barrier()
    if is_main_process():
        clear_leftovers(args.out)
        for test in set(tests) - set(missing):
            print(f"{args.out / test}: is there already, from this run")
    for test in missing:
        with kept("what is extracted"):
            store = _embedded(run, test, dict(run=str(args.run), origin=origin))
            if is_main_process():
                write_store(args.out / test, store)
        if is_main_process():
            counts = ", ".join(f"{name} {len(side):,}" for name, side in store.sides.items())
            print(f"{args.out / test}: {store.meta['dataset']}, {counts}", flush=True)
        barrier()
    return 0


def _embedded(run: Run, test: str, meta: dict[str, Any]) -> TestSet:
    """Embeddings and labels of one test set, each process its share."""
    import torch

    from reidkit.engine.evaluate import build_evaluator, embed_test
    from reidkit.evaluation.io.store import TestSet
    from reidkit.evaluation.labelled import LabelledEmbeddings

    with torch.no_grad():
        evaluator = build_evaluator(run.cfg)
        embedded = embed_test(run.cfg, run.model, run.domains, test, evaluator)
    reader = run.domains.reader(test)
    sides = {n: LabelledEmbeddings.of(*pair, n) for n, pair in embedded.items()}
    meta = dict(
        meta,
        dataset=embedded["query"][1].dataset,
        matcher=run.cfg.model.matcher.type,
        fingerprints={name: split.fingerprint() for name, (_, split) in embedded.items()},
    )
    return TestSet(sides, reader.protocol, reader.trials(), meta)


def _origin(run: Run) -> str:
    """SHA-256 of what embeddings come from: the weights and the parts of the config that count."""
    import hashlib
    import json

    from reidkit.utils.io import sha256_file

    tree = run.cfg.to_dict()
    parts = {key: tree.get(key) for key in ("plugins", "input", "model", "data", "evaluation")}
    digest = sha256_file(run.weights) if run.weights else ""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256((text + digest).encode()).hexdigest()


def _is_there(folder: Path, origin: str, run: Run, test: str) -> bool:
    """Whether a broken off extraction has finished this store already.

    Raises:
        UserError: the folder holds something else.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return False
    from reidkit.evaluation.io.store import read_store

    meta = read_store(folder).meta if (folder / "meta.json").exists() else {}
    kept = meta.get("fingerprints", {})
    same = {name: run.domains.split(test, name).fingerprint() for name in kept}
    if meta.get("origin") == origin and kept == same:
        return True
    raise UserError(f"{folder} exists already, of another origin; choose another --out")
