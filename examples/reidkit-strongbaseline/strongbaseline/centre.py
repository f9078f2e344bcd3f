"""Centre loss: every identity has a centre, and its images are drawn towards it.

Shape letters: N images, P parts, D dims, K identities.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reidkit.registry import LOSSES


@LOSSES.register_module()
class CentreLoss(nn.Module):
    """Half the squared distance of every vector to the centre of its identity, averaged.

    The centres follow the vectors: after each training step, the centre of an identity that is in
    the batch moves by ``rate`` times the sum of (vector - centre) over its n images, divided by
    1 + n. They are weights that belong to the training identities, without gradient.

    Args:
        num_identities: number K of training identities. Supplied by the framework.
        width: numbers P * D of the head's embedding. Supplied by the framework.
        rate: how fast centres follow, 0 (never) to 1.

    Shape:
        vectors (N, P, D) float; identities (N,) int64; returns ().

    Raises:
        ValueError: ``rate`` outside [0, 1]; vectors of another length.

    Source:
        Wen et al., ECCV 2016, Eq. 2 and 4; weight 0.0005 in Luo et al., arXiv 1903.07071, 3.6.

    Example:
        >>> loss = CentreLoss(num_identities=2, width=2, rate=0.5)
        >>> vectors = torch.tensor([[[2.0, 0.0]], [[4.0, 0.0]]])
        >>> loss(vectors, torch.tensor([1, 1]))  # centres start at zero: (4 + 16) / 2 / 2
        tensor(5.)
        >>> loss.centres[1]  # 0.5 * (2 + 4) / (1 + 2)
        tensor([1., 0.])
    """

    def __init__(self, num_identities: int, width: int, rate: float = 0.5):
        super().__init__()
        if not 0 <= rate <= 1:
            raise ValueError(f"CentreLoss rate must be in [0, 1], got {rate}")
        self.rate = rate
        self.centres = nn.Parameter(torch.zeros(num_identities, width), requires_grad=False)

    def classifier_parameters(self) -> list[nn.Parameter]:
        """The parameters that belong to the training identities."""
        return [self.centres]

    def forward(self, vectors: Tensor, identities: Tensor) -> Tensor:
        """The loss; centres move afterwards, in training."""
        joined = vectors.flatten(1).to(self.centres.dtype)
        if joined.shape[1] != self.centres.shape[1]:
            raise ValueError(
                f"CentreLoss keeps centres of {self.centres.shape[1]} numbers, the width that the "
                f"head says, but its vectors have {joined.shape[1]}"
            )
        gaps = joined - self.centres[identities]
        if self.training:
            self._follow(gaps.detach(), identities)
        return gaps.square().sum(1).mean() / 2

    @torch.no_grad()
    def _follow(self, gaps: Tensor, identities: Tensor) -> None:
        counts = torch.bincount(identities, minlength=len(self.centres))
        moves = torch.zeros_like(self.centres).index_add_(0, identities, gaps)
        self.centres += self.rate * moves / (1 + counts)[:, None]
