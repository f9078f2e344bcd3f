"""E_s, the structure encoder: what is left of a person in a small grey map.

Shapes: N images, H W pixels, d the encoder's width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .layers import ConvBlock, ResidualBlock, init_kaiming


def grey(images: Tensor) -> Tensor:
    """Plain mean of the three normalised channels; no luma formula.

    Shape:
        (N, 3, H, W) -> (N, 1, H, W).
    """
    return images.mean(1, keepdim=True)


class StructureEncoder(nn.Module):
    """Four convolutions, four residual blocks, and an atrous pyramid; instance norm throughout.

    The map keeps much more place than the appearance code does; were the input coloured, the
    decoder could ignore the appearance.

    Args:
        dim: width d; the code has 8 d channels. 16 in the paper.
        dilations: of the pyramid's three 3x3 branches, in cells; each must be smaller than the
            code's map: 128x64 is the smallest image for the default, 1, 2, 3 for 64x32.
        channels: of its input: 1, the image in grey (paper); 3, as it is: the control in which G
            ignores E_a; or those of a ``Scene``.

    Shape:
        images (N, 3, H, W), normalised, or a scene's (N, channels, H, W) -> (N, 8 d, H / 4, W / 4).

    Source:
        DG-Net, arXiv 1904.07223, 3.1 and the released code. Departure from the paper's text: the
        pyramid (ASPP) at the end is only in the code.

    Example:
        >>> StructureEncoder(4)(torch.rand(2, 3, 128, 64)).shape
        torch.Size([2, 32, 32, 16])
    """

    def __init__(self, dim: int = 16, dilations: Sequence[int] = (3, 6, 9), channels: int = 1):
        super().__init__()
        self.grey, self.dilations = channels == 1, tuple(dilations)
        self.convs = nn.Sequential(
            ConvBlock(channels, dim, 3, stride=2, norm="instance"),
            ConvBlock(dim, 2 * dim, 3, norm="instance"),
            ConvBlock(2 * dim, 2 * dim, 3, norm="instance"),
            ConvBlock(2 * dim, 4 * dim, 3, stride=2, norm="instance"),
            *(ResidualBlock(4 * dim, "instance") for _ in range(4)),
        )
        self.near = ConvBlock(4 * dim, 2 * dim, 1, norm="instance", act=False)
        self.far = nn.ModuleList(
            nn.Sequential(
                ConvBlock(4 * dim, 2 * dim, 1, norm="instance"),
                ConvBlock(2 * dim, 2 * dim, 3, dilation=d, norm="instance", act=False),
            )
            for d in dilations
        )
        self.join = ConvBlock(8 * dim, 8 * dim, 1, norm="instance", act=False)
        self.channels = 8 * dim
        init_kaiming(self)

    def forward(self, images: Tensor) -> Tensor:
        """The structure code."""
        x = self.convs(grey(images) if self.grey else images)
        return self.join(torch.cat([self.near(x), *(branch(x) for branch in self.far)], 1))
