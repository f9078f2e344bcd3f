"""``reidkit evaluate``: score features from any source under a named protocol, without a model."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from reidkit.cli.common import parse_with_overrides, parser
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/evaluate.py features.npz labels.csv --protocol market
  python tools/evaluate.py market.npz market.csv --junk -1 --distractor 0
  python tools/evaluate.py features.parquet --protocol single-camera --queries queries.csv
  python tools/evaluate.py features/target --rerank KReciprocal --out reranked.json
  python tools/evaluate.py features/target +evaluation.rerank.rr=KReciprocal \\
      evaluation.rerank.rr.k1=50 evaluation.rerank.rr.k2=15
  python tools/evaluate.py features.npz labels.csv 'evaluation.far_targets=(1e-4,1e-3)' \\
      evaluation.bootstrap=2000 model.matcher=EuclideanMatcher
labels.csv has a row per image: identity, camera, split (query, gallery or both), and perhaps file
and time; rows are matched by file name, or by order where one side has no names. Every identity is
a person's, 0 too, but for those that --junk and --distractor name. More: docs/evaluation.md"""


def main(argv: list[str]) -> int:
    """Read features, evaluate, print the report, then write."""
    args, overrides = parse_with_overrides(_parser(), argv)
    from reidkit.evaluation.io.features import read_features
    from reidkit.evaluation.io.queries import write_queries

    _try_places(args)
    evaluator, matcher = _components(args, overrides)
    if args.junk is not None and args.junk == args.distractor:
        raise UserError(f"--junk and --distractor are both {args.junk}; an identity marks one")
    test = read_features(args.features, args.labels, args.junk, args.distractor)
    for note in test.meta.get("notes", []):
        print(f"note: {note}")
    _check_matcher(args, overrides, test.meta)
    sides = dict(test.sides)
    missing = [name for name in ("query", "gallery") if name not in sides]
    if missing:
        raise UserError(f"{args.features}: has no {missing[0]}, only {', '.join(sides)}")
    matcher = test.meta.get("precomputed", matcher)
    try:
        result = evaluator.evaluate(
            sides["query"],
            sides["gallery"],
            matcher,
            protocol=test.protocol,
            trials=test.trials,
            multi_query=sides.get("multi_query"),
        )
    except ValueError as error:  # parts that do not fit each other
        raise UserError(f"{args.features}: {error}") from error
    print(f"{test.meta.get('dataset', args.features)}: {result.report()}", flush=True)
    if args.out:
        result.to_json(args.out)
    if args.queries:
        write_queries(args.queries, result.per_query)
    return 0


def _try_places(args: argparse.Namespace) -> None:
    """Refuse places that cannot be written, before the work whose results they take."""
    from reidkit.evaluation.io.queries import check_place
    from reidkit.utils.io import ensure_writable

    places = {"--out": args.out, "--queries": args.queries}
    read = [os.path.realpath(path) for path in (args.features, args.labels) if path]
    for option, place in places.items():
        if place and os.path.realpath(place) in read:
            raise UserError(f"{option} {place}: is what is read; choose another file")
    if args.out and args.queries and os.path.realpath(args.out) == os.path.realpath(args.queries):
        raise UserError(f"{args.out}: --out and --queries need a file each")
    if args.out:
        ensure_writable(args.out)
    if args.queries:
        check_place(args.queries)


def _parser() -> argparse.ArgumentParser:
    command = parser("reidkit evaluate", "Score features under a named protocol.", EXAMPLES)
    add = command.add_argument
    add("features", help="feature store, .npz, .npy or .parquet")
    add("labels", nargs="?", help=".csv or .parquet with a row per image")
    add("--junk", metavar="ID", help="identity of images left out for every query (Market: -1)")
    add("--distractor", metavar="ID", help="identity of nobody who is looked for (Market: 0)")
    add("--protocol", help="default: the store's own, else market")
    add("--rerank", nargs="+", default=[], metavar="NAME", help="steps with their default options")
    add("--plugins", nargs="+", default=[], help="plugins whose matchers or re-rankers are named")
    add("--out", type=Path, help="write the result there as JSON")
    add("--queries", type=Path, help="write the per-query table there (.csv or .parquet)")
    return command


def _components(args: argparse.Namespace, overrides: list[str]) -> tuple[Any, Any]:
    """Evaluator and matcher from the same keys as in a config, refused in the same words."""
    from reidkit.config.check import component_problems
    from reidkit.config.override import Override, apply_overrides, parse_override
    from reidkit.config.problems import ConfigError
    from reidkit.plugin import load_plugins
    from reidkit.registry import EVALUATORS, MATCHERS, import_core

    import_core()
    load_plugins(args.plugins)
    tree: dict[str, Any] = dict(
        evaluation=dict(type="RankingEvaluator", protocol=None, rerank={}),
        model=dict(matcher=dict(type="CosineMatcher")),
    )
    wanted = [Override("add", f"evaluation.rerank.{n.lower()}", n) for n in args.rerank]
    if args.protocol:
        wanted.append(Override("set", "evaluation.protocol", args.protocol))
    try:
        wanted += [parse_override(text) for text in overrides]
    except ValueError as error:
        raise UserError(str(error)) from None
    done = apply_overrides(tree, wanted)
    plugins = list(args.plugins)
    problems = list(done.problems)
    for path in (("evaluation",), ("model", "matcher")):
        node: Any = tree
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            raise UserError(f"{'.'.join(path)} is missing; name one, or leave it as it is")
        problems += component_problems(node, path, plugins)
    if problems:
        raise ConfigError("command line", problems)
    try:
        return EVALUATORS.build(tree["evaluation"]), MATCHERS.build(tree["model"]["matcher"])
    except ValueError as error:
        raise UserError(str(error)) from None


def _check_matcher(args: argparse.Namespace, overrides: list[str], meta: dict[str, Any]) -> None:
    """Say so when a store was made by a model with another matcher."""
    own = meta.get("matcher")
    chosen = any(text.lstrip("+").startswith("model.matcher") for text in overrides)
    if own and own != "CosineMatcher" and not chosen:
        print(
            f"note: the model of {args.features} compares with {own}, this uses CosineMatcher; "
            f"model.matcher={own} (with --plugins, if it is a plugin's) gives the model's numbers"
        )
