"""Heads: global and stripe pooling, part aligned pooling (PAP), and part segmentation (PS).

Shapes: N images, C channels, h w feature cells, P parts, D dims, K identities.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from reidkit.config.ranges import COUNT
from reidkit.registry import HEADS
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch, pick_feature

from .embedding import PartEmbedding
from .pooling import masked_max, masked_mean, stripe_pool


class PartHead(nn.Module):
    """What the three identity heads share: a ``PartEmbedding`` on the map's pooled vectors."""

    gives: tuple[str, ...] = ("vectors", "logits")

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        num_identities: int,
        parts: int,
        dim: int,
        pool: str,
        feature: str | None = None,
    ):
        super().__init__()
        if pool not in ("max", "avg"):
            raise ValueError(f'pool must be "max" or "avg", got {pool!r}')
        self.pool, self.parts = pool, parts
        self.map_name = pick_feature(features, "map", name=feature)
        self.embedding = PartEmbedding(features[self.map_name].channels, parts, dim, num_identities)

    def classifier_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that belong to the identities: all that is new in cluster-and-fine-tune."""
        return self.embedding.classifier.parameters()

    def _output(self, pooled: Tensor, visibility: Tensor | None) -> HeadOutput:
        vectors, logits = self.embedding(pooled)
        outputs = {} if logits is None else {"logits": logits}
        return HeadOutput(Embedding(vectors, visibility), outputs)


@HEADS.register_module()
class GlobalHead(PartHead):
    """One embedding of the globally pooled map: the paper's GlobalPool baseline.

    Args:
        features: what the backbone gives. Supplied by the framework.
        num_identities: number K of training identities. Supplied by the framework.
        dim: width D of the embedding.
        pool: "max" or "avg" over all cells.
        feature: name of the map that is taken; None: the backbone's default map.

    Shape:
        map (N, C, h, w); embedding (N, 1, D), logits (N, 1, K) in training, None in evaluation.

    Raises:
        ValueError: unknown pool.

    Source:
        EANet, arXiv 1812.11369, 4.2.

    Example:
        >>> import torch
        >>> head = GlobalHead({"layer4": FeatureSpec(16, 16)}, num_identities=5)
        >>> head({"layer4": torch.rand(2, 16, 4, 2)}, None).embedding.vectors.shape
        torch.Size([2, 1, 512])
    """

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        num_identities: int,
        dim: int = 512,
        pool: str = "max",
        feature: str | None = None,
    ):
        super().__init__(features, num_identities, 1, dim, pool, feature)

    def forward(self, maps: dict[str, Tensor], batch: ReIDBatch | None) -> HeadOutput:
        """Pool the deepest map and embed it; the batch is not looked at."""
        return self._output(stripe_pool(maps[self.map_name], 1, self.pool), None)


@HEADS.register_module()
class PCBHead(PartHead):
    """One embedding per horizontal stripe (part-based convolutional baseline), with max pooling.

    Args:
        features: what the backbone gives. Supplied by the framework.
        num_identities: number K of training identities. Supplied by the framework.
        stripes: number of equal stripes P; the map's height must be a multiple of it.
        dim: width D of each embedding.
        pool: "max" (as published in EANet) or "avg" (as in the original PCB).
        feature: name of the map that is taken; None: the backbone's default map.

    Shape:
        map (N, C, h, w); embedding (N, P, D), logits (N, P, K) in training, None in evaluation.

    Raises:
        ValueError: unknown pool; h is no multiple of the stripes.

    Source:
        EANet, arXiv 1812.11369, 3.1 and 4.2: its re-implementation of PCB (arXiv 1711.09349).

    Example:
        >>> import torch
        >>> head = PCBHead({"layer4": FeatureSpec(16, 16)}, num_identities=5)
        >>> head({"layer4": torch.rand(2, 16, 24, 8)}, None).outputs["logits"].shape
        torch.Size([2, 6, 5])
    """

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        num_identities: int,
        stripes: int = 6,
        dim: int = 256,
        pool: str = "max",
        feature: str | None = None,
    ):
        super().__init__(features, num_identities, stripes, dim, pool, feature)

    def forward(self, maps: dict[str, Tensor], batch: ReIDBatch | None) -> HeadOutput:
        """Pool the deepest map by stripes and embed them; the batch is not looked at."""
        return self._output(stripe_pool(maps[self.map_name], self.parts, self.pool), None)


@HEADS.register_module()
class PAPHead(PartHead):
    """One embedding per body region: part aligned pooling.

    An invisible region is pooled to the zero vector; its embedding is then the same for every
    image, and the matcher and the loss leave it out by the visibility.

    Args:
        features: what the backbone gives. Supplied by the framework.
        num_identities: number K of training identities. Supplied by the framework.
        regions: number of parts P: 6 or 9; the first ones of the batch's masks are used.
        dim: width D of each embedding.
        pool: "max" (all published numbers) or "avg".

    Shape:
        map (N, C, h, w) with no value below 0, fields masks (N, R, h, w), R >= P, and
        visibility (N, R); embedding (N, P, D) with visibility (N, P), logits (N, P, K) in
        training, None in evaluation.

    Raises:
        ValueError: unknown pool; a batch without masks, with too few, or of another size than
            the map.

    Source:
        EANet, arXiv 1812.11369, 3.1.

    Example:
        >>> import torch
        >>> head = PAPHead({"layer4": FeatureSpec(16, 16)}, num_identities=5)
        >>> batch = ReIDBatch(torch.zeros(2, 3, 384, 128)).with_fields(
        ...     masks=torch.ones(2, 9, 24, 8) > 0, visibility=torch.ones(2, 9))
        >>> head({"layer4": torch.rand(2, 16, 24, 8)}, batch).embedding.vectors.flatten(1).shape
        torch.Size([2, 2304])
    """

    gives = ("vectors", "logits", "visibility")
    asks = ("masks", "visibility")
    ranges = {"regions": COUNT}

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        num_identities: int,
        regions: int = 9,
        dim: int = 256,
        pool: str = "max",
    ):
        super().__init__(features, num_identities, regions, dim, pool)

    def forward(self, maps: dict[str, Tensor], batch: ReIDBatch) -> HeadOutput:
        """Pool the deepest map over the batch's region masks and embed every region."""
        if "masks" not in batch or "visibility" not in batch:
            raise ValueError(
                "PAPHead: the batch has no region masks; add eanet/RegionMasks to the transforms"
            )
        masks = batch["masks"]
        if masks.shape[1] < self.parts:
            raise ValueError(
                f"PAPHead: regions={self.parts}, but the batch has {masks.shape[1]} masks"
            )
        masked_pool = masked_max if self.pool == "max" else masked_mean
        pooled = masked_pool(maps[self.map_name], masks[:, : self.parts])
        return self._output(pooled, batch["visibility"][:, : self.parts])


