"""Losses of the field. A loss is only its formula; where and how much is its role in the config."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.registry import LOSSES


@LOSSES.register_module()
class CrossEntropyLoss(nn.Module):
    """Identity classification, averaged over the batch and summed over the parts.

    Args:
        label_smoothing: share of probability spread over all identities, in [0, 1).

    Shape:
        logits (N, P, K) float; identities (N,) int64 in [0, K); returns ().

    Raises:
        ValueError: ``label_smoothing`` outside [0, 1); logits of another shape.

    Example:
        >>> logits = torch.tensor([[[2.0, 0.0]], [[0.0, 1.0]]])
        >>> CrossEntropyLoss()(logits, torch.tensor([0, 1]))
        tensor(0.2201)
    """

    def __init__(self, label_smoothing: float = 0.0):
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1), got {label_smoothing}")
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, identities: Tensor) -> Tensor:
        """Mean over images, sum over parts."""
        if logits.ndim != 3 or len(logits) != len(identities):
            raise ValueError(
                f"CrossEntropyLoss wants identity logits (N, P, K) with N identities, got "
                f"{tuple(logits.shape)} and {tuple(identities.shape)}"
            )
        parts = logits.shape[1]
        flat = F.cross_entropy(
            logits.float().flatten(0, 1),
            identities.repeat_interleave(parts),
            label_smoothing=self.label_smoothing,
        )
        return flat * parts


@LOSSES.register_module()
class BatchHardTripletLoss(nn.Module):
    """Pull the farthest image of the same identity closer than the nearest of another.

    Parts are concatenated. Identities with one image in the batch contribute nothing.

    Args:
        margin: how much closer, in the distance's unit; None takes the soft margin log(1 + exp).
        normalize: whether vectors are scaled to length 1 first.

    Shape:
        vectors (N, P, D) float; identities (N,) int64; returns ().

    Source:
        Hermans et al., arXiv 1703.07737, Eq. 5 (batch hard); Euclidean distance, not squared.

    Example:
        >>> vectors = torch.tensor([[[0.0]], [[1.0]], [[1.5]], [[4.0]]])
        >>> BatchHardTripletLoss(margin=0.3)(vectors, torch.tensor([0, 0, 1, 1]))
        tensor(0.7750)
    """

    def __init__(self, margin: float | None = 0.3, normalize: bool = False):
        super().__init__()
        self.margin = margin
        self.normalize = normalize

    def forward(self, vectors: Tensor, identities: Tensor) -> Tensor:
        """Mean over the anchors that have a positive and a negative."""
        x = vectors.float().flatten(1)
        if self.normalize:
            x = F.normalize(x)
        # the exact path: the matrix-product path loses the digits that near duplicates need
        distance = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
        same = identities[:, None] == identities[None]
        positive = same & ~torch.eye(len(x), dtype=torch.bool, device=x.device)
        anchors = positive.any(1) & (~same).any(1)
        if not anchors.any():
            return distance.sum() * 0
        hardest = distance.masked_fill(~positive, -torch.inf).amax(1)[anchors]
        nearest = distance.masked_fill(same, torch.inf).amin(1)[anchors]
        gap = hardest - nearest
        return (F.softplus(gap) if self.margin is None else F.relu(gap + self.margin)).mean()
