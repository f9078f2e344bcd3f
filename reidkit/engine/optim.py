"""Optimisers of a model and the field's two schedules, for mmengine's Runner."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from reidkit.engine.param_groups import parameter_groups
from reidkit.errors import UserError

if TYPE_CHECKING:
    from mmengine.optim import OptimWrapper, OptimWrapperDict

# mmengine.optim imports FSDP and sympy, more than torch itself: only where a model is trained


def build_optim(
    model: Any, train: Mapping[str, Any], precision: str = "fp32"
) -> OptimWrapper | OptimWrapperDict:
    """The optimiser of a model, or one for each part of a model that trains parts on their own.

    Clipping is done twice where the model has a learned matcher: over the matcher, and over
    everything else, so that the matcher's few large gradients do not stop the network.

    Args:
        model: may give ``parameter_groups()``; see ``MODELS``. Parameters without gradient are left
            out.
        train: the config's ``train`` node: ``optimizer`` (a torch optimiser by name, perhaps with
            mmengine's ``paramwise_cfg``) or ``optimizers`` (by part), ``lr_mult``, ``decay_mult``
            and ``layer_decay`` (see ``parameter_groups``), ``accumulate`` (steps per update),
            ``clip_grad`` (largest norm or None).
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
    from mmengine.optim import OptimWrapperDict

    from reidkit.engine.wrappers import ReIDAmpOptimWrapper, ReIDOptimWrapper

    clip = train.get("clip_grad")
    common: dict[str, Any] = dict(
        accumulative_counts=train.get("accumulate", 1),
        clip_grad=None if clip is None else dict(max_norm=clip),
    )
    wrapper: Any = ReIDOptimWrapper
    if precision == "fp16":
        wrapper, common["dtype"] = ReIDAmpOptimWrapper, "float16"
    optimizers = build_optimizers(model, train)
    if "" not in optimizers:
        wraps = {n: wrapper(optimizer=o, average=True, **common) for n, o in optimizers.items()}
        return OptimWrapperDict(**wraps)
    matcher = getattr(model, "matcher", None)
    separate = list(matcher.parameters()) if isinstance(matcher, nn.Module) else []
    return wrapper(optimizer=optimizers[""], clip_separately=separate, **common)


def build_optimizers(
    model: Any, train: Mapping[str, Any], light: bool = False
) -> dict[str, torch.optim.Optimizer]:
    """The bare optimisers: one by the name "" for the whole model, or one by each part's name.

    Args:
        model: as ``build_optim``.
        train: as ``build_optim``.
        light: for a trial that never steps: without torch's compiler, which the first optimiser of
            a process imports and which costs more than torch itself.

    Raises:
        UserError: ``train.optimizers`` does not name the model's parts.
    """
    parts = model.parameter_groups() if hasattr(model, "parameter_groups") else {}
    given = train.get("optimizers") or {}
    if set(parts) != set(given):
        raise UserError(
            f"train.optimizers has {sorted(given) or 'none'}, but {type(model).__name__} trains "
            f"{sorted(parts) or 'all of it with one train.optimizer'}"
        )
    if not parts:
        if train.get("optimizer") is None:
            raise UserError(f"train.optimizer=None: {type(model).__name__} needs one")
        parts, given = {"": list(model.parameters())}, {"": train["optimizer"]}
    return {name: _optimizer(model, parts[name], dict(given[name]), train, light) for name in parts}


def _optimizer(
    model: nn.Module,
    params: Sequence[nn.Parameter],
    options: dict,
    train: Mapping[str, Any],
    light: bool,
) -> torch.optim.Optimizer:
    groups = parameter_groups(model, params, options, train)
    options.pop("paramwise_cfg", None)
    cls = optimizer_class(options.pop("type"))
    if light:
        plain = inspect.unwrap(cls.add_param_group)
        cls = type(cls.__name__, (cls,), {"add_param_group": plain})
    return cls(groups, **options)


def optimizer_class(name: str) -> type[torch.optim.Optimizer]:
    """The optimiser of a name: torch's, else one that mmengine or a library registered.

    Raises:
        KeyError: no such optimiser.
    """
    cls = getattr(torch.optim, name, None)
    if inspect.isclass(cls) and issubclass(cls, torch.optim.Optimizer):
        return cls
    import mmengine.optim  # noqa: F401  (fills the registry)
    from mmengine.registry import OPTIMIZERS

    return OPTIMIZERS.module_dict[name]


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


def refuse_no_step(train: Mapping[str, Any], batches: int) -> None:
    """Refuse to accumulate more batches than all of a training has.

    Args:
        train: the config's ``train`` node: ``epochs``, ``accumulate``.
        batches: of one epoch.

    Raises:
        UserError: no optimiser step would be made.
    """
    total = train["epochs"] * batches
    if train.get("accumulate", 1) > total:
        raise UserError(
            f"train.accumulate={train['accumulate']}: {train['epochs']} epochs of {batches} "
            f"batches are {total}, fewer than one step takes, so that nothing would be learned; "
            f"accumulate at most {batches}, a step per epoch"
        )