@HEADS.register_module()
class PartSegHead(nn.Module):
    """Predicts body-part labels at twice the resolution of the deepest map (part segmentation, PS).

    Transposed convolution (3x3, stride 2), BatchNorm, ReLU, 1x1 convolution. An auxiliary head:
    training only, no embedding.

    Args:
        features: what the backbone gives. Supplied by the framework.
        parts: number of labels K, background included.
        dim: width of the hidden map. None: an eighth of the map's channels, at least 64, which is
            the published 256 on 2048 channels.
        map_size: (h, w) of the map in cells. Supplied by the framework.

    Shape:
        map (N, C, h, w); logits (N, K, 2h, 2w) in training, None in evaluation.

    Source:
        EANet, arXiv 1812.11369, 3.2. Departure: the paper names only the two convolutions; like
        the released code we put BatchNorm and ReLU between them. Both start from N(0, 0.001).

    Example:
        >>> import torch
        >>> head = PartSegHead({"layer4": FeatureSpec(16, 16)})
        >>> head({"layer4": torch.rand(2, 16, 24, 8)}, None).outputs["logits"].shape
        torch.Size([2, 8, 48, 16])
    """

    gives = ("logits",)
    ranges = {"parts": COUNT}

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        parts: int = 8,
        dim: int | None = None,
        map_size: tuple[int, int] = (24, 8),
    ):
        super().__init__()
        self.label_sizes = {"part_map": (2 * map_size[0], 2 * map_size[1])}
        self.map_name = pick_feature(features, "map")
        channels = features[self.map_name].channels
        dim = max(64, channels // 8) if dim is None else dim
        self.deconv = nn.ConvTranspose2d(
            channels,
            dim,
            kernel_size=3,
            stride=2,
            padding=1,
            output_padding=1,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(dim)
        self.conv = nn.Conv2d(dim, parts, kernel_size=1)
        nn.init.normal_(self.deconv.weight, std=0.001)
        nn.init.normal_(self.conv.weight, std=0.001)
        nn.init.zeros_(self.conv.bias)

    def forward(self, maps: dict[str, Tensor], batch: ReIDBatch | None) -> HeadOutput:
        """Part logits of the deepest map; the batch is not looked at."""
        if not self.training:
            return HeadOutput()
        hidden = self.norm(self.deconv(maps[self.map_name])).relu()
        return HeadOutput(outputs={"logits": self.conv(hidden)})
