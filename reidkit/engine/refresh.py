"""Samplers that depend on the model: refreshed before every epoch, their state kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.hooks import Hook
from torch import nn

from reidkit.data.crops import CropDataset
from reidkit.engine.build import unwrapped
from reidkit.engine.extract import embed_rows
from reidkit.structures import Embedding


class LiveModel:
    """What a sampler sees of the model in training: embeddings of its own crops, and the matcher.

    Args:
        model: has ``embed`` and ``matcher``.
        dataset: the sampler's crops.
        workers: loader processes for many crops.
    """

    def __init__(self, model, dataset: CropDataset, workers: int = 0):
        self._model, self._dataset, self._workers = model, dataset, workers

    @property
    def matcher(self) -> nn.Module:
        """The model's matcher, in whatever state training has left it."""
        return self._model.matcher

    def embed(self, rows: np.ndarray) -> Embedding:
        """Embeddings of these crops in eval mode with the test transforms; all ranks get all."""
        workers = self._workers if len(rows) >= 1024 else 0  # starting processes costs seconds
        label = "embedding class representatives" if len(rows) >= 1024 else ""
        return embed_rows(self._model, self._dataset, np.asarray(rows), 64, workers, label)


class RefreshSamplerHook(Hook):
    """Calls ``refresh`` of the first domain's sampler before each epoch, and saves its state.

    Does nothing for samplers without ``refresh``: they are pure functions of seed, epoch and rank.

    Args:
        workers: loader processes for embedding many crops.
    """

    priority = "HIGH"  # after the randomness of the epoch is set

    def __init__(self, workers: int = 0):
        self.workers = workers

    def before_train_epoch(self, runner) -> None:
        """Show the sampler the model."""
        sampler = _refreshed(runner)
        if sampler is None:
            return
        model = unwrapped(runner.model)
        sampler.set_epoch(runner.epoch)
        sampler.refresh(LiveModel(model, runner.train_dataloader.dataset.dataset, self.workers))

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the sampler's state, of tensors and numbers, beside the weights."""
        sampler = _refreshed(runner)
        if sampler is not None:
            checkpoint["sampler"] = sampler.state_dict()

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Give the state back to the sampler."""
        sampler = _refreshed(runner)
        if sampler is not None and "sampler" in checkpoint:
            sampler.load_state_dict(checkpoint["sampler"])


def _refreshed(runner) -> Any:
    sampler = getattr(runner.train_dataloader, "batch_sampler", None)
    return sampler if hasattr(sampler, "refresh") else None
