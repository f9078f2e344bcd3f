"""Structured sparsity of the feature layers: values, proximal operators, how much was selected.

A feature layer is (D, S, C): D outputs; its input dimensions are columns, C in each of S stripes.
All is computed in float32 at least: the squares of the exclusive norm leave the range of fp16.
"""

from __future__ import annotations

import torch
from torch import Tensor

GROUPS = ("output", "stripe")


def group_lasso(weight: Tensor) -> Tensor:
    """Sum over the columns of their Euclidean norm (l2,1): shrinks whole input dimensions to zero.

    Args:
        weight: a feature layer; a root of 0 counts as 1e-6, so that its gradient is finite.

    Shape:
        weight (D, S, C) or (D, C) -> ().

    Source:
        JLML, arXiv 1705.04724, 3.3, after Wang, Nie, Huang (ICML 2013).

    Example:
        >>> group_lasso(torch.tensor([[1.0, 2.0], [2.0, 0.0]]))
        tensor(4.2361)
    """
    return _wide(weight).flatten(1).square().sum(0).add(1e-12).sqrt().sum()


def exclusive_group_lasso(weight: Tensor, group: str = "output") -> Tensor:
    """Sum over the groups of their squared sum of absolute values (l1,2).

    Within a group weights compete and some go to zero; no group does as a whole.

    Args:
        weight: a feature layer.
        group: "output": each stripe of each output unit; "stripe": each stripe over all outputs.

    Shape:
        weight (D, S, C) -> ().

    Raises:
        ValueError: unknown group.

    Source:
        JLML, arXiv 1705.04724, 3.3, after Kong et al. (NIPS 2014). Which weights form a group is
        not certain; "output" is our reading.

    Example:
        >>> weight = torch.tensor([[1.0, 2.0], [2.0, 0.0]])
        >>> exclusive_group_lasso(weight[:, None]), exclusive_group_lasso(weight[:, :, None])
        (tensor(13.), tensor(9.))
    """
    return _grouped(_wide(weight), group).abs().sum(-1).square().sum()


def prox_group_lasso(weight: Tensor, amount: float) -> Tensor:
    """The proximal operator of ``amount * group_lasso``: every column's norm lowered by ``amount``.

    Args:
        weight: a feature layer.
        amount: learning rate times the weight of the loss, at least 0.

    Shape:
        weight (D, S, C) or (D, C), returns the same; a column no longer than ``amount`` is 0.

    Example:
        >>> prox_group_lasso(torch.tensor([[3.0, 0.3], [4.0, 0.4]]), 1.0)
        tensor([[2.4000, 0.0000],
                [3.2000, 0.0000]])
    """
    norms = weight.square().sum(0, keepdim=True).sqrt()
    return weight * (1 - amount / norms.clamp_min(1e-12)).clamp_min(0)


def prox_exclusive_group_lasso(weight: Tensor, amount: float, group: str = "output") -> Tensor:
    """The proximal operator of ``amount * exclusive_group_lasso``.

    A group's weights are lowered by a share of the sum of those that survive, so its largest one
    always does.

    Args:
        weight: a feature layer.
        amount: learning rate times the weight of the loss, at least 0.
        group: see ``exclusive_group_lasso``.

    Shape:
        weight (D, S, C), returns the same.

    Raises:
        ValueError: unknown group.

    Source:
        min over x of (|x|_1)^2 a + |x - w|^2 / 2: soft thresholding at 2 a s / (1 + 2 a k), where
        s is the sum of the k absolute values that stay above it.

    Example:
        >>> prox_exclusive_group_lasso(torch.tensor([[[3.0, 1.0]]]), 0.5)
        tensor([[[1.5000, 0.0000]]])
    """
    grouped = _grouped(weight, group)
    sizes = grouped.abs().sort(-1, descending=True).values
    count = torch.arange(1, sizes.shape[-1] + 1, device=sizes.device)
    limits = 2 * amount * sizes.cumsum(-1) / (1 + 2 * amount * count)
    kept = (sizes > limits).sum(-1, keepdim=True).clamp_min(1)
    limit = limits.gather(-1, kept - 1)
    return _ungrouped(grouped.sign() * (grouped.abs() - limit).clamp_min(0), weight, group)


def column_norms(weight: Tensor) -> Tensor:
    """Euclidean norm of every column, how much an input dimension counts: (D, S, C) -> (S, C)."""
    return _wide(weight).square().sum(0).sqrt()


def stripe_shares(weight: Tensor) -> Tensor:
    """Share of the absolute weight on each stripe: (D, S, C) -> (S,), summing to 1."""
    by_stripe = _wide(weight).abs().sum((0, 2))
    return by_stripe / by_stripe.sum().clamp_min(1e-12)


def share_off(weight: Tensor, below: float = 0.1) -> float:
    """Share of the columns whose norm is less than ``below`` of the largest one.

    Example:
        >>> share_off(torch.tensor([[[1.0, 0.01, 0.5, 0.0]]]))
        0.5
    """
    norms = column_norms(weight)
    return float((norms < below * norms.max()).float().mean())


def _wide(weight: Tensor) -> Tensor:
    """Half precision -> float32; float32 and float64 stay."""
    return weight if weight.dtype == torch.float64 else weight.float()


def _grouped(weight: Tensor, group: str) -> Tensor:
    """The members of each group in the last dimension."""
    if group not in GROUPS:
        raise ValueError(f"group must be one of {GROUPS}, got {group!r}")
    return weight if group == "output" else weight.transpose(0, 1).flatten(1)


def _ungrouped(grouped: Tensor, like: Tensor, group: str) -> Tensor:
    if group == "output":
        return grouped
    outputs, _, channels = like.shape
    return grouped.unflatten(1, (outputs, channels)).transpose(0, 1)
