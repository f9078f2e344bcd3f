"""Where the random numbers of the transforms come from."""

from __future__ import annotations

import torch
from torch import Tensor

from reidkit.structures import ReIDBatch


def rand(batch: ReIDBatch, *shape: int) -> Tensor:
    """Uniform numbers in [0, 1) from the batch's generator, on the generator's device.

    Args:
        batch: whose generator; the images of one ``batch.augment_group`` get equal numbers.
        shape: of the result; the first is the number of images.

    Raises:
        ValueError: the batch has no generator.

    Example:
        >>> clip = ReIDBatch(torch.zeros(4, 3, 8, 4), generator=torch.Generator(), augment_group=2)
        >>> numbers = rand(clip, 4)
        >>> bool(numbers[0] == numbers[1]), bool(numbers[1] == numbers[2])
        (True, False)
    """
    generator = batch.generator
    if generator is None:
        raise ValueError(
            "a random transform needs batch.generator; set it to a seeded torch.Generator"
        )
    groups = (shape[0] // batch.augment_group, *shape[1:])
    numbers = torch.rand(*groups, generator=generator, device=generator.device)
    return numbers.repeat_interleave(batch.augment_group, 0) if batch.augment_group > 1 else numbers


def probability(p: float) -> float:
    """p as a float; ``ValueError`` outside [0, 1]."""
    if not 0 <= p <= 1:
        raise ValueError(f"p must be in [0, 1], got {p}")
    return float(p)
