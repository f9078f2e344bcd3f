"""When the learning rate falls and training ends: as soon as the loss has fallen far enough."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce

from reidkit.errors import UserError
from reidkit.registry import HOOKS


@HOOKS.register_module()
class AdaptiveSchedule:
    """Drops the rate after the first epoch whose loss is well below the second's; ends soon after.

    The mean loss of the second epoch is the reference. After the first epoch e (from 1) with a
    mean loss below ``share`` of it, all rates are multiplied by ``factor`` and training ends after
    epoch ``e + e // 2``, at the latest after ``train.epochs``, where it also ends if the loss
    never falls that far. Its state is saved with the run; under several processes the mean is
    over all of them.

    Args:
        share: of the reference loss, above 0 and below 1.
        factor: on every learning rate.

    Raises:
        ValueError: share outside (0, 1).
        UserError: at the start of training, when ``train.schedule`` changes the rates, too.

    Source:
        QAConv-GS, arXiv 2104.01546; rule of the released code (2.1).
    """

    def __init__(self, share: float = 0.7, factor: float = 0.1):
        if not 0 < share < 1:
            raise ValueError(f"AdaptiveSchedule: share must lie between 0 and 1, got {share}")
        self.share, self.factor = share, factor
        self.reference: float | None = None
        self.dropped_after = 0  # epochs; 0: not yet
        self._sum, self._steps = 0.0, 0

    def before_train(self, runner) -> None:
        """Refuse a second schedule."""
        if runner.param_schedulers:
            raise UserError(
                "qaconv/AdaptiveSchedule sets the learning rate; set train.schedule=None, or take "
                "the hook out"
            )

    def before_train_epoch(self, runner) -> None:
        """Start the mean."""
        self._sum, self._steps = 0.0, 0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Add one step's loss."""
        self._sum += float((outputs or {})["loss"].detach())
        self._steps += 1

    def after_train_epoch(self, runner) -> None:
        """Take the reference, or compare with it and drop."""
        mean = torch.tensor(self._sum / max(1, self._steps), dtype=torch.float64)
        all_reduce(mean, "mean")
        done = runner.epoch + 1
        if done == 2:
            self.reference = float(mean)
        if self.reference is None or self.dropped_after or mean >= self.share * self.reference:
            return
        self.dropped_after = done
        for group in runner.optim_wrapper.optimizer.param_groups:
            group["lr"] *= self.factor
        self._shorten(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the reference and whether the rate has fallen."""
        checkpoint["adaptive_schedule"] = dict(
            reference=self.reference, dropped_after=self.dropped_after
        )

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Go on as saved; the optimiser's own state already has the lower rates."""
        state = checkpoint.get("adaptive_schedule")
        if state is None:
            return
        self.reference, self.dropped_after = state["reference"], state["dropped_after"]
        if self.dropped_after:
            self._shorten(runner)

    def _shorten(self, runner) -> None:
        loop = runner.train_loop
        end = min(loop.max_epochs, self.dropped_after + self.dropped_after // 2)
        loop._max_epochs, loop._max_iters = end, end * len(loop.dataloader)
