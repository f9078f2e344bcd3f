"""What the streams are made of: bottleneck blocks in stages, for one stream or several at once.

A module for S streams holds S networks that share nothing: convolutions have S groups, and batch
norm is by channel anyway. Shapes: N images, C channels of one stream, h w feature cells.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn


def first_conv(width: int, kernel: int) -> nn.Sequential:
    """The low-level layer: convolution of stride 2, batch norm, ReLU."""
    conv = nn.Conv2d(3, width, kernel, stride=2, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut, each with batch norm.

    Attribute names are torchvision's, so that its weights fit where the shapes do.

    Args:
        channels: channels that come in.
        planes: channels of the first two convolutions.
        out: channels that go out.
        stride: of the block.
        project: a convolution in the shortcut; wanted where stride or channels change.
        stride_on: "1x1" (the original, Caffe) or "3x3" (torchvision): which convolution has it.
        streams: number of streams side by side; all widths are those of one.

    Shape:
        (N, streams * channels, h, w) -> (N, streams * out, h / stride, w / stride), rounded up.

    Source:
        He et al., arXiv 1512.03385, Fig. 5.
    """

    def __init__(
        self,
        channels: int,
        planes: int,
        out: int,
        stride: int = 1,
        project: bool = True,
        stride_on: str = "1x1",
        streams: int = 1,
    ):
        super().__init__()
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)

        def conv(wide_in: int, wide_out: int, kernel: int, step: int) -> nn.Conv2d:
            wide = (streams * wide_in, streams * wide_out)
            return nn.Conv2d(*wide, kernel, step, kernel // 2, groups=streams, bias=False)

        self.conv1 = conv(channels, planes, 1, first)
        self.bn1 = nn.BatchNorm2d(streams * planes)
        self.conv2 = conv(planes, planes, 3, second)
        self.bn2 = nn.BatchNorm2d(streams * planes)
        self.conv3 = conv(planes, out, 1, 1)
        self.bn3 = nn.BatchNorm2d(streams * out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if project:
            norm = nn.BatchNorm2d(streams * out)
            self.downsample = nn.Sequential(conv(channels, out, 1, stride), norm)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, not below zero."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + shortcut)


def stages(
    channels: int,
    width: int,
    expansion: int,
    blocks: Sequence[int],
    strides: Sequence[int],
    stride_on: str,
    streams: int = 1,
    first: int = 2,
) -> tuple[OrderedDict[str, nn.Module], int]:
    """Stages conv2_x, conv3_x, ... by name, each twice as wide as the one before.

    The first block of every stage has a projection in its shortcut.

    Args:
        channels: channels that come in, of one stream.
        width: planes of the first stage, of one stream.
        expansion: channels out of a block for each of its planes.
        blocks: number of blocks in each stage.
        strides: stride of each stage.
        stride_on, streams: see ``Bottleneck``.
        first: number of the first stage.

    Returns:
        The stages, and the channels that go out of the last one, of one stream.
    """
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (count, stride) in enumerate(zip(blocks, strides, strict=True)):
        planes = width * 2**number
        stage = nn.Sequential()
        for block in range(count):
            first_block = block == 0
            step, out = stride if first_block else 1, expansion * planes
            stage.append(Bottleneck(channels, planes, out, step, first_block, stride_on, streams))
            channels = out
        stages[f"conv{number + first}_x"] = stage
    return stages, channels


def initialise(module: nn.Module) -> None:
    """Draw every convolution by the rule of He et al., each stream as if it stood alone."""
    for conv in module.modules():
        if isinstance(conv, nn.Conv2d):
            for own in conv.weight.chunk(conv.groups):  # groups would hide the true fan-out
                nn.init.kaiming_normal_(own, mode="fan_out", nonlinearity="relu")
