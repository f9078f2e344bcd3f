"""Losses on the scores of a batch against itself.

Shape letters: N images.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidkit.registry import LOSSES


@LOSSES.register_module()
class ScoreTripletLoss(nn.Module):
    """The least similar image of the same identity must score above the most similar other one.

    For every image: its lowest score with another image of its identity, its highest one with an
    image of another identity, hinged at the margin; averaged over the images. An image without a
    positive or a negative adds 0. ``accuracy`` is the share of images whose hardest positive
    scores at least as high as the hardest negative.

    Args:
        margin: in units of the score. Scores have about standard deviation 1 at the start, so a
            margin of 16 is first reached by growing the last normalisation's factor.

    Shape:
        scores (N, N) float, larger is closer; identities (N,) int64; returns ().

    Source:
        QAConv-GS, arXiv 2104.01546, section 3; numbers as in the released code (2.1).

    Example:
        >>> scores = torch.tensor([[5., 3, 1, -2], [3, 5, 2, 0], [1, 2, 5, 4], [-2, 0, 4, 5]])
        >>> ScoreTripletLoss()(scores, torch.tensor([0, 0, 1, 1]))  # mean of 14, 15, 14, 12
        tensor(13.7500)
    """

    def __init__(self, margin: float = 16.0):
        super().__init__()
        self.margin = margin
        self.accuracy: Tensor | None = None

    def forward(self, scores: Tensor, identities: Tensor) -> Tensor:
        """The loss of one batch."""
        positive, negative = hardest(scores, identities)
        self.accuracy = (positive >= negative).float().mean().detach()
        return (self.margin - positive + negative).relu().mean()


def hardest(scores: Tensor, identities: Tensor) -> tuple[Tensor, Tensor]:
    """Each image's lowest score with its own identity, itself left out, and highest with others.

    Shape:
        scores (N, N), identities (N,); returns (N,) and (N,), inf and -inf where there is none.
    """
    same = identities[:, None] == identities
    other = ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    lowest = scores.masked_fill(~(same & other), torch.inf).amin(1)
    return lowest, scores.masked_fill(same, -torch.inf).amax(1)


@LOSSES.register_module()
class PairwiseMatchingLoss(nn.Module):
    """Every pair of the batch is one yes-or-no question: the same identity or not.

    Binary cross-entropy of the scores, summed over the partners of an image (itself included, as
    a positive) and averaged over the images. ``accuracy`` is the share of images whose hardest
    positive scores above the hardest negative.

    Shape:
        scores (N, N) float, larger is closer; identities (N,) int64; returns ().

    Source:
        Version 2.0 of QAConv's released code, with Graph Sampling.

    Example:
        >>> scores = torch.tensor([[5., 3, 1, -2], [3, 5, 2, 0], [1, 2, 5, 4], [-2, 0, 4, 5]])
        >>> PairwiseMatchingLoss()(scores, torch.tensor([0, 0, 1, 1]))
        tensor(2.1702)
    """

    def __init__(self) -> None:  # closes the signature of nn.Module for the registry
        super().__init__()
        self.accuracy: Tensor | None = None

    def forward(self, scores: Tensor, identities: Tensor) -> Tensor:
        """The loss of one batch."""
        positive, negative = hardest(scores.detach(), identities)
        self.accuracy = (positive > negative).float().mean()
        same = (identities[:, None] == identities).to(scores.dtype)
        losses = F.binary_cross_entropy_with_logits(scores, same, reduction="none")
        return losses.sum(1).mean()
