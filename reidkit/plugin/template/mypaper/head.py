"""The embedding: one vector per image.

Shape letters: N images, C channels, h w feature cells, D dims, K identities.
"""

from __future__ import annotations

from torch import Tensor, nn

from reidkit.registry import HEADS
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch, pick_feature


@HEADS.register_module()
class MypaperHead(nn.Module):
    """One pooled and projected vector per image, with an identity classifier in training.

    Args:
        features: specs of what the backbone gives; its map is taken. Supplied by the framework.
        num_identities: number K of training identities. Supplied by the framework.
        dim: length D of the embedding.

    Shape:
        map (N, C, h, w) -> vectors (N, 1, D); logits (N, 1, K) in training.

    Example:
        >>> import torch
        >>> head = MypaperHead({"map": FeatureSpec(8, 16)}, num_identities=5, dim=4)
        >>> out = head({"map": torch.rand(2, 8, 6, 2)}, ReIDBatch(torch.zeros(2, 3, 96, 32)))
        >>> out.embedding.vectors.shape, out.outputs["logits"].shape
        (torch.Size([2, 1, 4]), torch.Size([2, 1, 5]))
    """

    gives = ("vectors", "logits")

    def __init__(self, features: dict[str, FeatureSpec], num_identities: int, dim: int = 256):
        super().__init__()
        self.map = pick_feature(features, "map")
        self.project = nn.Linear(features[self.map].channels, dim)
        self.norm = nn.BatchNorm1d(dim)
        self.classifier = nn.Linear(dim, num_identities, bias=False)

    def classifier_parameters(self) -> list[nn.Parameter]:
        """The parameters that belong to the training identities."""
        return list(self.classifier.parameters())

    def forward(self, features: dict[str, Tensor], batch: ReIDBatch) -> HeadOutput:
        """Pool the map, project, and classify in training; the batch is not looked at."""
        vector = self.norm(self.project(features[self.map].mean(dim=(2, 3))))
        embedding = Embedding(vector.unsqueeze(1))
        if not self.training:
            return HeadOutput(embedding)
        return HeadOutput(embedding, {"logits": self.classifier(vector).unsqueeze(1)})
