"""Side information embeddings: what the network is told of an image beside its pixels.

Shape letters: N images, M cameras, D dims.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

UNKNOWN = ("mean", "zero")


class CameraEmbedding(nn.Module):
    """A learned vector for each training camera.

    A camera that training never saw has no vector of its own: it gets the mean of the table, an
    average camera, or zeros. Camera numbers count anew in every data set, so images of another
    domain than the one trained on are of unknown cameras, whatever their numbers are.

    Args:
        cameras: numbers of the M training cameras.
        dims: length D of a vector.
        domain: name of the domain that the cameras belong to.
        unknown: what other cameras get: "mean" or "zero".

    Shape:
        cameras (N,) int64, or None where they are not known -> (N, D).

    Raises:
        ValueError: another ``unknown``.

    Source:
        He et al., arXiv 2102.04378, 3.3. Departure: the paper tests under training cameras only.

    Example:
        >>> table = CameraEmbedding([3, 7], dims=2)
        >>> _ = table.vectors.data.copy_(torch.tensor([[1.0, 0.0], [3.0, 4.0]]))
        >>> table(torch.tensor([7, 3, 5]), count=3)
        tensor([[3., 4.],
                [1., 0.],
                [2., 2.]], grad_fn=<WhereBackward0>)
    """

    def __init__(
        self, cameras: Sequence[int], dims: int, domain: str = "source", unknown: str = "mean"
    ):
        super().__init__()
        if unknown not in UNKNOWN:
            raise ValueError(f"unknown must be one of {UNKNOWN}, got {unknown!r}")
        self.domain, self.unknown = domain, unknown
        self.register_buffer("numbers", torch.tensor(sorted(cameras), dtype=torch.int64))
        self.vectors = nn.Parameter(torch.empty(len(cameras), dims))
        nn.init.trunc_normal_(self.vectors, std=0.02)  # as position embeddings are

    def classifier_parameters(self) -> list[Tensor]:
        """What belongs to the training set: another run's cameras are not this one's."""
        return [self.numbers, self.vectors]

    def forward(self, cameras: Tensor | None, count: int, domain: str = "") -> Tensor:
        """The vectors of ``count`` images of a domain; without its name, it is the own one."""
        average = self._average().expand(count, -1)
        if cameras is None or not len(self.numbers) or domain not in ("", self.domain):
            return average
        places = torch.searchsorted(self.numbers, cameras).clamp(max=len(self.numbers) - 1)
        known = self.numbers[places] == cameras
        return torch.where(known[:, None], self.vectors[places], average)

    def _average(self) -> Tensor:
        if self.unknown == "zero" or not len(self.numbers):
            return self.vectors.new_zeros(self.vectors.shape[1])
        return self.vectors.mean(0)
