"""The diversity of the K maps of a frame: Hellinger Q, and the text embeddings' Q'.

Shapes: M frames, K parts, L cells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reidkit.registry import LOSSES

PENALTIES = ("Q", "Q'")
REDUCTIONS = ("frame_sq", "frame_sqrt", "batch_sqrt")
EPS = 1e-5


@LOSSES.register_module()
class DiversityLoss(nn.Module):
    """How much the K attention maps of a frame overlap.

    Q = ||R R^T - I||_F^2 with R the roots of the maps: the off-diagonal entries are the
    Bhattacharyya coefficients of pairs, 1 - H^2 for the Hellinger distance H. Q forbids overlap and
    is indifferent to the maps' size. Q' = ||S S^T - I||_F^2 also pushes every map towards one cell.

    Args:
        penalty: "Q", or "Q'" of self-attentive sentence embeddings.
        reduction: "frame_sq": mean of Q over the frames; "frame_sqrt": mean of sqrt(Q + 1e-5),
            whose gradient keeps its size however small the overlap is, so that maps go on
            shrinking;
            "batch_sqrt": sqrt of the sum over the whole batch + 1e-5, which grows with the batch.

    Shape:
        attention (M, K, L), logarithms of maps that sum to 1; returns ().

    Raises:
        ValueError: unknown penalty or reduction.

    Source:
        DRSA, arXiv 1803.09882, 3.2; Q' of arXiv 1703.03130. The paper has squared Q times an
        unstated coefficient ("frame_sq"; the configs take 0.1); the released code's first commit is
        "frame_sqrt", its last "batch_sqrt", both with coefficient 1.

    Example:
        >>> maps = torch.tensor([[[.5, .5, 0, 0], [.5, .25, .25, 0]]])
        >>> values = [DiversityLoss(penalty)(maps.log()) for penalty in ("Q", "Q'")]
        >>> [round(v.item(), 4) for v in values]
        [1.4571, 0.9219]
    """

    def __init__(self, penalty: str = "Q", reduction: str = "frame_sq"):
        super().__init__()
        if penalty not in PENALTIES:
            raise ValueError(f"penalty must be one of {PENALTIES}, got {penalty!r}")
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}")
        self.penalty, self.reduction = penalty, reduction

    def forward(self, attention: Tensor) -> Tensor:
        """The loss of one batch."""
        per_frame = overlap(attention, 0.5 if self.penalty == "Q" else 1.0)
        if self.reduction == "frame_sq":
            return per_frame.mean()
        if self.reduction == "frame_sqrt":
            return (per_frame + EPS).sqrt().mean()
        return (per_frame.sum() + EPS).sqrt()


def overlap(attention: Tensor, power: float = 0.5) -> Tensor:
    """||S^p (S^p)^T - I||_F^2 of every frame.

    The power is taken of the logarithms: the derivative of the root of an underflowed 0 is
    infinite.

    Args:
        attention: logarithms of maps.
        power: p; 0.5 gives Q, 1 gives Q'.

    Shape:
        attention (M, K, L) -> (M,).

    Example:
        >>> overlap(torch.full((1, 6, 32), 1 / 32).log())
        tensor([30.0000])
    """
    roots = (power * attention).exp()
    eye = torch.eye(attention.shape[1], dtype=attention.dtype, device=attention.device)
    return (torch.bmm(roots, roots.transpose(1, 2)) - eye).square().sum((1, 2))


@torch.no_grad()
def statistics(attention: Tensor) -> dict[str, Tensor]:
    """What tells good maps from collapsed ones: mean overlap of pairs and mean effective size.

    Shape:
        attention (M, K, L) -> overlap () in [0, 1], mean Bhattacharyya coefficient of pairs of maps
        (0 for one map); map_size (), mean of exp(entropy), in cells.

    Example:
        >>> values = statistics(torch.full((1, 2, 4), 1 / 4).log())
        >>> {name: round(value.item(), 3) for name, value in values.items()}
        {'overlap': 1.0, 'map_size': 4.0}
    """
    wide = attention.double()
    roots = (0.5 * wide).exp()
    parts = attention.shape[1]
    pairs = torch.bmm(roots, roots.transpose(1, 2)).sum((1, 2)) - parts
    maps = wide.exp()
    entropy = -torch.where(maps > 0, maps * wide, 0.0).sum(2)
    return dict(
        overlap=(pairs / max(1, parts * (parts - 1))).mean().float(),
        map_size=entropy.exp().mean().float(),
    )
