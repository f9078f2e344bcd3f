"""The jigsaw patch module: local vectors of shuffled groups of patches, and what they learn from.

Shape letters: N images, L patches, k groups, D dims, K identities.
"""

from __future__ import annotations

import copy

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from reidkit.registry import HEADS, LOSSES
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch, pick_feature


def jigsaw(count: int, groups: int, shift: int) -> Tensor:
    """Which patches form each group: all shifted by some, then shuffled, then cut.

    Shifted, patches stand in a table of ``groups`` rows; its columns, one after the other, are the
    shuffled order. Each group is a run of it, so that it holds patches from all over the image.
    Where patches do not divide evenly, some are taken twice.

    Args:
        count: number L of patches.
        groups: number k of groups.
        shift: patches that move from the front to the end.

    Shape:
        returns (k, ceil(L / k)) int64.

    Source:
        He et al., arXiv 2102.04378, 3.2. Departure: it does not say what happens where k does not
        divide L.

    Example:
        >>> jigsaw(8, groups=2, shift=1)  # shifted 1 2 3 4 / 5 6 7 0, read by columns
        tensor([[1, 5, 2, 6],
                [3, 7, 4, 0]])
    """
    size = -(-count // groups)
    shifted = (torch.arange(groups * size) + shift) % count
    return shifted.view(groups, size).T.reshape(groups, size)


@HEADS.register_module()
class JigsawHead(nn.Module):
    """A global vector, and a local one of each jigsaw group; every one has its own BNNeck.

    The class token goes with each group of patches through one more block, which all groups share:
    a copy of the backbone's last one where the spec of the tokens brings it, else a new one. In
    training the embedding is the global vector before its norm, and the local ones are outputs of
    their own. The test compares all of them.

    Args:
        features: specs of what the backbone gives: tokens, and class tokens, of which one named
            "shared" goes with the groups. Supplied by the framework.
        num_identities: number K of training identities. Supplied by the framework.
        groups: number k of local vectors.
        shift: by how many patches the sequence is shifted.
        test: which vectors the test compares: "after" the norms or "before" them.

    Shape:
        tokens (N, L, D), class tokens (N, D) -> in training vectors (N, 1, D), logits (N, 1, K),
        local_vectors (N, k, D), local_logits (N, k, K); at the test vectors (N, 1 + k, D).

    Raises:
        ValueError: fewer than one group, or another ``test``; a backbone without tokens.

    Source:
        He et al., arXiv 2102.04378, 3.2, k = 4 and shift 5. BNNeck: Luo et al., arXiv 1903.07071.

    Example:
        >>> tokens, token = FeatureSpec(64, kind="tokens"), FeatureSpec(64, kind="vector")
        >>> head = JigsawHead({"tokens": tokens, "class": token}, num_identities=5)
        >>> out = head({"tokens": torch.rand(2, 8, 64), "class": torch.rand(2, 64)}, None)
        >>> {name: tuple(one.shape) for name, one in out.outputs.items()}
        {'logits': (2, 1, 5), 'local_vectors': (2, 4, 64), 'local_logits': (2, 4, 5)}
    """

    gives = ("vectors", "logits", "local_vectors", "local_logits")

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        num_identities: int,
        groups: int = 4,
        shift: int = 5,
        test: str = "after",
    ):
        super().__init__()
        if groups < 1 or test not in ("after", "before"):
            raise ValueError(f"groups >= 1, test 'after' or 'before'; got {groups} and {test!r}")
        self.tokens = pick_feature(features, "tokens")
        self.whole = pick_feature(features, "vector")
        self.shared = "shared" if "shared" in features else self.whole
        spec = features[self.tokens]
        dims = self.width = spec.channels  # what losses see of the embedding
        self.groups, self.shift, self.test = groups, shift, test
        rest = getattr(spec, "rest", None)
        self.local = copy.deepcopy(rest) if rest is not None else _block(dims)
        self.necks = nn.ModuleList(nn.BatchNorm1d(dims) for _ in range(1 + groups))
        self.classifiers = nn.ModuleList(
            nn.Linear(dims, num_identities, bias=False) for _ in range(1 + groups)
        )
        for neck, classifier in zip(self.necks, self.classifiers, strict=True):
            neck.bias.requires_grad_(False)
            nn.init.normal_(classifier.weight, std=0.001)

    def classifier_parameters(self) -> list[nn.Parameter]:
        """The parameters that belong to the training identities."""
        return list(self.classifiers.parameters())

    def forward(self, features: dict[str, Tensor], batch: ReIDBatch | None) -> HeadOutput:
        """Global and local vectors, and their logits in training; the batch is not looked at."""
        parts = [features[self.whole], *self.local_vectors(features).unbind(1)]
        normed = [neck(part) for neck, part in zip(self.necks, parts, strict=True)]
        if not self.training:
            return HeadOutput(Embedding(torch.stack(normed if self.test == "after" else parts, 1)))
        pairs = zip(self.classifiers, normed, strict=True)
        logits = torch.stack([classifier(one) for classifier, one in pairs], 1)  # (N, 1 + k, K)
        outputs = {
            "logits": logits[:, :1],
            "local_vectors": torch.stack(parts[1:], 1),
            "local_logits": logits[:, 1:],
        }
        return HeadOutput(Embedding(parts[0][:, None]), outputs)

    def local_vectors(self, features: dict[str, Tensor]) -> Tensor:
        """The class token after the shared block, once with each group of patches: (N, k, D)."""
        tokens, shared = features[self.tokens], features[self.shared]
        order = jigsaw(tokens.shape[1], self.groups, self.shift).to(tokens.device)
        pieces = tokens[:, order]  # (N, k, L / k, D)
        lead = shared[:, None, None].expand(-1, self.groups, 1, -1)
        rows = torch.cat([lead, pieces], 2).flatten(0, 1)
        return self.local(rows)[:, 0].unflatten(0, (-1, self.groups))


def _block(dims: int) -> nn.Module:
    """A new transformer block with heads of 64 dims, or one head, and its norm."""
    heads = dims // 64 if dims % 64 == 0 else 1
    return nn.Sequential(Block(dims, heads, qkv_bias=True), nn.LayerNorm(dims))


@LOSSES.register_module()
class JigsawLoss(nn.Module):
    """Identity and triplet loss of every local vector, averaged over them.

    Args:
        margin: of the triplet loss; None takes the soft margin, as published.
        normalize: whether the triplet loss brings vectors to length 1 first.

    Shape:
        local_vectors (N, k, D), local_logits (N, k, K) float; identities (N,) int64 in [0, K);
        returns ().

    Source:
        He et al., arXiv 2102.04378, Eq. 4, second part; the first is that of the global vector.

    Example:
        >>> vectors, logits = torch.zeros(2, 3, 4), torch.zeros(2, 3, 5)
        >>> JigsawLoss()(vectors, logits, torch.tensor([0, 1]))  # no pairs to compare: log 5
        tensor(1.6094)
    """

    def __init__(self, margin: float | None = None, normalize: bool = False):
        super().__init__()
        triplet = dict(type="BatchHardTripletLoss", margin=margin, normalize=normalize)
        self.identity = LOSSES.build(dict(type="CrossEntropyLoss"))
        self.triplet = LOSSES.build(triplet)

    def forward(self, local_vectors: Tensor, local_logits: Tensor, identities: Tensor) -> Tensor:
        """The mean over the groups."""
        pairs = zip(local_vectors.split(1, 1), local_logits.split(1, 1), strict=True)
        losses = [self.triplet(v, identities) + self.identity(z, identities) for v, z in pairs]
        return torch.stack(losses).mean()
