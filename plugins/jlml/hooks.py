"""Watching the selection of features during training, and selecting by proximal steps."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.dist import is_main_process
from torch import Tensor, nn

from reidkit.config.ranges import FACTOR, WHOLE, Bounds
from reidkit.errors import UserError
from reidkit.registry import HOOKS

from .picture import draw_selection
from .sparsity import (
    GROUPS,
    prox_exclusive_group_lasso,
    prox_group_lasso,
    stripe_shares,
)


def _head(runner) -> nn.Module:
    """The run's head, which must have feature layers."""
    model = getattr(runner.model, "module", runner.model)
    head = getattr(model, "head", None)
    if not hasattr(head, "feature_weights"):
        raise UserError(
            f"hooks: {type(head).__name__} has no feature layers to watch; the hooks of jlml need "
            "jlml/JLMLHead as model.head"
        )
    return head


@HOOKS.register_module()
class SelectionLog:
    """Logs after every epoch where the local features look, and draws the selection at the end.

    The share of the local feature layer's weight on each stripe, as scalars ``selection/...`` of
    the visualiser. ``selection.png`` in the run folder shows the final norms of both layers. How
    many features are off is in the losses' log, from the head.

    Args:
        interval: epochs between two entries, >= 1.

    Raises:
        UserError: at the start, a head without feature layers.
    """

    priority = "LOW"

    def __init__(self, interval: int = 1):
        self.interval = interval

    def before_train(self, runner) -> None:
        """Refuse a head that has nothing to select before an hour is spent on it."""
        _head(runner)

    def after_train_epoch(self, runner) -> None:
        """Log the numbers when due."""
        if (runner.epoch + 1) % self.interval or not is_main_process():
            return
        numbers = selection(_head(runner).feature_weights())
        runner.visualizer.add_scalars(
            {f"selection/{name}": value for name, value in numbers.items()}, step=runner.iter
        )
        listing = ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
        runner.logger.info(f"selection after epoch {runner.epoch + 1}: {listing}")

    def after_train(self, runner) -> None:
        """Draw the final selection."""
        if is_main_process():
            weights = _head(runner).feature_weights()
            draw_selection(Path(runner.work_dir, "selection.png"), weights)


@torch.no_grad()
def selection(weights: dict[str, Tensor]) -> dict[str, float]:
    """Numbers of the selection: share of weight by stripe, of layers with several.

    Args:
        weights: feature layers (D, S, C) by branch.

    Example:
        >>> layer = torch.tensor([[[1.0, 0.0], [3.0, 4.0]]])
        >>> selection({"local": layer})
        {'local_stripe1': 0.125, 'local_stripe2': 0.875}
    """
    numbers: dict[str, float] = {}
    for name, weight in weights.items():
        if weight.shape[1] > 1:
            for stripe, share in enumerate(stripe_shares(weight).tolist(), 1):
                numbers[f"{name}_stripe{stripe}"] = share
    return numbers


@HOOKS.register_module()
class ProximalStep:
    """Structured sparsity by a proximal step after every optimiser step: exact zeros.

    Takes the place of the roles of ``jlml/GroupLasso`` and ``jlml/ExclusiveGroupLasso``, whose
    subgradients never reach zero; remove those roles. The amount of a step is its rate times the
    weight. Under an optimiser that divides gradients by their size, such as AdamW, the learning
    rate says nothing about how far a penalty should pull, so the step has a rate of its own.

    Args:
        rate: of the step at the optimiser's full learning rate, >= 0; it follows the schedule. The
            published training, SGD at 0.01 with momentum 0.9, moves a weight by
            ``0.01 / (1 - 0.9) = 0.1`` times its gradient in the long run. None: the layer's
            learning rate, which is the proximal gradient method for SGD without momentum.
        global_weight: factor on the group LASSO of the global layer, >= 0.
        local_weight: factor on the exclusive group LASSO of the local layer, >= 0.
        group: see ``jlml/ExclusiveGroupLasso``.
        start: epoch of the first step, from 0. The published penalties act from the beginning, on
            weights that have learned nothing yet; a later start is a departure.

    Raises:
        ValueError: a negative weight, rate or start, or an unknown group.
        UserError: at the start, a head without feature layers.
    """

    priority = "VERY_HIGH"
    ranges = {
        "rate": Bounds(0, optional=True),
        "global_weight": FACTOR,
        "local_weight": FACTOR,
        "start": WHOLE,
    }

    def __init__(
        self,
        global_weight: float = 5e-4,
        local_weight: float = 5e-4,
        group: str = "output",
        rate: float | None = 0.1,
        start: int = 0,
    ):
        if min(global_weight, local_weight, rate or 0, start) < 0:
            raise ValueError(
                "ProximalStep: weights, rate and start must be >= 0, got "
                f"{global_weight}, {local_weight}, {rate} and {start}"
            )
        if group not in GROUPS:
            raise ValueError(f"group must be one of {GROUPS}, got {group!r}")
        self.weights = {"global": global_weight, "local": local_weight}
        self.group, self.rate, self.start = group, rate, start

    def before_train(self, runner) -> None:
        """Refuse a head that has nothing to select."""
        _head(runner)

    @torch.no_grad()
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Shrink the feature layers, where the optimiser has just made a step."""
        if runner.epoch < self.start:
            return
        if not runner.optim_wrapper.should_update():  # gradients are still being accumulated
            return
        rates = {
            id(parameter): self._rate(group)
            for group in runner.optim_wrapper.optimizer.param_groups
            for parameter in group["params"]
        }
        for name, branch in _head(runner).branches.items():
            rate = rates.get(id(branch.feature.weight))
            if rate is None:  # a frozen branch
                continue
            weight, amount = branch.weight, rate * self.weights[name]
            if name == "global":
                weight.copy_(prox_group_lasso(weight, amount))
            else:
                weight.copy_(prox_exclusive_group_lasso(weight, amount, self.group))

    def _rate(self, group: dict) -> float:
        """The step's rate just now for a parameter group of the optimiser."""
        if self.rate is None:
            return group["lr"]
        return self.rate * group["lr"] / group.get("initial_lr", group["lr"])
