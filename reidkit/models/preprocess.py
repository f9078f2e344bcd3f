"""From loaded crops to what a model sees, on the device: move, then the configured transforms."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from reidkit.errors import UserError
from reidkit.registry import MODELS, TRANSFORMS
from reidkit.structures import ReIDBatch


@MODELS.register_module()
class ReIDPreprocessor(nn.Module):
    """Moves uint8 batches to the device and runs the batch transforms there, on single images.

    Args:
        train: step name -> TRANSFORMS config, applied in training, in order.
        test: step name -> TRANSFORMS config, applied otherwise.
        map_size: (h, w) of the deepest feature map; supplied by the framework to transforms that
            declare it.
        settings: the settings of the run; supplied by the framework to transforms that declare it.
        channels_last: lay images out channels last, which CPUs and tensor cores prefer.

    Example:
        >>> import torch, reidkit.data
        >>> prepare = ReIDPreprocessor(train=dict(normalize=dict(type="Normalize")))
        >>> batch = ReIDBatch(torch.zeros(2, 3, 8, 4, dtype=torch.uint8))
        >>> prepare({"source": batch}, True)["source"].images.dtype
        torch.float32
    """

    def __init__(
        self,
        train: Mapping[str, dict] | None = None,
        test: Mapping[str, dict] | None = None,
        map_size: tuple[int, int] | None = None,
        settings: Mapping | None = None,
        channels_last: bool = True,
    ):
        super().__init__()
        self._here: torch.Tensor
        self.register_buffer("_here", torch.empty(0), persistent=False)  # moves with the model
        supply = dict(map_size=map_size, settings=settings)
        self.train_steps = [TRANSFORMS.build(cfg, supply) for cfg in (train or {}).values()]
        self.test_steps = [TRANSFORMS.build(cfg, supply) for cfg in (test or {}).values()]
        self.channels_last = channels_last

    @property
    def device(self) -> torch.device:
        """Where batches are moved to: where the model is."""
        return self._here.device

    def one(self, batch: ReIDBatch, training: bool = False) -> ReIDBatch:
        """Prepare one domain's batch; clips become images.

        Raises:
            UserError: no step made the images floating-point numbers.
        """
        batch = batch.to(self.device, non_blocking=True).by_frame()
        for step in self.train_steps if training else self.test_steps:
            batch = step(batch)
        if not batch.images.is_floating_point():
            where = f"model.transforms.{'train' if training else 'test'}"
            raise UserError(
                f"{where}: after its steps the images are {batch.images.dtype} still, which no "
                f"network reads; end it with a step that scales them: +{where}.normalize=Normalize"
            )
        if self.channels_last:
            batch.images = batch.images.contiguous(memory_format=torch.channels_last)
        return batch

    def forward(self, data: dict[str, ReIDBatch], training: bool = False) -> dict[str, ReIDBatch]:
        """Prepare every domain's batch."""
        return {domain: self.one(batch, training) for domain, batch in data.items()}
