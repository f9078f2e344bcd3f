"""K spatial attention models: on each frame, each gives one map, and gates the features by it.

Shapes: M frames, K parts, D channels, h w cells of the feature map, L = h * w cells, d hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

INITS = ("random", "stripes")
START = 2.0  # logit inside a started map's band, -2 outside: of four bands 95 % lie inside
OUTSIDE = 30.0  # what a fixed stripe's logit is lowered by outside


class IndependentAttention(nn.Module):
    """K attention models that share nothing: two 1x1 convolutions each.

    Args:
        channels: D.
        parts: K.
        hidden: d, width between the two convolutions.
        init: "random", or "stripes": a logit is added to every cell, learned for each part and each
            of K horizontal bands, and it starts such that map k lies on band k.

    Shape:
        features (M, D, h, w) -> logits (M, K, h, w).

    Raises:
        ValueError: unknown init.

    Source:
        DRSA, arXiv 1803.09882, 3.2: e = w'_k . relu(W_k f + b_k) + b'_k, d = 256. The start of the
        weights is not stated; maps start uneven, but spread out: at equal maps the diversity term
        has no gradient. Departure: "stripes", since from random maps the identity loss of a short
        run finds no body parts; the paper's maps know nothing of where a cell lies.

    Example:
        >>> model = IndependentAttention(2048, parts=6)
        >>> sum(p.numel() for p in model.parameters())
        3148806
    """

    def __init__(self, channels: int, parts: int, hidden: int = 256, init: str = "random"):
        super().__init__()
        if init not in INITS:
            raise ValueError(f"init must be one of {INITS}, got {init!r}")
        self.place = nn.Parameter(START * (2 * torch.eye(parts) - 1)) if init == "stripes" else None
        self.hidden = nn.Conv2d(channels, parts * hidden, 1)
        self.logits = nn.Conv2d(parts * hidden, parts, 1, groups=parts)
        nn.init.kaiming_normal_(self.hidden.weight, nonlinearity="relu")
        nn.init.normal_(self.logits.weight, std=0.5 / hidden**0.5)
        for layer in (self.hidden, self.logits):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Logits of every part at every cell."""
        logits = self.logits(self.hidden(features).relu())
        if self.place is None:
            return logits
        bands = band_of_rows(features.shape[2], len(self.place), features.device)
        return logits + self.place[:, bands, None].to(logits)  # (K, h, 1)


class FixedStripes(nn.Module):
    """K horizontal bands of equal height in place of learned maps; nothing is trained.

    Args:
        channels: not used.
        parts: K.

    Shape:
        features (M, D, h, w) -> logits (M, K, h, w).

    Source:
        Not of the paper: what parts are worth when their maps are given.

    Example:
        >>> maps = log_maps(FixedStripes(16, parts=2)(torch.zeros(1, 16, 4, 1))).exp()
        >>> maps[0].round(decimals=3).tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """

    def __init__(self, channels: int, parts: int):
        super().__init__()
        self.parts = parts

    def forward(self, features: Tensor) -> Tensor:
        """Logits of every part at every cell."""
        height, width = features.shape[2:]
        bands = band_of_rows(height, self.parts, features.device)
        inside = bands == torch.arange(self.parts, device=features.device)[:, None]
        logits = torch.where(inside, 0.0, -OUTSIDE)
        return logits[None, :, :, None].expand(len(features), -1, -1, width)


def band_of_rows(height: int, parts: int, device: torch.device | None = None) -> Tensor:
    """Which of ``parts`` bands each row of a map lies in.

    Example:
        >>> band_of_rows(8, 3).tolist()
        [0, 0, 0, 1, 1, 1, 2, 2]
    """
    return torch.arange(height, device=device) * parts // height


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


VARIANTS: dict[str, type[nn.Module]] = {
    "independent": IndependentAttention,
    "shared": SharedAttention,
    "stripes": FixedStripes,
}
