"""Blocks that E_s, G and D are made of: reflect padding, convolution, norm, leaky ReLU.

Shapes: N images, C channels, h w feature cells.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .norms import LayerNorm, adain, instance_norm

SLOPE = 0.2
NORMS = ("none", "instance", "layer")


class ConvBlock(nn.Module):
    """Pad (reflect), convolve (with bias), normalise, activate.

    Args:
        channels: C in.
        out: C out.
        kernel: side of the kernel in cells.
        stride: in cells.
        dilation: in cells; the map keeps its size at stride 1.
        norm: "none", "instance" (no affine, no running statistics) or "layer" (``LayerNorm``).
        act: whether a leaky ReLU of slope 0.2 follows.

    Shape:
        (N, C, h, w) -> (N, out, h / stride, w / stride), rounded up.

    Raises:
        ValueError: unknown norm.

    Source:
        DG-Net, arXiv 1904.07223, as released: reflect padding and biases everywhere.

    Example:
        >>> import torch
        >>> ConvBlock(1, 16, 3, stride=2, norm="instance")(torch.rand(2, 1, 8, 4)).shape
        torch.Size([2, 16, 4, 2])
    """

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        norm: str = "none",
        act: bool = True,
    ):
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {NORMS}, got {norm!r}")
        self.conv = reflect_conv(channels, out, kernel, stride, dilation)
        self.norm = LayerNorm(out) if norm == "layer" else None
        self.instance, self.act = norm == "instance", act

    def forward(self, x: Tensor) -> Tensor:
        """The block."""
        x = self.conv(x)
        if self.instance:
            x = instance_norm(x)
        if self.norm is not None:
            x = self.norm(x)
        return F.leaky_relu(x, SLOPE) if self.act else x


def reflect_conv(
    channels: int, out: int, kernel: int, stride: int = 1, dilation: int = 1
) -> nn.Conv2d:
    """A convolution with bias whose border is the image reflected."""
    pad = dilation * (kernel - 1) // 2
    mode = "reflect" if pad else "zeros"
    return nn.Conv2d(channels, out, kernel, stride, pad, dilation, padding_mode=mode)


class ResidualBlock(nn.Module):
    """Two 3x3 blocks, the second without activation, added to the input; nothing after the sum.

    Args:
        channels: C.
        norm: as ``ConvBlock``.

    Shape:
        (N, C, h, w) -> (N, C, h, w).
    """

    def __init__(self, channels: int, norm: str):
        super().__init__()
        self.first = ConvBlock(channels, channels, 3, norm=norm)
        self.second = ConvBlock(channels, channels, 3, norm=norm, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """The block."""
        return x + self.second(self.first(x))


class AdaINBlock(nn.Module):
    """A residual block whose two norms get weights and biases from outside, as arguments.

    Args:
        channels: C.

    Shape:
        (N, C, h, w), weights and biases (N, 2, C): first and second convolution's.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.first = reflect_conv(channels, channels, 3)
        self.second = reflect_conv(channels, channels, 3)

    def forward(self, x: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
        """The block."""
        y = F.leaky_relu(adain(self.first(x), weights[:, 0], biases[:, 0]), SLOPE)
        return x + adain(self.second(y), weights[:, 1], biases[:, 1])


def init_kaiming(module: nn.Module) -> None:
    """Kaiming-normal (fan in, a = 0) weights and zero biases, for E_s, G and the MLPs."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(part.weight)
            nn.init.zeros_(part.bias)
