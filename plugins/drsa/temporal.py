"""Pooling over the frames of a tracklet: one temporal attention per part, or what it replaces.

Shapes: B tracklets, N frames, K parts, E numbers of an enhanced vector.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

POOLS = ("attn", "frame_attn", "mean", "max", "visibility")
SHARPNESS = 6.0  # of weights from visibility: a hidden part counts e^-6 of one that is seen


class TemporalPool(nn.Module):
    """The N vectors of each part joined to one.

    Weights start at zero, so an attention starts as the mean; frozen there, it stays the mean. The
    order of the frames does not matter, and any number of them will do.

    Args:
        parts: K.
        width: E.
        pool: "attn": the softmax over the frames of a linear response, with weights of its own for
            every part (the paper's); "frame_attn": one response, and one weight per frame, for all
            parts together; "mean"; "max" by component; "visibility": the softmax of 6 x how much
            of the part is seen on the frame, which is given (an oracle, not the paper's).

    Shape:
        vectors (B, N, K, E) -> (B, K, E).

    Raises:
        ValueError: unknown pool; visibility that is missing or of another shape.

    Source:
        DRSA, arXiv 1803.09882, 3.3. The start at zero is ours.

    Example:
        >>> vectors = torch.tensor([[[[1.0]], [[3.0]]]])
        >>> [TemporalPool(1, 1, pool)(vectors).item() for pool in ("attn", "mean", "max")]
        [2.0, 2.0, 3.0]
    """

    def __init__(self, parts: int, width: int, pool: str = "attn"):
        super().__init__()
        if pool not in POOLS:
            raise ValueError(f"pool must be one of {POOLS}, got {pool!r}")
        self.pool = pool
        if pool in ("attn", "frame_attn"):
            self.weight = nn.Parameter(torch.zeros(parts, width))
            self.bias = nn.Parameter(torch.zeros(parts))

    def weights(self, vectors: Tensor, visibility: Tensor | None = None) -> Tensor:
        """Weight of every frame for every part, (B, N, K), each part's sum over the frames 1.

        Args:
            vectors: (B, N, K, E).
            visibility: (B, N, K) in [0, 1], for the pool of that name.
        """
        frames, parts = vectors.shape[1:3]
        if self.pool == "visibility":
            if visibility is None or visibility.shape != vectors.shape[:3]:
                raise ValueError(
                    f"pool 'visibility' wants it as {tuple(vectors.shape[:3])}, got "
                    f"{None if visibility is None else tuple(visibility.shape)}"
                )
            return (SHARPNESS * visibility.float()).softmax(1)
        if not hasattr(self, "weight"):
            return vectors.new_full((len(vectors), frames, parts), 1 / frames)
        wide = vectors if vectors.dtype == torch.float64 else vectors.float()
        response = torch.einsum("bnke,ke->bnk", wide, self.weight.to(wide)) + self.bias.to(wide)
        if self.pool == "frame_attn":
            response = response.sum(2, keepdim=True).expand(-1, -1, parts)
        return response.softmax(1)

    def forward(self, vectors: Tensor, visibility: Tensor | None = None) -> Tensor:
        """Pool over the frames; see ``weights``."""
        if self.pool == "max":
            return vectors.amax(1)
        if self.pool == "mean":
            return vectors.mean(1)
        return torch.einsum("bnk,bnke->bke", self.weights(vectors, visibility).to(vectors), vectors)
