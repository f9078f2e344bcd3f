"""The two feature layers and their classifiers.

Shapes: N images, B branches (global, local), S stripes, C channels, D dims, K identities.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidkit.registry import HEADS
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch, pick_feature

from .sparsity import share_off


class Branch(nn.Module):
    """The feature layer of one branch and, with a loss of its own, its classifier.

    Args:
        stripes: number of stripes S whose means come in; 1 for the global branch.
        channels: channels C of each.
        dim: width D of the feature.
        num_identities: number K of training identities; 0 for no classifier.
        fc_bn_relu: batch norm and ReLU after the layer.

    Shape:
        pooled (N, S, C) -> feature (N, D).
    """

    def __init__(
        self, stripes: int, channels: int, dim: int, num_identities: int, fc_bn_relu: bool
    ):
        super().__init__()
        self.stripes = stripes
        self.feature = nn.Linear(stripes * channels, dim)
        self.after = (
            nn.Sequential(nn.BatchNorm1d(dim), nn.ReLU(inplace=True))
            if fc_bn_relu
            else nn.Identity()
        )
        self.classifier = nn.Linear(dim, num_identities) if num_identities else None
        nn.init.normal_(self.feature.weight, std=0.01)
        nn.init.zeros_(self.feature.bias)
        if self.classifier is not None:
            _init_classifier(self.classifier)

    @property
    def weight(self) -> Tensor:
        """The feature layer (D, S, C): one column for each input, grouped by stripe."""
        return self.feature.weight.unflatten(1, (self.stripes, -1))

    def forward(self, pooled: Tensor) -> Tensor:
        """The feature, not normalised."""
        return self.after(self.feature(pooled.flatten(1)))


def _init_classifier(classifier: nn.Linear) -> None:
    nn.init.normal_(classifier.weight, std=0.001)
    nn.init.zeros_(classifier.bias)


@HEADS.register_module()
class JLMLHead(nn.Module):
    """One feature for each branch of the backbone, and one loss for each or one for both.

    The global map is averaged whole, the local one stripe by stripe; the means of all stripes go
    into one feature. Of a backbone without the maps "global" and "local", the deepest map is taken
    as the global one.

    Args:
        features: name -> width and stride of the backbone's maps. Supplied by the framework.
        num_identities: number K of training identities. Supplied by the framework.
        dim: width D of each feature.
        loss: "multi": a classifier for each branch, which nothing joins; "uni": one classifier on
            both features side by side (the control).
        fc_bn_relu: batch norm and ReLU after each feature layer. The paper does not say; the
            default leaves the layer on which the sparsity acts bare.

    Shape:
        embedding.vectors (N, B, D), global first; in evaluation each at length 1. logits (N, B, K),
        or (N, 1, K) for "uni", in training. layers, in training: "global" (D, 1, C) and "local"
        (D, S, C), of the branches that there are. Logged in training: ``global_off`` and
        ``local_off``, see `share_off`.

    Raises:
        ValueError: unknown ``loss``.

    Source:
        JLML, arXiv 1705.04724, 3.1 and 3.4. Features start from N(0, 0.01), classifiers from
        N(0, 0.001), biases at 0.

    Example:
        >>> head = JLMLHead({"global": FeatureSpec(16, 32)}, num_identities=5, dim=8)
        >>> out = head({"global": torch.rand(2, 16, 4, 2)}, None)
        >>> out.embedding.vectors.shape, out.outputs["layers"]["global"].shape
        (torch.Size([2, 1, 8]), torch.Size([8, 1, 16]))
    """

    gives = ("vectors", "logits", "layers")

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        num_identities: int,
        dim: int = 512,
        loss: str = "multi",
        fc_bn_relu: bool = False,
    ):
        super().__init__()
        if loss not in ("multi", "uni"):
            raise ValueError(f"JLMLHead: loss must be 'multi' or 'uni', got {loss!r}")
        self.maps = {name: name for name in ("global", "local") if name in features}
        self.maps = self.maps or {"global": pick_feature(features, "map")}
        own = num_identities if loss == "multi" else 0
        self.branches = nn.ModuleDict()
        for branch, name in self.maps.items():
            stripes = getattr(features[name], "stripes", 1)
            self.branches[branch] = Branch(stripes, features[name].channels, dim, own, fc_bn_relu)
        self.classifier = None
        if loss == "uni":
            self.classifier = nn.Linear(len(self.maps) * dim, num_identities)
            _init_classifier(self.classifier)

    def classifier_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that belong to the training identities."""
        for module in (self, *self.branches.values()):
            if module.classifier is not None:
                yield from module.classifier.parameters()

    def feature_weights(self) -> dict[str, Tensor]:
        """The feature layers (D, S, C) by branch, for sparsity."""
        return {name: branch.weight for name, branch in self.branches.items()}

    def forward(self, maps: dict[str, Tensor], batch: ReIDBatch | None) -> HeadOutput:
        """Pool, embed and, in training, classify; the batch is not looked at."""
        vectors = {
            name: branch(_stripe_means(maps[self.maps[name]], branch.stripes))
            for name, branch in self.branches.items()
        }
        joined = torch.stack(list(vectors.values()), 1)  # [N,B,D]
        if not self.training:
            return HeadOutput(Embedding(F.normalize(joined, dim=2)))
        if self.classifier is not None:
            logits = self.classifier(joined.flatten(1))[:, None]
        else:
            own = [branch.classifier(vectors[name]) for name, branch in self.branches.items()]
            logits = torch.stack(own, 1)
        layers = self.feature_weights()
        off = {f"{name}_off": joined.new_tensor(share_off(w)) for name, w in layers.items()}
        return HeadOutput(Embedding(joined), {"logits": logits, "layers": layers}, off)


def _stripe_means(maps: Tensor, stripes: int) -> Tensor:
    """Mean over each of ``stripes`` equal row blocks: (N, C, h, w) -> (N, S, C)."""
    return maps.unflatten(2, (stripes, -1)).mean((3, 4)).transpose(1, 2)
