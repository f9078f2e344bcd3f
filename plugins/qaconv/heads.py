"""The head: from the backbone's map to the map that is compared.

Shape letters: N images, C channels of the backbone, c channels of the head, h w feature cells.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from reidkit.registry import HEADS
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch, pick_feature


@HEADS.register_module()
class QAConvHead(nn.Module):
    """A 3x3 convolution to fewer channels, then every cell at length 1. There is no classifier.

    Values keep their sign, so the product of two cells is a cosine in [-1, 1].

    Args:
        features: name -> width and stride of the backbone's maps; the last one is used.
        dim: channels c of the map: 128 (1.0, 2.1) or 64 (1.1 to 2.0).
        norm: batch norm after the convolution in place of its bias (1.0 to 2.0).
        pool: "none", or "avg": the mean cell as a map of 1x1, with which QAConv is the cosine
            distance of global features up to a learned scale: what it is measured against.

    Shape:
        map (N, C, h, w) -> embedding.maps (N, c, h, w), or (N, c, 1, 1) pooled; no logits.

    Raises:
        ValueError: unknown pool.

    Source:
        QAConv, arXiv 1904.10424; sizes and bias as in the released code.

    Example:
        >>> import torch
        >>> head = QAConvHead({"layer3": FeatureSpec(1024, 16)})
        >>> maps = head({"layer3": torch.rand(2, 1024, 24, 8)}, None).embedding.maps
        >>> maps.shape, bool((maps.norm(dim=1) - 1).abs().max() < 1e-5)
        (torch.Size([2, 128, 24, 8]), True)
    """

    gives = ("maps",)

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        dim: int = 128,
        norm: bool = False,
        pool: str = "none",
    ):
        super().__init__()
        if pool not in ("none", "avg"):
            raise ValueError(f'QAConvHead: pool must be "none" or "avg", got {pool!r}')
        self.map_name, self.pool = pick_feature(features, "map"), pool
        self.conv = nn.Conv2d(features[self.map_name].channels, dim, 3, padding=1, bias=not norm)
        self.norm = nn.BatchNorm2d(dim) if norm else nn.Identity()

    def forward(self, maps: dict[str, Tensor], batch: ReIDBatch | None) -> HeadOutput:
        """The compared map of the deepest one; the batch is not looked at."""
        out = self.norm(self.conv(maps[self.map_name]))
        if self.pool == "avg":
            out = F.adaptive_avg_pool2d(out, 1)
        return HeadOutput(Embedding(maps=F.normalize(out, dim=1)))
