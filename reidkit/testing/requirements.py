"""How a broken contract is said: the error, and the words of the checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Build = Callable[..., Any]  # a component with its options; takes what the framework derives


class ContractError(AssertionError):
    """A component breaks the contract of its kind; the text says how."""


def require(condition: object, text: str) -> None:
    """Raise ``ContractError`` with ``text`` unless the condition holds."""
    if not condition:
        raise ContractError(text)


def finite(tensor: Tensor, what: str) -> None:
    """No NaN and no infinity."""
    require(torch.isfinite(tensor).all(), f"{what} is not finite")


def reached(tensors: Mapping[str, Tensor], what: str) -> None:
    """A finite gradient that is not zero everywhere has come to at least one of the tensors."""
    grads = {name: t.grad for name, t in tensors.items() if t.grad is not None}
    for name, grad in grads.items():
        finite(grad, f"the gradient of {name}")
    require(any(g.abs().sum() > 0 for g in grads.values()), f"no gradient reaches {what}")
