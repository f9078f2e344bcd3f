"""K spatial attention models: on each frame, each gives one map, and gates the features by it.

Shapes: M frames, K parts, D channels, h w cells of the feature map, L = h * w cells, d hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class IndependentAttention(nn.Module):
    """K attention models that share nothing: two 1x1 convolutions each.

    Args:
        channels: D.
        parts: K.
        hidden: d, width between the two convolutions.

    Shape:
        features (M, D, h, w) -> logits (M, K, h, w).

    Source:
        DRSA, arXiv 1803.09882, 3.2: e = w'_k . relu(W_k f + b_k) + b'_k, d = 256. The start of the
        weights is not stated; maps start uneven, but spread out: at equal maps the diversity term
        has no gradient.

    Example:
        >>> model = IndependentAttention(2048, parts=6)
        >>> sum(p.numel() for p in model.parameters())
        3148806
    """

    def __init__(self, channels: int, parts: int, hidden: int = 256):
        super().__init__()
        self.hidden = nn.Conv2d(channels, parts * hidden, 1)
        self.logits = nn.Conv2d(parts * hidden, parts, 1, groups=parts)
        nn.init.kaiming_normal_(self.hidden.weight, nonlinearity="relu")
        nn.init.normal_(self.logits.weight, std=0.5 / hidden**0.5)
        for layer in (self.hidden, self.logits):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Logits of every part at every cell."""
        return self.logits(self.hidden(features).relu())


class SharedAttention(nn.Sequential):
    """One trunk for all parts, with batch norm also on the logits: the released module.

    Args:
        channels: D.
        parts: K.
        hidden: d, width of the trunk.

    Shape:
        features (M, D, h, w) -> logits (M, K, h, w).

    Source:
        The authors' released code, which is not the architecture of the paper's text: no biases,
        batch norm after both convolutions, d = 64, Kaiming fan-out.

    Example:
        >>> model = SharedAttention(2048, parts=6)
        >>> sum(p.numel() for p in model.parameters())
        131596
    """

    def __init__(self, channels: int, parts: int, hidden: int = 64):
        super().__init__(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, parts, 1, bias=False),
            nn.BatchNorm2d(parts),
        )
        for layer in (self[0], self[3]):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")  # type: ignore[arg-type]


def log_maps(logits: Tensor) -> Tensor:
    """Logarithms of the attention maps: softmax over the cells of each part, in float32 or wider.

    Shape:
        logits (M, K, h, w) -> (M, K, L).

    Example:
        >>> log_maps(torch.zeros(1, 2, 2, 2)).exp()
        tensor([[[0.2500, 0.2500, 0.2500, 0.2500],
                 [0.2500, 0.2500, 0.2500, 0.2500]]])
    """
    flat = logits.flatten(2)
    return (flat if flat.dtype == torch.float64 else flat.float()).log_softmax(2)


def gate(maps: Tensor, features: Tensor) -> Tensor:
    """Gated features x[m, k] = sum over cells of S[m, k, l] f[m, l]: a sum, not a mean.

    One batched product; the released code expands the features to (M, K, D, h, w) first.

    Shape:
        maps (M, K, L), features (M, D, h, w) -> (M, K, D).

    Example:
        >>> features = torch.tensor([[[[1.0, 3.0]]]])
        >>> gate(torch.tensor([[[0.5, 0.5], [0.0, 1.0]]]), features)
        tensor([[[2.],
                 [3.]]])
    """
    return torch.bmm(maps.to(features.dtype), features.flatten(2).transpose(1, 2))


VARIANTS = {"independent": IndependentAttention, "shared": SharedAttention}
