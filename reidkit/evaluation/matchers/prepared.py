"""What a matcher makes of embeddings before it compares them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Prepared:
    """Tensors of N images by name, as a matcher wants them for comparing; sliced by rows.

    Which names there are is between ``prepare``, ``compare`` and ``order`` of one matcher, so each
    number goes by its own: unit vectors, one over a length, shares of visible parts.

    Args:
        tensors: name -> (N, ...), one row per image, all on one device.

    Raises:
        ValueError: no tensors, or tensors that differ in N.
        AttributeError: a name is read that was not given.

    Example:
        >>> ready = Prepared(vectors=torch.ones(3, 4), scale=torch.tensor([1.0, 2.0, 4.0]))
        >>> len(ready), ready[1:].scale.tolist(), ready[1:].vectors.shape
        (3, [2.0, 4.0], torch.Size([2, 4]))
    """

    def __init__(self, **tensors: Tensor):
        lengths = {name: len(tensor) for name, tensor in tensors.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(
                f"prepared tensors need one row per image, and there must be some: {lengths}"
            )
        self.tensors = tensors

    def __getattr__(self, name: str) -> Tensor:
        tensors = self.__dict__.get("tensors", {})
        if name not in tensors:
            raise AttributeError(
                f"no prepared tensor named {name!r}; prepare gave {', '.join(tensors)}"
            )
        return tensors[name]

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, rows: slice | Tensor | Sequence[int]) -> Prepared:
        return Prepared(**{name: tensor[rows] for name, tensor in self.tensors.items()})

    @property
    def device(self) -> torch.device:
        """Where the tensors lie."""
        return next(iter(self.tensors.values())).device
