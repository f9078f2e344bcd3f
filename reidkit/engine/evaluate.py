"""Test one model on every test set of the data group and keep what is needed for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import ConfigDict

from reidkit.data.split import Split
from reidkit.engine.domains import Domains
from reidkit.engine.extract import extract
from reidkit.evaluation.labelled import LabelledEmbeddings
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
    return EVALUATORS.build(dict(cfg.evaluation), dict(settings=cfg.settings))


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
                LabelledEmbeddings.of(query, query_split, "query"),
                LabelledEmbeddings.of(_near(gallery, model), gallery_split, "gallery"),
                model.matcher,
                protocol=reader.protocol,
                trials=reader.trials(),
                **{name: LabelledEmbeddings.of(*pair, name) for name, pair in sides.items()},
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
        labels=domains.test_labels(split),
        workers=cfg.settings.workers,
        label=f"testing {split.dataset}/{split.name}",
        frames=domains.frame_sampler("test"),
        domain=domain,
    )
    return embedding, split
