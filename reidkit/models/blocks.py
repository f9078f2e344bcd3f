"""The residual blocks of ResNet, with torchvision's parameter names.

They are torchvision's in every number. They stand here because ``import torchvision.models`` costs
half as much as torch itself, and every check of a config builds a network.
"""

from __future__ import annotations

from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., arXiv 1512.03385, Fig. 5 left).

    Args:
        channels: of the input.
        planes: channels of the output.
        stride: of the first convolution.
        downsample: maps the input to the output's shape; None where they are alike.

    Shape:
        (N, channels, h, w) -> (N, planes, h / stride, w / stride).

    Example:
        >>> import torch
        >>> BasicBlock(4, 4)(torch.zeros(1, 4, 8, 8)).shape
        torch.Size([1, 4, 8, 8])
    """

    expansion = 1

    def __init__(
        self, channels: int, planes: int, stride: int = 1, downsample: nn.Module | None = None
    ):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut (Fig. 5 right); the 3x3 one has the stride.

    Args:
        channels: of the input.
        planes: channels of the 3x3 convolution; the output has four times as many.
        stride: of the 3x3 convolution, as torchvision has it (ResNet "v1.5").
        downsample: maps the input to the output's shape; None where they are alike.

    Shape:
        (N, channels, h, w) -> (N, 4 planes, h / stride, w / stride).
    """

    expansion = 4

    def __init__(
        self, channels: int, planes: int, stride: int = 1, downsample: nn.Module | None = None
    ):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)
