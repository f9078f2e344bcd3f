"""What a batch transform is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from reidkit.structures import ReIDBatch


class BatchTransform(ABC):
    """A step between loader and backbone, on a whole batch that lies on the device.

    Example:
        >>> import torch
        >>> class Darken(BatchTransform):
        ...     def transform(self, batch):
        ...         return ReIDBatch(batch.images // 2)
        >>> Darken()(ReIDBatch(torch.full((1, 3, 1, 1), 8))).images.flatten().tolist()
        [4, 4, 4]
    """

    def __call__(self, batch: ReIDBatch) -> ReIDBatch:
        """The batch after this step."""
        return self.transform(batch)

    @abstractmethod
    def transform(self, batch: ReIDBatch, /) -> ReIDBatch:
        """A new batch; the given one is not changed."""
