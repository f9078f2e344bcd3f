"""E_a, the appearance encoder: the re-id network, whose pooled map is also the appearance code.

Shapes: N images, C channels and h w cells of the backbone's map, D dims, K identities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.registry import BACKBONES, HEADS
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch, pick_feature

STRIPES = 4


class Bottleneck(nn.Module):
    """Linear, batch norm, dropout, linear: an embedding and its identity logits. There is no ReLU.

    Args:
        channels: width of the pooled vector.
        num_identities: K.
        dim: D.
        dropout: share of the embedding's numbers that are zeroed in training, 0 to 1.

    Shape:
        (N, channels) -> vector (N, D), before dropout, and logits (N, K).

    Source:
        DG-Net's code. Init: Kaiming fan out with bias 0; classes N(0, 0.001) with bias 0.
    """

    def __init__(self, channels: int, num_identities: int, dim: int = 512, dropout: float = 0.5):
        super().__init__()
        self.reduce = nn.Linear(channels, dim)
        self.norm = nn.BatchNorm1d(dim)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(dim, num_identities)
        nn.init.kaiming_normal_(self.reduce.weight, mode="fan_out")
        nn.init.normal_(self.classifier.weight, std=0.001)
        nn.init.zeros_(self.reduce.bias)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding and its logits."""
        vector = self.norm(self.reduce(pooled))
        return vector, self.classifier(self.dropout(vector))


@HEADS.register_module()
class BottleneckHead(nn.Module):
    """One pooled vector through a ``Bottleneck``: DG-Net's teacher ("avg") and baseline ("max").

    Logits are given in evaluation, too: a teacher is asked for them.

    Args:
        features: specs of the backbone's maps; the deepest is used. Supplied by the framework.
        num_identities: K. Supplied by the framework.
        dim: width D of the embedding.
        dropout: before the classifier.
        pool: "avg" or "max" over the whole map.

    Shape:
        deepest map (N, C, h, w) -> embedding (N, 1, D), logits (N, 1, K).

    Raises:
        ValueError: unknown pool.

    Source:
        DG-Net, arXiv 1904.07223, and the public baseline from which its teacher comes.

    Example:
        >>> head = BottleneckHead({"map": FeatureSpec(8, 16)}, num_identities=5, dim=4)
        >>> head({"map": torch.rand(3, 8, 4, 2)}, None).outputs["logits"].shape
        torch.Size([3, 1, 5])
    """

    gives = ("vectors", "logits")

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        num_identities: int,
        dim: int = 512,
        dropout: float = 0.5,
        pool: str = "avg",
    ):
        super().__init__()
        if pool not in ("avg", "max"):
            raise ValueError(f'pool must be "avg" or "max", got {pool!r}')
        self.map, self.pool = pick_feature(features, "map"), pool
        self.bottleneck = Bottleneck(features[self.map].channels, num_identities, dim, dropout)

    def classifier_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters that belong to the training identities."""
        return self.bottleneck.classifier.parameters()

    def forward(self, maps: dict[str, Tensor], batch: ReIDBatch | None) -> HeadOutput:
        """Pool the deepest map and embed it; the batch is not looked at."""
        pooling = F.adaptive_avg_pool2d if self.pool == "avg" else F.adaptive_max_pool2d
        vector, logits = self.bottleneck(pooling(maps[self.map], 1).flatten(1))
        return HeadOutput(Embedding(vector.unsqueeze(1)), {"logits": logits.unsqueeze(1)})


class AppearanceEncoder(nn.Module):
    """A backbone with two heads on its max-pooled vector; pooled in four stripes it is the code.

    Args:
        backbone: BACKBONES config; the deepest map is used and needs four rows at least.
        num_identities: K.
        dim: D of each head's embedding.
        dropout: of the primary and of the fine-grained head.
        upsample: factor by which images are enlarged (nearest) for this network alone; the
            released code takes 2 for images up to 128 pixels high.

    Shape:
        images (N, 3, H, W) normalised -> code (N, C, 4); vectors (N, 2, D); two logits (N, K).

    Source:
        DG-Net, arXiv 1904.07223, 3.1; max pooling for both, as released.

    Example:
        >>> net = AppearanceEncoder(dict(type="ResNet", depth=10, width=8), 5, dim=16)
        >>> pooled = net(torch.rand(2, 3, 128, 64))
        >>> pooled.shape, net.logits(pooled)[1].shape
        (torch.Size([2, 64, 4]), torch.Size([2, 5]))
    """

    def __init__(
        self,
        backbone: dict,
        num_identities: int,
        dim: int = 512,
        dropout: Sequence[float] = (0.5, 0.75),
        upsample: int = 1,
    ):
        super().__init__()
        self.backbone = BACKBONES.build(backbone)
        self.upsample = upsample
        self.map = pick_feature(self.backbone.specs, "map")
        self.channels = self.backbone.specs[self.map].channels
        self.heads = nn.ModuleList(
            Bottleneck(self.channels, num_identities, dim, share) for share in dropout
        )

    def forward(self, images: Tensor) -> Tensor:
        """The map of the images pooled in four stripes: the code, and all that the heads need."""
        if self.upsample > 1:
            images = F.interpolate(images, scale_factor=float(self.upsample), mode="nearest")
        features = self.backbone(images)[self.map]
        if features.shape[2] < STRIPES:
            raise ValueError(
                f"AppearanceEncoder: a map of {features.shape[2]} rows cannot be pooled in "
                f"{STRIPES} stripes; use larger images or smaller strides"
            )
        return F.adaptive_max_pool2d(features, (STRIPES, 1)).squeeze(3)

    def logits(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Identity logits of both heads, float32."""
        whole = pooled.amax(2)  # the max over the stripes is the max over the map
        first, second = (head(whole)[1].float() for head in self.heads)
        return first, second

    def vectors(self, pooled: Tensor) -> Tensor:
        """Embeddings of both heads (N, 2, D), float32."""
        whole = pooled.amax(2)
        return torch.stack([head(whole)[0].float() for head in self.heads], 1)

    def classifier_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters that belong to the training identities."""
        for head in self.heads:
            yield from head.classifier.parameters()
