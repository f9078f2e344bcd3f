"""What every model shares: one training step, as mmengine's Runner asks for it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from reidkit.models.preprocess import ReIDPreprocessor
from reidkit.structures import ReIDBatch


class TrainableModel(nn.Module):
    """A model that mmengine's Runner trains: prepare, forward, add the losses, step.

    It does what ``mmengine.model.BaseModel`` does in training. That class is not used because its
    package imports FSDP and sympy, more than torch itself: a config is checked with real models,
    and a check must not cost three times what it needs.

    Args:
        data_preprocessor: called with ({domain: batch}, training) for the prepared batches.
    """

    data_preprocessor: ReIDPreprocessor

    def __init__(self, data_preprocessor: ReIDPreprocessor):
        super().__init__()
        self.data_preprocessor = data_preprocessor

    def train_step(self, data: dict[str, ReIDBatch], optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the optimiser on a batch of every domain.

        Args:
            data: domain -> loaded batch.
            optim_wrapper: mmengine's ``OptimWrapper``; it scales, accumulates and clips.

        Returns:
            What is logged: "loss", which was minimised, and everything that ``forward`` gave.
        """
        with optim_wrapper.optim_context(self):
            losses = self(**self.data_preprocessor(data, True), mode="loss")
        loss, log = self.parse_losses(losses)
        optim_wrapper.update_params(loss)
        return log

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of all values that have "loss" in their name, and means of all for the log."""
        log = {name: value.mean() for name, value in losses.items()}
        loss: Any = sum(value for name, value in log.items() if "loss" in name)
        return loss, {"loss": loss, **log}
