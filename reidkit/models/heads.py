"""Heads of the field: from features to an embedding and identity logits."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.models.weights import Loaded, load_weights
from reidkit.registry import HEADS
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch, pick_feature


@HEADS.register_module()
class BNNeckHead(nn.Module):
    """One vector, batch-normalised before a bias-free classifier: the strong baseline.

    In training losses see the vector before the norm, where metric losses shape it, and logits of
    the one after it. The test compares the one after it.

    Args:
        features: specs of what the backbone gives. Supplied by the framework.
        num_identities: number K of training identities. Supplied by the framework.
        feature: name of the feature that is taken; None: the backbone's default. Maps are pooled,
            tokens averaged, a vector (a class token) is taken as it is.
        pool: "avg" or "max" over a map or tokens.
        test: which vector the test compares: "after" the norm or "before" it.
        classifier: "linear" gives "logits"; "cosine" gives "cosines" of vector and class weights,
            for losses with an angular margin, which ask for them by that name.
        pretrained: path of a file whose neck is loaded, where it has one (fast-reid's
            ``heads.bottleneck.0``, TransReID's and CLIP-ReID's ``bottleneck``, our ``neck``);
            without one the norm starts as no change at all. None does not look.

    Shape:
        feature (N, C, h, w), (N, L, C) or (N, C) -> embedding.vectors (N, 1, C); logits or cosines
        (N, 1, K) in training.

    Raises:
        ValueError: an option outside the above; no such feature.

    Source:
        Luo et al., "Bag of Tricks", arXiv 1903.07071, section 3.5 (BNNeck).

    Example:
        >>> import torch
        >>> head = BNNeckHead({"map": FeatureSpec(8, 16)}, num_identities=5)
        >>> out = head({"map": torch.rand(4, 8, 6, 2)}, ReIDBatch(torch.zeros(4, 3, 8, 8)))
        >>> out.embedding.vectors.shape, out.outputs["logits"].shape
        (torch.Size([4, 1, 8]), torch.Size([4, 1, 5]))
    """

    gives: tuple[str, ...] = ("vectors", "logits")

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        num_identities: int,
        feature: str | None = None,
        pool: str = "avg",
        test: str = "after",
        classifier: str = "linear",
        pretrained: str | None = None,
    ):
        super().__init__()
        for option, value, known in (
            ("pool", pool, ("avg", "max")),
            ("test", test, ("after", "before")),
            ("classifier", classifier, ("linear", "cosine")),
        ):
            if value not in known:
                raise ValueError(f"BNNeckHead {option} must be one of {known}, got {value!r}")
        self.feature = pick_feature(features, "map", "tokens", "vector", name=feature)
        self.pool, self.test = pool, test
        self.output = "cosines" if classifier == "cosine" else "logits"
        self.gives = ("vectors", self.output)
        channels = self.width = features[self.feature].channels
        self.neck = nn.BatchNorm1d(channels)
        self.neck.bias.requires_grad_(False)
        self.classifier = nn.Linear(channels, num_identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)
        self.loaded: Loaded | None = None
        if pretrained is not None:
            optional = lambda name: True  # noqa: E731
            self.loaded = load_weights(
                self, pretrained, optional=optional, part="neck", rename=_necks
            )

    def classifier_parameters(self) -> list[nn.Parameter]:
        """The parameters that belong to the training identities."""
        return list(self.classifier.parameters())

    def forward(self, features: dict[str, Tensor], batch: ReIDBatch) -> HeadOutput:
        """Pool, normalise, and classify in training; the batch is not looked at."""
        before = pooled(features[self.feature], self.pool)
        after = self.neck(before)
        if not self.training:
            return HeadOutput(Embedding((after if self.test == "after" else before).unsqueeze(1)))
        if self.output == "cosines":
            scores = F.linear(F.normalize(after), F.normalize(self.classifier.weight))
        else:
            scores = self.classifier(after)
        return HeadOutput(Embedding(before.unsqueeze(1)), {self.output: scores.unsqueeze(1)})


def _necks(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with the necks of others under our name."""
    pattern = re.compile(r"^(heads\.bottleneck\.0|bottleneck)\.")
    return {pattern.sub("neck.", name): tensor for name, tensor in tensors.items()}


