"""Test one model on every test set of the data group and keep what is needed for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import ConfigDict

from reidkit.data.split import Split
from reidkit.engine.domains import Domains
from reidkit.engine.extract import extract
from reidkit.registry import EVALUATORS
from reidkit.structures import Embedding


@dataclass
class TestRun:
    """One test set: its splits, the embeddings, and the evaluator's result."""

    __test__ = False  # not a pytest class

    domain: str
    query: Split
    gallery: Split
    query_embedding: Embedding
    gallery_embedding: Embedding
    result: Any


def evaluate(cfg: ConfigDict, model, domains: Domains) -> list[TestRun]:
    """Embed and rank every test set named in ``cfg.data.tests``.

    Args:
        cfg: the resolved config.
        model: has ``embed`` and ``matcher``.
        domains: gives splits and labels.

    Returns:
        One ``TestRun`` per test set, in the config's order.
    """
    evaluator = EVALUATORS.build(dict(cfg.evaluation))
    frames = domains.frame_sampler("test")
    model.eval()
    runs = []
    with torch.no_grad():
        for domain in cfg.data.tests:
            splits = [domains.split(domain, name) for name in ("query", "gallery")]
            sides = [
                extract(
                    model,
                    split,
                    tuple(cfg.input.size),
                    cfg.input.resize,
                    labels=domains.labels(split, list(cfg.labels.get("test", []))),
                    workers=cfg.settings.workers,
                    label=f"testing {split.dataset}/{split.name}",
                    frames=frames,
                )
                for split in splits
            ]
            result = evaluator.evaluate(sides[0], sides[1], splits[0], splits[1], model.matcher)
            runs.append(TestRun(domain, splits[0], splits[1], sides[0], sides[1], result))
    return runs


def table(runs: list[TestRun], trained_on: str) -> str:
    """The result table that ends a run, in percent.

    Args:
        runs: of ``evaluate``.
        trained_on: name of the data the model was trained on.
    """
    names = ["mAP", "R1", "R5", "R10", "mINP", "mAP_official"]
    shown = [n for n in names if n in runs[0].result.metrics]
    header = ["trained on", "tested on", *shown, "queries", "gallery"]
    rows = [header]
    for run in runs:
        numbers = [f"{100 * run.result.metrics[n]:.1f}" for n in shown]
        queries = f"{run.result.n_valid}/{run.result.n_query}"
        rows.append([trained_on, run.query.dataset, *numbers, queries, str(len(run.gallery))])
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def numbers(runs: list[TestRun]) -> dict[str, dict]:
    """What ``metrics.json`` keeps of each test set: data, counts and full-precision metrics."""
    return {
        run.domain: {
            "data": run.query.dataset,
            "query_fingerprint": run.query.fingerprint(),
            "gallery_fingerprint": run.gallery.fingerprint(),
            "n_query": run.result.n_query,
            "n_valid": run.result.n_valid,
            "n_gallery": len(run.gallery),
            "metrics": {name: float(value) for name, value in run.result.metrics.items()},
        }
        for run in runs
    }
