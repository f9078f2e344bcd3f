"""Optimiser with a learning rate of its own for new layers, and the two schedules of the field."""

from __future__ import annotations

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIMIZERS

from reidkit.engine.build import classifier_names
from reidkit.models.reid_model import ReIDModel


def build_optim(model: ReIDModel, train: dict, precision: str = "fp32") -> OptimWrapper:
    """The optimiser of a model: backbone and new layers as two groups, accumulation, clipping.

    Args:
        model: gives ``new_parameters()``; parameters without gradient are left out.
        train: the config's ``train`` node: ``optimizer`` (a torch optimiser by name),
            ``new_lr_mult``, ``accumulate`` (steps per update), ``clip_grad`` (largest norm or
            None), ``new`` ("heads" or "classifiers": which layers count as new).
        precision: "fp16" adds a gradient scaler; bf16 and fp32 need none.

    Clipping is done twice where the model has a learned matcher: over the matcher, and over
    everything else, so that the matcher's few large gradients do not stop the network.

    Example:
        >>> from types import SimpleNamespace
        >>> a, b = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
        >>> model = torch.nn.Sequential(a, b); model.new_parameters = lambda: list(b.parameters())
        >>> optim = build_optim(model, dict(optimizer=dict(type="SGD", lr=0.01), new_lr_mult=2.0))
        >>> [group["lr"] for group in optim.optimizer.param_groups]
        [0.01, 0.02]
    """
    options = dict(train["optimizer"])
    new = {id(p) for p in _new_parameters(model, train.get("new", "heads"))}
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        dict(params=[p for p in trained if id(p) not in new], lr=options["lr"]),
        dict(
            params=[p for p in trained if id(p) in new],
            lr=options["lr"] * train.get("new_lr_mult", 1.0),
        ),
    ]
    optimizer = OPTIMIZERS.build(dict(options, params=[g for g in groups if g["params"]]))
    clip, matcher = train.get("clip_grad"), getattr(model, "matcher", None)
    common = dict(
        apart=list(matcher.parameters()) if isinstance(matcher, torch.nn.Module) else [],
        optimizer=optimizer,
        accumulative_counts=train.get("accumulate", 1),
        clip_grad=None if clip is None else dict(max_norm=clip),
    )
    if precision == "fp16":
        return ApartAmpOptimWrapper(dtype="float16", **common)
    return ApartOptimWrapper(**common)


class _ClipApart:
    """Clips the gradient norm of some parameters on their own, and of all others together.

    Args:
        apart: those parameters.
        options: keyword arguments of mmengine's wrapper.
    """

    def __init__(self, apart: list[torch.nn.Parameter], **options):
        self.apart = {id(p) for p in apart}
        super().__init__(**options)

    def _clip_grad(self) -> None:
        groups: tuple[list, list] = ([], [])
        for group in self.optimizer.param_groups:  # type: ignore[attr-defined]
            for p in group["params"]:
                if p.grad is not None:
                    groups[id(p) in self.apart].append(p)
        for name, parameters in zip(("grad_norm", "grad_norm_matcher"), groups, strict=True):
            if not parameters:
                continue
            norm = self.clip_func(parameters, **self.clip_grad_kwargs)  # type: ignore[attr-defined]
            self.message_hub.update_scalar(f"train/{name}", float(norm))  # type: ignore[attr-defined]


class ApartOptimWrapper(_ClipApart, OptimWrapper):
    """mmengine's ``OptimWrapper`` with `_ClipApart`."""


class ApartAmpOptimWrapper(_ClipApart, AmpOptimWrapper):
    """mmengine's ``AmpOptimWrapper`` with `_ClipApart`."""


def _new_parameters(model: ReIDModel, which: str) -> list[torch.nn.Parameter]:
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
            falls at the start of those epochs (0-based); or ``dict(type="one_cycle",
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
        return [
            dict(
                type="MultiStepLR",
                by_epoch=True,
                milestones=list(schedule["milestones"]),
                gamma=schedule.get("gamma", 0.1),
            )
        ]
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