@HEADS.register_module()
class FCHead(nn.Module):
    """One vector through a layer of its own (linear, batch norm, ReLU) before the classifier.

    The embedding of OSNet, and of torchreid's networks whose names end in "_fc512"; its names are
    theirs. Losses see the vector after the ReLU, and the test compares it.

    Args:
        features: specs of what the backbone gives. Supplied by the framework.
        num_identities: number K of training identities. Supplied by the framework.
        dim: numbers D of the embedding.
        feature: name of the feature that is taken; None: the backbone's default. Maps are pooled,
            tokens averaged, a vector (a class token) is taken as it is.
        pool: "avg" or "max" over a map or tokens.
        pretrained: path of a file whose ``fc.0`` and ``fc.1`` are loaded, mostly the one that the
            backbone starts from; None starts from random weights.

    Shape:
        feature (N, C, h, w), (N, L, C) or (N, C) -> embedding.vectors (N, 1, D); logits (N, 1, K)
        in training.

    Raises:
        ValueError: an option outside the above; no such feature.
        UserError: ``pretrained`` is missing or does not fit.

    Source:
        Zhou et al., arXiv 1905.00953, Table 1 (the row "fc").

    Example:
        >>> import torch
        >>> head = FCHead({"map": FeatureSpec(8, 16)}, num_identities=5, dim=6)
        >>> out = head({"map": torch.rand(4, 8, 6, 2)}, ReIDBatch(torch.zeros(4, 3, 8, 8)))
        >>> out.embedding.vectors.shape, out.outputs["logits"].shape
        (torch.Size([4, 1, 6]), torch.Size([4, 1, 5]))
    """

    gives = ("vectors", "logits")

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        num_identities: int,
        dim: int = 512,
        feature: str | None = None,
        pool: str = "avg",
        pretrained: str | None = None,
    ):
        super().__init__()
        if pool not in ("avg", "max"):
            raise ValueError(f"FCHead pool must be 'avg' or 'max', got {pool!r}")
        self.feature = pick_feature(features, "map", "tokens", "vector", name=feature)
        self.pool, self.width = pool, dim
        linear = nn.Linear(features[self.feature].channels, dim)
        self.fc = nn.Sequential(linear, nn.BatchNorm1d(dim), nn.ReLU())
        self.classifier = nn.Linear(dim, num_identities)
        for layer in (linear, self.classifier):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        self.loaded: Loaded | None = None
        if pretrained is not None:
            self.loaded = load_weights(self, pretrained, part="fc")

    def classifier_parameters(self) -> list[nn.Parameter]:
        """The parameters that belong to the training identities."""
        return list(self.classifier.parameters())

    def forward(self, features: dict[str, Tensor], batch: ReIDBatch) -> HeadOutput:
        """Pool, embed, and classify in training; the batch is not looked at."""
        vectors = self.fc(pooled(features[self.feature], self.pool))
        embedding = Embedding(vectors.unsqueeze(1))
        if not self.training:
            return HeadOutput(embedding)
        return HeadOutput(embedding, {"logits": self.classifier(vectors).unsqueeze(1)})


def pooled(feature: Tensor, pool: str = "avg") -> Tensor:
    """A map, tokens or a vector as one vector for each image.

    Args:
        feature: (N, C, h, w), (N, L, C) or (N, C).
        pool: "avg" or "max".

    Shape:
        returns (N, C).
    """
    if feature.ndim == 4:
        pooling = F.adaptive_avg_pool2d if pool == "avg" else F.adaptive_max_pool2d
        return pooling(feature, 1).flatten(1)
    if feature.ndim == 3:
        return feature.mean(1) if pool == "avg" else feature.amax(1)
    return feature
