"""Optimisers with learning rates of their own for new layers, and the field's two schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import OPTIMIZERS
from torch import nn

from reidkit.engine.build import classifier_names
from reidkit.engine.wrappers import ReIDAmpOptimWrapper, ReIDOptimWrapper
from reidkit.errors import UserError


def build_optim(model, train: dict, precision: str = "fp32") -> OptimWrapper | OptimWrapperDict:
    """The optimiser of a model, or one for each part of a model that trains parts on their own.

    Clipping is done twice where the model has a learned matcher: over the matcher, and over
    everything else, so that the matcher's few large gradients do not stop the network.

    Args:
        model: gives ``new_parameters()``, or ``parameter_groups()``; see ``MODELS``. Parameters
            without gradient are left out. Parameters that one of its modules lists in
            ``no_decay_parameters()`` get no weight decay.
        train: the config's ``train`` node: ``optimizer`` (a torch optimiser by name) or
            ``optimizers`` (by part), ``head_lr_mult``, ``accumulate`` (steps per update),
            ``clip_grad`` (largest norm or None), ``new`` ("heads" or "classifiers": which layers
            count as new).
        precision: "fp16" adds a gradient scaler; bf16 and fp32 need none.

    Raises:
        UserError: ``train.optimizers`` does not name the model's parts.

    Example:
        >>> from types import SimpleNamespace
        >>> a, b = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
        >>> model = torch.nn.Sequential(a, b); model.new_parameters = lambda: list(b.parameters())
        >>> optim = build_optim(model, dict(optimizer=dict(type="SGD", lr=0.01), head_lr_mult=2.0))
        >>> [group["lr"] for group in optim.optimizer.param_groups]
        [0.01, 0.02]
    """
    parts = model.parameter_groups() if hasattr(model, "parameter_groups") else {}
    given = train.get("optimizers") or {}
    if set(parts) != set(given):
        raise UserError(
            f"train.optimizers has {sorted(given) or 'none'}, but {type(model).__name__} trains "
            f"{sorted(parts) or 'all of it with one train.optimizer'}"
        )
    common: dict[str, Any] = dict(train=train, precision=precision, undecayed=_undecayed(model))
    if parts:
        wraps = {n: _wrapper(parts[n], given[n], **common, average=True) for n in parts}
        return OptimWrapperDict(**wraps)
    if train.get("optimizer") is None:
        raise UserError(f"train.optimizer=None: {type(model).__name__} needs one")
    new = {id(p) for p in _new_parameters(model, train.get("new", "heads"))}
    groups: list[dict] = [
        dict(params=[p for p in model.parameters() if id(p) not in new]),
        dict(params=[p for p in model.parameters() if id(p) in new], new=True),
    ]
    matcher = getattr(model, "matcher", None)
    apart = list(matcher.parameters()) if isinstance(matcher, nn.Module) else []
    return _wrapper(groups, train["optimizer"], **common, apart=apart)


def _wrapper(
    groups: list[dict],
    optimizer: dict,
    train: dict,
    precision: str,
    undecayed: set[int],
    apart: Sequence[nn.Parameter] = (),
    average: bool = False,
) -> OptimWrapper:
    """One optimiser over groups of parameters, those of new layers with a rate of their own."""
    options, faster = dict(optimizer), train.get("head_lr_mult", 1.0)
    made = [
        dict(
            params=[p for p in group["params"] if p.requires_grad],
            lr=options["lr"] * (faster if group.get("new") else 1.0),
        )
        for group in groups
    ]
    made = [part for group in made for part in _by_decay(group, undecayed)]
    clip = train.get("clip_grad")
    common = dict(
        apart=apart,
        average=average,
        optimizer=OPTIMIZERS.build(dict(options, params=[g for g in made if g["params"]])),
        accumulative_counts=train.get("accumulate", 1),
        clip_grad=None if clip is None else dict(max_norm=clip),
    )
    if precision == "fp16":
        return ReIDAmpOptimWrapper(dtype="float16", **common)
    return ReIDOptimWrapper(**common)


def _undecayed(model: nn.Module) -> set[int]:
    """Parameters whose modules do not want weight decay, by identity."""
    listing = [m for m in model.modules() if hasattr(m, "no_decay_parameters")]
    return {id(p) for m in listing for p in m.no_decay_parameters()}  # type: ignore[operator]


def _by_decay(group: dict, undecayed: set[int]) -> list[dict]:
    """A parameter group as one with and, where it has such parameters, one without weight decay."""
    free = [p for p in group["params"] if id(p) in undecayed]
    if not free:
        return [group]
    kept = [p for p in group["params"] if id(p) not in undecayed]
    return [dict(group, params=kept), dict(group, params=free, weight_decay=0.0)]


def _new_parameters(model, which: str) -> list[torch.nn.Parameter]:
    if which == "heads":
        return model.new_parameters()
    if which == "classifiers":
        names = classifier_names(model)
        return [p for name, p in model.named_parameters() if name in names]
    raise ValueError(f"train.new must be 'heads' or 'classifiers', got {which!r}")


def build_schedule(schedule: dict | None, epochs: int, steps_per_epoch: int) -> list[dict]:
    """mmengine schedulers for a schedule that is stated relative to the run's length.

    Args:
        schedule: None (constant); ``dict(type="step", milestones=[epochs], gamma=0.1)``: the rate
            falls at the start of those epochs (0-based), and with ``warmup=10, start=0.1`` it first
            rises linearly from that share of itself over ten epochs; or ``dict(type="one_cycle",
            pct_start=0.3, start=0.04)``: linear warm-up from ``start`` of the rate over the first
            share of the steps, then a cosine to zero.
        epochs: of the whole run.
        steps_per_epoch: optimiser steps in one epoch.

    Raises:
        ValueError: unknown type.

    Example:
        >>> [s["type"] for s in build_schedule(dict(type="one_cycle", pct_start=0.25), 4, 10)]
        ['LinearLR', 'CosineAnnealingLR']
    """
    if schedule is None:
        return []
    kind = schedule["type"]
    if kind == "step":
        fall = dict(
            type="MultiStepLR",
            by_epoch=True,
            milestones=list(schedule["milestones"]),
            gamma=schedule.get("gamma", 0.1),
        )
        steps = round(schedule.get("warmup", 0) * steps_per_epoch)
        start = schedule.get("start", 0.1)
        rise = dict(type="LinearLR", by_epoch=False, start_factor=start, begin=0, end=steps)
        return [rise, fall] if steps else [fall]
    if kind == "one_cycle":
        total = epochs * steps_per_epoch
        up = max(1, round(schedule.get("pct_start", 0.3) * total))
        rise = dict(
            type="LinearLR",
            by_epoch=False,
            start_factor=schedule.get("start", 0.04),
            begin=0,
            end=up,
        )
        fall = dict(
            type="CosineAnnealingLR",
            by_epoch=False,
            T_max=max(1, total - up),
            eta_min=0.0,
            begin=up,
            end=total,
        )
        return [rise, fall] if total > up else [rise]
    raise ValueError(f"train.schedule.type must be 'step' or 'one_cycle', got {kind!r}")
