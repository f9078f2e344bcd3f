"""mmengine's optimiser wrappers with a second way to clip and to average over processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed
from mmengine.dist import get_world_size
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn


class _ClipSeparately:
    """Clips some parameters on their own, and may average gradients over processes itself.

    Args:
        clip_separately: parameters whose gradient norm is clipped on its own, not with all others'.
        average: replace gradients by their mean over all processes before each step. What
            ``DistributedDataParallel`` does during backward, done once afterwards: it holds for
            models that run a network several times in one step, differentiate twice, use frozen
            copies, or leave parameters without gradient in some steps.
        options: keyword arguments of mmengine's wrapper.
    """

    def __init__(
        self, clip_separately: Sequence[nn.Parameter] = (), average: bool = False, **options
    ):
        self.separate, self.average = {id(p) for p in clip_separately}, average
        super().__init__(**options)

    def step(self, **options) -> None:
        """Average where asked to, then step; an overflow in one process is one in all."""
        if self.average:
            average_gradients(self.optimizer)  # type: ignore[attr-defined]
        super().step(**options)  # type: ignore[misc]

    def _clip_grad(self) -> None:
        groups: tuple[list, list] = ([], [])
        for group in self.optimizer.param_groups:  # type: ignore[attr-defined]
            for p in group["params"]:
                if p.grad is not None:
                    groups[id(p) in self.separate].append(p)
        for name, parameters in zip(("grad_norm", "grad_norm_matcher"), groups, strict=True):
            if not parameters:
                continue
            norm = self.clip_func(parameters, **self.clip_grad_kwargs)  # type: ignore[attr-defined]
            self.message_hub.update_scalar(f"train/{name}", float(norm))  # type: ignore[attr-defined]


class ReIDOptimWrapper(_ClipSeparately, OptimWrapper):
    """mmengine's ``OptimWrapper`` with ``clip_separately`` and ``average``."""


class ReIDAmpOptimWrapper(_ClipSeparately, AmpOptimWrapper):
    """mmengine's ``AmpOptimWrapper`` with ``clip_separately`` and ``average``."""


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
