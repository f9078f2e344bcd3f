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
            logits.flatten(0, 1),
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
        distance: "euclidean", or "cosine": 1 minus the cosine.
        normalize: whether vectors are scaled to length 1 before the Euclidean distance.

    Shape:
        vectors (N, P, D) float; identities (N,) int64; returns ().

    Raises:
        ValueError: unknown distance.

    Source:
        Hermans et al., arXiv 1703.07737, Eq. 5 (batch hard); Euclidean distance, not squared.

    Example:
        >>> vectors = torch.tensor([[[0.0]], [[1.0]], [[1.5]], [[4.0]]])
        >>> BatchHardTripletLoss(margin=0.3)(vectors, torch.tensor([0, 0, 1, 1]))
        tensor(0.7750)
    """

    def __init__(
        self,
        margin: float | None = 0.3,
        distance: str = "euclidean",
        normalize: bool = False,
    ):
        super().__init__()
        if distance not in ("euclidean", "cosine"):
            raise ValueError(f"distance must be 'euclidean' or 'cosine', got {distance!r}")
        self.margin, self.distance, self.normalize = margin, distance, normalize

    def forward(self, vectors: Tensor, identities: Tensor) -> Tensor:
        """Mean over the anchors that have a positive and a negative."""
        x = vectors.flatten(1)
        if self.distance == "cosine":
            unit = F.normalize(x)
            distances = 1 - unit @ unit.T
        else:
            distances = euclidean(F.normalize(x) if self.normalize else x)
        positive, negative = hardest_pairs(distances, identities)
        if not len(positive):
            return distances.sum() * 0
        gap = positive - negative
        return (F.softplus(gap) if self.margin is None else F.relu(gap + self.margin)).mean()


def euclidean(x: Tensor) -> Tensor:
    """All pairs of rows, exactly: a matrix product loses the digits that near duplicates need.

    Shape:
        x (N, W) -> (N, N).
    """
    return torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")


def hardest_pairs(distances: Tensor, identities: Tensor) -> tuple[Tensor, Tensor]:
    """For every anchor, how far its farthest positive is, and its nearest negative.

    Args:
        distances: (N, N) of a batch against itself; smaller is closer.
        identities: (N,) int64.

    Returns:
        Two tensors (A,), of the A anchors that have another image of their identity and one of
        another identity, in the batch's order.

    Source:
        Hermans et al., arXiv 1703.07737, batch-hard mining.

    Example:
        >>> distances = torch.tensor([[0.0, 1, 5], [1, 0, 4], [5, 4, 0]])
        >>> hardest_pairs(distances, torch.tensor([7, 7, 8]))
        (tensor([1., 1.]), tensor([5., 4.]))
    """
    same = identities[:, None] == identities[None]
    positive = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    anchors = positive.any(1) & (~same).any(1)
    if not anchors.any():
        none = distances.new_empty(0)
        return none, none
    farthest = distances.masked_fill(~positive, -torch.inf).amax(1)[anchors]
    return farthest, distances.masked_fill(same, torch.inf).amin(1)[anchors]
