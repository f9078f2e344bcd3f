"""Which labels a run loads, asked of the parts that read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import ConfigDict

from reidkit.config.problems import Problem
from reidkit.data.crops import STORED
from reidkit.engine.build import TrainingSet, build_model
from reidkit.errors import UserError
from reidkit.pose.zoo import advice
from reidkit.registry import DATASETS, LABELLERS

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


def unlabelled(cfg: ConfigDict, plan: LabelPlan) -> Iterator[tuple[str, str]]:
    """(domain, its pictures) of the data sets that a labeller is needed for, as far as can be seen.

    A set that has label stores already is left out, and one that brings its own keypoints.

    Args:
        cfg: resolved, checked, with its plugins loaded.
        plan: of its model.
    """
    wanted = dict(plan.train) | {d: plan.test for d in cfg.data.tests if d in cfg.data.domains}
    root = Path(cfg.settings.label_root or Path(cfg.settings.data_root, "part_labels"))
    for domain, names in wanted.items():
        names = {*names, *(plan.test if domain in cfg.data.tests else ())}
        if not names & set(STORED) or domain not in cfg.data.domains:
            continue
        supply = dict(data_root=str(cfg.settings.data_root), settings=cfg.settings)
        whole = DATASETS.build(dict(cfg.data.domains[domain]), supply)
        for reader in getattr(whole, "readers", [whole]):  # of joined sets
            has_stores = any((root / str(getattr(reader, "name", domain))).glob("*/meta.json"))
            if not has_stores and not getattr(reader, "brings_keypoints", False):
                yield domain, getattr(reader, "pictures", "photographs")


def labeller_problems(cfg: ConfigDict, plan: LabelPlan) -> Iterator[Problem]:
    """What is wrong with the labeller that a run would need; nothing is fetched or built."""
    node = cfg.data.get("labeller")
    kinds = dict.fromkeys(pictures for _, pictures in unlabelled(cfg, plan)) if node else {}
    for pictures in kinds:
        try:
            _labeller(cfg, pictures)
        except UserError as error:
            yield Problem("data.labeller", str(error), _ADVICE)


_ADVICE = (
    "pose=rtmpose-m takes an official model; keypoints that another program found are imported "
    "with generate_part_labels.py DATASET --import FILE"
)


def labeller_notices(cfg: ConfigDict) -> list[str]:
    """What a run will fetch for its labeller first, a line each; for ``--check``."""
    found: dict[str, None] = {}
    plan = label_plan(cfg) if cfg.data.get("labeller") else LabelPlan()
    for _, pictures in unlabelled(cfg, plan):
        spec = getattr(_labeller(cfg, pictures), "spec", None)
        if spec is not None and spec.address is not None:
            line = (
                f"pose model {spec.name}: its weights are not here, and a run fetches them first; "
            )
            line += "without a network: "
            found[line + advice(spec.address, spec.folder)] = None
    return list(found)


def _labeller(cfg: ConfigDict, pictures: str) -> Any:
    supply = dict(device="cpu", pictures=pictures, settings=cfg.settings)
    return LABELLERS.build(dict(cfg.data.labeller), supply)


def label_plan(cfg: ConfigDict) -> LabelPlan:
    """The plan of a config; its model is built once, from random weights, and thrown away.

    Args:
        cfg: resolved, checked, with its plugins loaded.
    """
    with torch.random.fork_rng(devices=[]):
        return plan_of(build_model(cfg, TrainingSet(2, (0, 1)), starting_weights=False))
