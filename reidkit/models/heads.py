"""Heads of the field: from feature maps to an embedding and identity logits."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.registry import HEADS
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch


@HEADS.register_module()
class BNNeckHead(nn.Module):
    """One pooled vector, batch-normalised before a bias-free classifier: the strong baseline.

    Args:
        features: specs of the backbone's maps; the deepest is used. Supplied by the framework.
        num_identities: number K of training identities. Supplied by the framework.
        pool: "avg" or "max" over the whole map.

    Shape:
        deepest map (N, C, h, w) -> embedding.vectors (N, 1, C); logits (N, 1, K) in training.

    Raises:
        ValueError: unknown ``pool``.

    Source:
        Luo et al., "Bag of Tricks", arXiv 1903.07071, section 3.5 (BNNeck).

    Example:
        >>> import torch
        >>> head = BNNeckHead({"map": FeatureSpec(8, 16)}, num_identities=5)
        >>> out = head({"map": torch.rand(4, 8, 6, 2)}, ReIDBatch(torch.zeros(4, 3, 8, 8)))
        >>> out.embedding.vectors.shape, out.logits.shape
        (torch.Size([4, 1, 8]), torch.Size([4, 1, 5]))
    """

    def __init__(self, features: dict[str, FeatureSpec], num_identities: int, pool: str = "avg"):
        super().__init__()
        if pool not in ("avg", "max"):
            raise ValueError(f"BNNeckHead pool must be 'avg' or 'max', got {pool!r}")
        self.map = list(features)[-1]
        self.pool = pool
        channels = self.width = features[self.map].channels
        self.neck = nn.BatchNorm1d(channels)
        self.neck.bias.requires_grad_(False)
        self.classifier = nn.Linear(channels, num_identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def classifier_parameters(self) -> list[nn.Parameter]:
        """The parameters that belong to the training identities."""
        return list(self.classifier.parameters())

    def forward(self, maps: dict[str, Tensor], batch: ReIDBatch) -> HeadOutput:
        """Pool the deepest map, normalise, and classify in training."""
        pooling = F.adaptive_avg_pool2d if self.pool == "avg" else F.adaptive_max_pool2d
        vector = self.neck(pooling(maps[self.map], 1).flatten(1))
        logits = self.classifier(vector).unsqueeze(1) if self.training else None
        return HeadOutput(Embedding(vector.unsqueeze(1)), logits)
