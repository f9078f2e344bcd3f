"""BNNeck: metric losses before a batch norm, identities and ranking after it.

Shape letters: N images, C channels, h w feature cells, K identities.
"""

from __future__ import annotations

from torch import Tensor, nn

from reidkit.registry import HEADS
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch


@HEADS.register_module()
class BNNeck(nn.Module):
    """Global average pooling, then a batch norm without shift before a bias-free classifier.

    In training the embedding is the pooled vector *before* the norm, for triplet and centre loss;
    logits come from after it. In evaluation the embedding is the vector after the norm, which the
    paper ranks by cosine.

    Args:
        features: specs of the backbone's maps; the deepest is used. Supplied by the framework.
        num_identities: number K of training identities. Supplied by the framework.

    Shape:
        deepest map (N, C, h, w) -> vectors (N, 1, C); logits (N, 1, K) in training.

    Source:
        Luo et al., arXiv 1903.07071, 3.5 and Fig. 5.

    Example:
        >>> import torch
        >>> head = BNNeck({"map": FeatureSpec(8, 16)}, num_identities=5)
        >>> out = head({"map": torch.ones(4, 8, 6, 2)}, None)
        >>> out.embedding.vectors[0, 0, 0].item(), out.logits.shape  # before the norm: still 1
        (1.0, torch.Size([4, 1, 5]))
    """

    def __init__(self, features: dict[str, FeatureSpec], num_identities: int):
        super().__init__()
        self.map = list(features)[-1]
        channels = features[self.map].channels
        self.norm = nn.BatchNorm1d(channels)
        self.norm.bias.requires_grad_(False)
        self.classifier = nn.Linear(channels, num_identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def classifier_parameters(self) -> list[nn.Parameter]:
        """The parameters that belong to the training identities."""
        return list(self.classifier.parameters())

    def forward(self, maps: dict[str, Tensor], batch: ReIDBatch | None) -> HeadOutput:
        """Pool, normalise, and classify in training."""
        pooled = maps[self.map].mean(dim=(2, 3))
        normed = self.norm(pooled)
        if not self.training:
            return HeadOutput(Embedding(normed[:, None]))
        return HeadOutput(Embedding(pooled[:, None]), self.classifier(normed)[:, None])
