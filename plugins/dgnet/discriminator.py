"""D, the discriminator: real or made, patch by patch, at three scales.

Shapes: N images, H W pixels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .layers import ConvBlock, ResidualBlock

SCALES = 3


class Discriminator(nn.Module):
    """The same small network, with weights of its own, on the image and two halvings of it.

    Args:
        dim: width; 32 in the paper.
        std: of the normal distribution that the weights start from; 0.02 as released.

    Shape:
        images (N, 3, H, W), normalised -> three maps (N, 1, H / 4, W / 4), then half and a quarter
        of that.

    Source:
        DG-Net, arXiv 1904.07223, and the released code: no norm, weights from N(0, 0.02), biases 0,
        so that the outputs start at about 0. At a width of 8 a signal fades to nothing on its way
        through such weights, and thousands of iterations teach D next to nothing: 0.1 there.

    Example:
        >>> import torch
        >>> [tuple(m.shape[2:]) for m in Discriminator(8)(torch.rand(2, 3, 256, 128))]
        [(64, 32), (32, 16), (16, 8)]
    """

    def __init__(self, dim: int = 32, std: float = 0.02):
        super().__init__()
        self.scales = nn.ModuleList(_one_scale(dim) for _ in range(SCALES))
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.normal_(part.weight, std=std)
                nn.init.zeros_(part.bias)

    def forward(self, images: Tensor) -> list[Tensor]:
        """One map per scale, finest first."""
        maps = []
        for number, net in enumerate(self.scales):
            if number:
                images = F.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
            maps.append(net(images))
        return maps


def _one_scale(dim: int) -> nn.Sequential:
    return nn.Sequential(
        ConvBlock(3, dim, 1),
        ConvBlock(dim, dim, 3),
        ConvBlock(dim, dim, 3, stride=2),
        ConvBlock(dim, dim, 3),
        ConvBlock(dim, 2 * dim, 3, stride=2),
        *(ResidualBlock(2 * dim, "none") for _ in range(4)),
        ConvBlock(2 * dim, 1, 1, act=False),
    )
