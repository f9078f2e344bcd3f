"""Optimisers with learning rates by parameter name, and the field's two schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper, OptimWrapperDict
from mmengine.registry import OPTIMIZERS
from torch import nn

from reidkit.engine.wrappers import ReIDAmpOptimWrapper, ReIDOptimWrapper
from reidkit.errors import UserError


def build_optim(model, train: dict, precision: str = "fp32") -> OptimWrapper | OptimWrapperDict:
    """The optimiser of a model, or one for each part of a model that trains parts on their own.

    Clipping is done twice where the model has a learned matcher: over the matcher, and over
    everything else, so that the matcher's few large gradients do not stop the network.

    Args:
        model: may give ``parameter_groups()``; see ``MODELS``. Parameters without gradient are left
            out. Parameters that one of its modules lists in ``no_decay_parameters()`` get no weight
            decay.
        train: the config's ``train`` node: ``optimizer`` (a torch optimiser by name, perhaps with
            mmengine's ``paramwise_cfg``) or ``optimizers`` (by part), ``lr_mult`` (see
            ``lr_factors``),
            ``accumulate`` (steps per update), ``clip_grad`` (largest norm or None).
        precision: "fp16" adds a gradient scaler; bf16 and fp32 need none.

    Raises:
        UserError: ``train.optimizers`` does not name the model's parts.

    Example:
        >>> model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
        >>> optim = build_optim(model, dict(optimizer=dict(type="SGD", lr=0.01),
        ...                                 lr_mult={"1.*": 2.0}))
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
    common: dict[str, Any] = dict(model=model, train=train, precision=precision)
    if parts:
        wraps = {n: _wrapper(parts[n], given[n], **common, average=True) for n in parts}
        return OptimWrapperDict(**wraps)
    if train.get("optimizer") is None:
        raise UserError(f"train.optimizer=None: {type(model).__name__} needs one")
    matcher = getattr(model, "matcher", None)
    apart = list(matcher.parameters()) if isinstance(matcher, nn.Module) else []
    return _wrapper(list(model.parameters()), train["optimizer"], **common, apart=apart)


def _wrapper(
    params: Sequence[nn.Parameter],
    optimizer: dict,
    model: nn.Module,
    train: dict,
    precision: str,
    apart: Sequence[nn.Parameter] = (),
    average: bool = False,
) -> OptimWrapper:
    """One optimiser over parameters, grouped by learning rate and weight decay."""
    options, clip = dict(optimizer), train.get("clip_grad")
    groups = _groups(model, params, options, train.get("lr_mult") or {})
    common = dict(
        apart=apart,
        average=average,
        optimizer=OPTIMIZERS.build(dict(options, params=groups)),
        accumulative_counts=train.get("accumulate", 1),
        clip_grad=None if clip is None else dict(max_norm=clip),
    )
    if precision == "fp16":
        return ReIDAmpOptimWrapper(dtype="float16", **common)
    return ReIDOptimWrapper(**common)


def _groups(
    model: nn.Module, params: Sequence[nn.Parameter], options: dict, lr_mult: Mapping[str, float]
) -> list[dict]:
    """Parameter groups; ``paramwise_cfg`` is taken out of the optimiser's options."""
    factors, undecayed = lr_factors(model, lr_mult), _undecayed(model)
    own = _paramwise(model, options) if "paramwise_cfg" in options else {}
    groups: dict[tuple, dict] = {}
    for p in (p for p in params if p.requires_grad):
        group = dict(dict(lr=options["lr"]), **own.get(id(p), {}))
        group["lr"] *= factors[id(p)]
        if id(p) in undecayed:
            group["weight_decay"] = 0.0
        groups.setdefault(tuple(sorted(group.items())), dict(group, params=[]))["params"].append(p)
    return list(groups.values())


def _paramwise(model: nn.Module, options: dict) -> dict[int, dict]:
    """What mmengine's ``paramwise_cfg`` says of each parameter, by identity."""
    constructor = DefaultOptimWrapperConstructor(
        dict(optimizer=dict(options)), dict(options.pop("paramwise_cfg"))
    )
    groups: list[dict] = []
    constructor.add_params(groups, model)
    return {
        id(group["params"][0]): {k: v for k, v in group.items() if k != "params"}
        for group in groups
    }


def lr_factors(model: nn.Module, lr_mult: Mapping[str, float]) -> dict[int, float]:
    """The factor of each parameter's learning rate, by identity; 1 where no pattern matches.

    Args:
        model: whose parameters.
        lr_mult: factor by a pattern of parameter names, as in the shell ("backbone.*"). Of several
            that match, the longest counts.

    Raises:
        UserError: a pattern that matches no parameter.
    """
    factors, used = {}, set()
    for name, parameter in model.named_parameters():
        matching = [pattern for pattern in lr_mult if fnmatchcase(name, pattern)]
        used.update(matching)
        factors[id(parameter)] = lr_mult[max(matching, key=len)] if matching else 1.0
    unused = [pattern for pattern in lr_mult if pattern not in used]
    if unused:
        inner = ", ".join(name for name, _ in model.named_children())
        raise UserError(f"train.lr_mult: no parameter matches {unused[0]!r}; modules: {inner}")
    return factors


def _undecayed(model: nn.Module) -> set[int]:
    """Parameters whose modules do not want weight decay, by identity."""
    listing = [m for m in model.modules() if hasattr(m, "no_decay_parameters")]
    return {id(p) for m in listing for p in m.no_decay_parameters()}  # type: ignore[operator]


def build_schedule(
    schedule: dict | Sequence[dict] | None, epochs: int, steps_per_epoch: int
) -> list[dict]:
    """mmengine schedulers for a schedule that is stated relative to the run's length.

    Args:
        schedule: None (constant); a list of mmengine's schedulers, taken as it is;
            ``dict(type="step", milestones=[epochs], gamma=0.1)``: the rate falls at the start of
            those epochs (0-based), and with ``warmup=10, start=0.1`` it first rises linearly from
            that share of itself over ten epochs; or ``dict(type="one_cycle", pct_start=0.3,
            start=0.04)``: linear warm-up from ``start`` of the rate over the first share of the
            steps, then a cosine to zero.
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
    if not isinstance(schedule, Mapping):
        return [dict(one) for one in schedule]
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
