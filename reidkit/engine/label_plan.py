"""Which labels a run loads, asked of the parts that read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.config import ConfigDict

from reidkit.engine.build import TrainingSet, build_model

Sizes = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class LabelPlan:
    """The labels of every domain.

    Attributes:
        train: training domain -> names of the labels that its batches bring.
        test: names of the labels that test batches bring.
        sizes: training domain -> label map -> (rows, columns) that a head learns from.
    """

    train: dict[str, tuple[str, ...]] = field(default_factory=dict)
    test: tuple[str, ...] = ()
    sizes: dict[str, Sizes] = field(default_factory=dict)


def plan_of(model: Any) -> LabelPlan:
    """The plan of a built model; empty for a model that does not say what it reads.

    Args:
        model: may have ``inputs(domain)`` and ``label_sizes(domain)``; see ``MODELS``.
    """
    if not hasattr(model, "inputs"):
        return LabelPlan()
    sizes: Callable[[str], Sizes] = getattr(model, "label_sizes", lambda domain: {})
    return LabelPlan(
        {domain: tuple(sorted(model.inputs(domain))) for domain in model.domains},
        tuple(sorted(model.inputs(None))),
        {domain: dict(sizes(domain)) for domain in model.domains},
    )


def label_plan(cfg: ConfigDict) -> LabelPlan:
    """The plan of a config; its model is built once, from random weights, and thrown away.

    Args:
        cfg: resolved, checked, with its plugins loaded.
    """
    with torch.random.fork_rng(devices=[]):
        return plan_of(build_model(cfg, TrainingSet(2, (0, 1)), starting_weights=False))
