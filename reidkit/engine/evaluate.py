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


def build_evaluator(cfg: ConfigDict) -> Any:
    """The evaluator that the config names."""
    return EVALUATORS.build(dict(cfg.evaluation))


def evaluate(cfg: ConfigDict, model, domains: Domains) -> list[TestRun]:
    """Embed and rank every test set named in ``cfg.data.tests``.

    Each data set brings its protocol and its trials; the evaluator says which splits it reads.

    Args:
        cfg: the resolved config.
        model: has ``embed`` and ``matcher``.
        domains: gives splits and labels.

    Returns:
        One ``TestRun`` per test set, in the config's order.
    """
    evaluator = build_evaluator(cfg)
    model.eval()
    runs = []
    with torch.no_grad():
        for domain in cfg.data.tests:
            reader = domains.reader(domain)
            sides = embed_test(cfg, model, domains, domain, evaluator)
            (query, query_split), (gallery, gallery_split) = (
                sides.pop("query"),
                sides.pop("gallery"),
            )
            result = evaluator.evaluate(
                query,
                _near(gallery, model),
                query_split,
                gallery_split,
                model.matcher,
                protocol=reader.protocol,
                trials=reader.trials(),
                **sides,
            )
            runs.append(TestRun(domain, query_split, gallery_split, query, gallery, result))
    return runs


def _near(gallery: Embedding, model) -> Embedding:
    """The gallery on the model's device, where distances are made fastest, if there is room."""
    device = next(model.parameters()).device
    if device.type != "cuda":
        return gallery
    size = sum(t.numel() * t.element_size() for t in gallery._tensors().values())
    return gallery.to(device) if 3 * size < torch.cuda.mem_get_info(device)[0] else gallery


def embed_test(
    cfg: ConfigDict, model, domains: Domains, domain: str, evaluator: Any
) -> dict[str, tuple[Embedding, Split]]:
    """Every split that a test reads, with its embeddings; each process embeds its share.

    Args:
        cfg: the resolved config.
        model: has ``embed``.
        domains: gives splits and labels.
        domain: the test set.
        evaluator: says which splits it reads beside query and gallery.
    """
    extra = evaluator.extra_splits(domains.reader(domain).protocol)
    names = ("query", "gallery", *extra)
    return {name: _embed(cfg, model, domains, domain, name) for name in names}


def _embed(
    cfg: ConfigDict, model, domains: Domains, domain: str, name: str
) -> tuple[Embedding, Split]:
    """One split of a test set with its embeddings."""
    split = domains.split(domain, name)
    embedding = extract(
        model,
        split,
        tuple(cfg.input.size),
        cfg.input.resize,
        labels=domains.labels(split, list(cfg.labels.get("test", []))),
        workers=cfg.settings.workers,
        label=f"testing {split.dataset}/{split.name}",
    )
    return embedding, split


def table(runs: list[TestRun], trained_on: str) -> str:
    """The result table that ends a run, in percent.

    Args:
        runs: of ``evaluate``.
        trained_on: name of the data the model was trained on.
    """
    names = ["mAP", "R1", "R5", "R10", "mINP", "mAP_official"]
    shown = [n for n in names if any(n in run.result.metrics for run in runs)]
    header = ["trained on", "tested on", *shown, "queries", "gallery"]
    rows = [header]
    for run in runs:
        numbers = [_cell(run.result, name) for name in shown]
        queries = f"{run.result.n_valid}/{run.result.n_query}"
        rows.append([trained_on, run.query.dataset, *numbers, queries, str(len(run.gallery))])
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cell(result: Any, name: str) -> str:
    """A metric in percent with its standard deviation over trials; "-" where it is not defined."""
    if name not in result.metrics:
        return "-"
    spread = result.spread.get(name)
    return f"{100 * result.metrics[name]:.1f}" + ("" if spread is None else f"±{100 * spread:.1f}")


def numbers(runs: list[TestRun]) -> dict[str, dict]:
    """What ``metrics.json`` keeps of each test set: data, counts and full-precision metrics."""
    return {
        run.domain: {
            "data": run.query.dataset,
            "protocol": run.result.protocol,
            "n_trials": run.result.n_trials,
            "query_fingerprint": run.query.fingerprint(),
            "gallery_fingerprint": run.gallery.fingerprint(),
            "n_query": run.result.n_query,
            "n_valid": run.result.n_valid,
            "n_gallery": len(run.gallery),
            "metrics": {name: float(value) for name, value in run.result.metrics.items()},
            "spread": run.result.spread,
            **{
                name: found
                for name in ("verification", "camera_pairs", "intervals")
                if (found := getattr(run.result, name, None))
            },
        }
        for run in runs
    }
