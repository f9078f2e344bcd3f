"""Activations that are computed again in backward instead of kept."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.utils.checkpoint import checkpoint


def recomputed(function: Callable, *inputs: Tensor, active: bool = True):
    """``function(*inputs)``; when active, only the inputs are kept for backward.

    Random numbers are drawn again alike. For functions without state: a batch norm would count
    its images twice.
    """
    if not active:
        return function(*inputs)
    return checkpoint(function, *inputs, use_reentrant=False)
