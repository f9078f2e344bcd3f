"""``reidkit extract``: embeddings of a run's test sets into memory-mapped feature stores."""

from __future__ import annotations

from pathlib import Path

from reidkit.cli.common import parse_with_overrides, parser
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/extract.py runs/eanet-pap-synthped-quick-s0 --out features
  python tools/extract.py RUN --out features --tests target evaluation.protocol=multi-query
  torchrun --nproc-per-node 4 tools/extract.py RUN --out features
then, as often as you like:
  python tools/evaluate.py features/target --rerank KReciprocal"""


def main(argv: list[str]) -> int:
    """Embed the test sets of a run and write one store for each."""
    command = parser("reidkit extract", "Keep the embeddings of a run's test sets.", EXAMPLES)
    command.add_argument("run", help="run folder")
    command.add_argument(
        "--out", required=True, type=Path, help="folder for the stores, one per test"
    )
    command.add_argument("--tests", nargs="+", help="domains; default: those of the run")
    command.add_argument("--launcher", default="auto", choices=["auto", "none", "pytorch", "slurm"])
    args, overrides = parse_with_overrides(command, argv)
    from reidkit.engine.run import Run

    run = Run.open(args.run, overrides, args.launcher)
    import torch
    from mmengine.dist import barrier, is_main_process

    from reidkit.engine.evaluate import build_evaluator, embed_test
    from reidkit.evaluation.io.store import TestSet, write_store
    from reidkit.evaluation.labelled import LabelledEmbeddings

    evaluator = build_evaluator(run.cfg)
    tests = args.tests or list(run.cfg.data.tests)
    taken = [args.out / test for test in tests if (args.out / test).exists()]
    if taken:
        raise UserError(f"{taken[0]} exists already; choose another --out")
    for test in tests:
        with torch.no_grad():
            embedded = embed_test(run.cfg, run.model, run.domains, test, evaluator)
        reader = run.domains.reader(test)
        splits = {name: split for name, (_, split) in embedded.items()}
        meta = dict(
            dataset=splits["query"].dataset,
            matcher=run.cfg.model.matcher.type,
            run=str(args.run),
            fingerprints={name: split.fingerprint() for name, split in splits.items()},
        )
        sides = {
            n: LabelledEmbeddings.of(embedding, split, n)
            for n, (embedding, split) in embedded.items()
        }
        if is_main_process():
            store = TestSet(sides, reader.protocol, reader.trials(), meta)
            write_store(args.out / test, store)
            counts = ", ".join(f"{name} {len(side):,}" for name, side in sides.items())
            print(f"{args.out / test}: {meta['dataset']}, {counts}")
        barrier()
    return 0
