"""The enhancement E of every gated vector.

Shapes: any leading dimensions ..., D channels in, E numbers out, r inner width.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class LinearUnit(nn.Module):
    """One linear layer shared by all parts, then length 1: the released code's enhancement.

    Args:
        channels: D.
        dim: E.

    Shape:
        (..., D) -> (..., E).

    Example:
        >>> import torch
        >>> LinearUnit(16, 8)(torch.rand(2, 6, 16)).norm(dim=2).allclose(torch.ones(2, 6))
        True
    """

    def __init__(self, channels: int, dim: int = 128):
        super().__init__()
        self.linear = nn.Linear(channels, dim)
        nn.init.normal_(self.linear.weight, std=0.001)
        nn.init.zeros_(self.linear.bias)
        self.width = dim

    def forward(self, vectors: Tensor) -> Tensor:
        """Project and normalise."""
        return F.normalize(self.linear(vectors), dim=-1)


class SecondOrder(nn.Module):
    """Second-order pooling: the outer product of a reduced vector, signed square root, length 1.

    Args:
        channels: D.
        rank: r; E = r * r.

    Shape:
        (..., D) -> (..., r * r).

    Source:
        The paper names second-order pooling and leaves its form to a supplement that is not known
        to us: this is the usual bilinear form (arXiv 1504.07889), not claimed to be the authors'.

    Example:
        >>> import torch
        >>> SecondOrder(16, rank=4)(torch.rand(2, 6, 16)).shape
        torch.Size([2, 6, 16])
    """

    def __init__(self, channels: int, rank: int = 16):
        super().__init__()
        self.linear = nn.Linear(channels, rank)
        self.width = rank * rank

    def forward(self, vectors: Tensor) -> Tensor:
        """Reduce, multiply with itself, and normalise."""
        reduced = self.linear(vectors)
        outer = (reduced.unsqueeze(-1) * reduced.unsqueeze(-2)).flatten(-2)
        # the root is infinitely steep at 0
        return F.normalize(outer.sign() * (outer.abs() + 1e-8).sqrt(), dim=-1)


class Plain(nn.Identity):
    """The gated vector as it is.

    Args:
        channels: D = E.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.width = channels


VARIANTS = {"fc_l2": LinearUnit, "none": Plain, "second_order": SecondOrder}
