"""Optimisers with learning rates of their own for new layers, and the field's two schedules."""

from __future__ import annotations

import torch
import torch.distributed
from mmengine.dist import get_world_size
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict
from mmengine.registry import OPTIMIZERS

from reidkit.engine.build import classifier_names
from reidkit.errors import UserError


def build_optim(model, train: dict, precision: str = "fp32") -> OptimWrapper:
    """The optimiser of a model, or one for each part of a model that trains parts on their own.

    Args:
        model: gives ``new_parameters()``, or ``parameter_groups()``; see ``MODELS``. Parameters
            without gradient are left out.
        train: the config's ``train`` node: ``optimizer`` (a torch optimiser by name) or
            ``optimizers`` (by part), ``new_lr_mult``, ``accumulate`` (steps per update),
            ``clip_grad`` (largest norm or None), ``new`` ("heads" or "classifiers": which layers
            count as new).
        precision: "fp16" adds a gradient scaler; bf16 and fp32 need none.

    Raises:
        UserError: ``train.optimizers`` does not name the model's parts.

    Example:
        >>> from types import SimpleNamespace
        >>> a, b = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
        >>> model = torch.nn.Sequential(a, b); model.new_parameters = lambda: list(b.parameters())
        >>> optim = build_optim(model, dict(optimizer=dict(type="SGD", lr=0.01), new_lr_mult=2.0))
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
    if parts:
        wraps = {n: _wrapper(parts[n], given[n], train, precision, apart=True) for n in parts}
        return OptimWrapperDict(**wraps)
    if train.get("optimizer") is None:
        raise UserError(f"train.optimizer=None: {type(model).__name__} needs one")
    new = {id(p) for p in _new_parameters(model, train.get("new", "heads"))}
    old = [p for p in model.parameters() if id(p) not in new]
    groups: list[dict] = [
        dict(params=old),
        dict(params=[p for p in model.parameters() if id(p) in new], new=True),
    ]
    return _wrapper(groups, train["optimizer"], train, precision)


def _wrapper(
    groups: list[dict], optimizer: dict, train: dict, precision: str, apart: bool = False
) -> OptimWrapper:
    """One optimiser over groups of parameters, those of new layers with a rate of their own."""
    options, faster = dict(optimizer), train.get("new_lr_mult", 1.0)
    made = [
        dict(
            params=[p for p in group["params"] if p.requires_grad],
            lr=options["lr"] * (faster if group.get("new") else 1.0),
        )
        for group in groups
    ]
    clip = train.get("clip_grad")
    common = dict(
        optimizer=OPTIMIZERS.build(dict(options, params=[g for g in made if g["params"]])),
        accumulative_counts=train.get("accumulate", 1),
        clip_grad=None if clip is None else dict(max_norm=clip),
    )
    if precision == "fp16":
        return (SharedAmpOptimWrapper if apart else AmpOptimWrapper)(dtype="float16", **common)
    return (SharedOptimWrapper if apart else OptimWrapper)(**common)


class SharedOptimWrapper(OptimWrapper):
    """Averages gradients over all processes just before it steps.

    What ``DistributedDataParallel`` does during backward, done once afterwards: it holds for models
    that run a network several times in one step, differentiate twice, use frozen copies, or leave
    parameters without gradient in some steps.
    """

    def step(self, **kwargs) -> None:
        """Average, then step."""
        average_gradients(self.optimizer)
        super().step(**kwargs)


class SharedAmpOptimWrapper(AmpOptimWrapper):
    """The same with a gradient scaler: an overflow in one process is one in all."""

    def step(self, **kwargs) -> None:
        """Average, then unscale and step."""
        average_gradients(self.optimizer)
        super().step(**kwargs)


def average_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Replace every gradient by its mean over all processes; nothing to do in one process.

    A parameter that no process has a gradient for keeps none, so that optimisers skip it as ever.
    """
    world = get_world_size()
    if world == 1:
        return
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    present = torch.tensor([p.grad is not None for p in parameters], dtype=torch.float32)
    present = present.to(parameters[0].device)
    torch.distributed.all_reduce(present)
    reached = [p for p, count in zip(parameters, present.tolist(), strict=True) if count]
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in reached]
    if not grads:
        return
    flat = torch.cat([grad.reshape(-1) for grad in grads])
    torch.distributed.all_reduce(flat)
    pieces = flat.div_(world).split([grad.numel() for grad in grads])
    for parameter, piece in zip(reached, pieces, strict=True):
        parameter.grad = piece.view(parameter.shape)


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
