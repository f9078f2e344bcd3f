"""Where the random numbers of the transforms come from."""

from __future__ import annotations

import torch
from torch import Tensor

from reidkit.structures import ReIDBatch


def draw(batch: ReIDBatch, *shape: int) -> Tensor:
    """Uniform numbers in [0, 1) from the batch's generator, on the generator's device.

    Raises:
        ValueError: the batch has no generator.
    """
    generator = batch.generator
    if generator is None:
        raise ValueError(
            "a random transform needs batch.generator; set it to a seeded torch.Generator"
        )
    return torch.rand(*shape, generator=generator, device=generator.device)


def probability(p: float) -> float:
    """p as a float; ``ValueError`` outside [0, 1]."""
    if not 0 <= p <= 1:
        raise ValueError(f"p must be in [0, 1], got {p}")
    return float(p)
