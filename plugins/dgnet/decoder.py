"""G, the decoder: a structure map, and a code of appearance that enters as AdaIN parameters.

Shapes: N images, H W pixels, C width of the backbone's map, B = 4 blocks, c the decoder's width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import SLOPE, AdaINBlock, ConvBlock, init_kaiming

BLOCKS = 4


class CodeMLPs(nn.Module):
    """From the appearance code to the AdaIN weights and biases of every block.

    The code is cut into four slices, one per block; each slice has one MLP for the weights and one
    for the biases.

    Args:
        channels: C.
        out: c, the decoder's width; each MLP gives the two norms of its block, 2 c numbers.
        hidden: width of the two hidden layers.
        slices: "channel", as released: the code is flattened channel by channel (channel i, stripe
            p at 4 i + p) and cut, so slice k is a quarter of the *channels* with all four stripes.
            "stripe": slice k is stripe k with all channels. Both have the same parameters.

    Shape:
        code (N, C, 4) -> weights and biases, each (N, 4, 2, c).

    Raises:
        ValueError: unknown ``slices``.

    Source:
        DG-Net, arXiv 1904.07223, 3.1; the layout of the slices as in the released code.

    Example:
        >>> code = torch.arange(8.0).view(1, 2, 4)  # two channels, four stripes
        >>> CodeMLPs(2, 4, 8).slice(code).tolist(), CodeMLPs(2, 4, 8, "stripe").slice(code).tolist()
        ([[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]],
         [[[0.0, 4.0], [1.0, 5.0], [2.0, 6.0], [3.0, 7.0]]])
    """

    def __init__(self, channels: int, out: int, hidden: int = 512, slices: str = "channel"):
        super().__init__()
        if slices not in ("channel", "stripe"):
            raise ValueError(f'slices must be "channel" or "stripe", got {slices!r}')
        self.slices, self.out = slices, out
        self.weights = nn.ModuleList(_mlp(channels, hidden, 2 * out) for _ in range(BLOCKS))
        self.biases = nn.ModuleList(_mlp(channels, hidden, 2 * out) for _ in range(BLOCKS))
        init_kaiming(self)

    def slice(self, code: Tensor) -> Tensor:
        """The code cut for the blocks: (N, C, 4) -> (N, 4, C)."""
        if self.slices == "stripe":
            return code.transpose(1, 2)
        return code.flatten(1).view(len(code), BLOCKS, -1)

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """AdaIN weights and biases of all blocks."""
        parts = self.slice(code).unbind(1)
        shape = (len(code), BLOCKS, 2, self.out)
        weights = [mlp(part) for mlp, part in zip(self.weights, parts, strict=True)]
        biases = [mlp(part) for mlp, part in zip(self.biases, parts, strict=True)]
        return torch.stack(weights, 1).view(shape), torch.stack(biases, 1).view(shape)


def _mlp(channels: int, hidden: int, out: int) -> nn.Sequential:
    act = nn.LeakyReLU(SLOPE)
    first, second, last = (channels, hidden), (hidden, hidden), (hidden, out)
    return nn.Sequential(nn.Linear(*first), act, nn.Linear(*second), act, nn.Linear(*last))


class Decoder(nn.Module):
    """Four AdaIN blocks, two times nearest upsampling, and convolutions to a linear RGB output.

    AdaIN parameters are arguments, never state, so the decoder can run twice in one graph.

    Args:
        channels: c of the structure code; 128 in the paper.

    Shape:
        structure (N, c, H / 4, W / 4), weights and biases (N, 4, 2, c) -> (N, 3, H, W) in the space
        of the normalised images; there is no tanh.

    Source:
        DG-Net, arXiv 1904.07223, and the released code, which has five convolutions after the
        blocks where the paper names four.

    Example:
        >>> one = torch.ones(2, 4, 2, 32)
        >>> Decoder(32)(torch.rand(2, 32, 32, 16), one, one).shape
        torch.Size([2, 3, 128, 64])
    """

    def __init__(self, channels: int = 128):
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.blocks = nn.ModuleList(AdaINBlock(channels) for _ in range(BLOCKS))
        self.up1 = ConvBlock(channels, half, 5, norm="layer")
        self.up2 = ConvBlock(half, quarter, 5, norm="layer")
        self.out = nn.Sequential(
            ConvBlock(quarter, quarter, 3),
            ConvBlock(quarter, quarter, 3),
            ConvBlock(quarter, 3, 1, act=False),
        )
        init_kaiming(self)

    def forward(self, structure: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
        """The image."""
        x = structure
        for k, block in enumerate(self.blocks):
            x = block(x, weights[:, k], biases[:, k])
        x = self.up1(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = self.up2(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.out(x)
