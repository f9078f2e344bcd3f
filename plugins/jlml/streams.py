"""The local branch: horizontal stripes, one stream for each, run side by side.

Shapes: N images, S stripes, C channels, h w feature cells (h of the whole image).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from reidkit.errors import UserError


def cut_stripes(maps: Tensor, stripes: int) -> Tensor:
    """Cut a map into horizontal stripes and put them side by side as channels, top stripe first.

    Args:
        maps: of whole images.
        stripes: number of equal stripes S.

    Shape:
        (N, C, h, w) -> (N, S * C, h / S, w): channels of stripe 1, then of stripe 2, ...

    Raises:
        UserError: h is no multiple of the stripes.

    Example:
        >>> cut_stripes(torch.arange(4.0).view(1, 1, 4, 1), 2).flatten().tolist()
        [0.0, 1.0, 2.0, 3.0]
        >>> cut_stripes(torch.zeros(2, 32, 112, 112), 4).shape
        torch.Size([2, 128, 28, 112])
    """
    height = maps.shape[2]
    if height % stripes:
        raise UserError(
            f"a map of {height} rows cannot be cut into {stripes} equal stripes; choose an input "
            f"height (input.size) for which the rows are a multiple of {stripes}"
        )
    return torch.cat(maps.chunk(stripes, dim=2), dim=1)  # keeps the memory format, as views do not


def join_stripes(maps: Tensor, stripes: int) -> Tensor:
    """The inverse of ``cut_stripes``: stripes from channels back to their place in the image.

    Shape:
        (N, S * C, h / S, w) -> (N, C, h, w).

    Example:
        >>> maps = torch.rand(2, 3, 8, 5)
        >>> bool((join_stripes(cut_stripes(maps, 4), 4) == maps).all())
        True
    """
    return torch.cat(maps.chunk(stripes, dim=1), dim=2)


class LocalStreams(nn.Module):
    """S networks of one structure and separate parameters, one on each stripe, as one network.

    Args:
        stem: runs on the whole map before it is cut; empty where the low-level layers are shared.
        body: the streams' layers, built for S streams.
        stripes: number of stripes S.

    Shape:
        (N, C, h, w) -> (N, D, h', w'): row block s of the result comes from stream s alone.

    Source:
        JLML, arXiv 1705.04724, 3.1. The streams are S groups of one convolution; see
        ``unrolled`` for the plain loop.
    """

    def __init__(self, stem: nn.Sequential, body: nn.Sequential, stripes: int):
        super().__init__()
        self.stem, self.body, self.stripes = stem, body, stripes

    def forward(self, maps: Tensor) -> Tensor:
        """All streams at once."""
        return join_stripes(self.body(cut_stripes(self.stem(maps), self.stripes)), self.stripes)

    def unrolled(self) -> LoopedStreams:
        """The same streams, with copies of the parameters, as a plain loop."""
        bodies = [self._one(stream) for stream in range(self.stripes)]
        return LoopedStreams(copy.deepcopy(self.stem), bodies)

    def _one(self, stream: int) -> nn.Sequential:
        """The body of one stream as a network of its own."""
        body = copy.deepcopy(self.body)
        for module in body.modules():
            if isinstance(module, nn.Conv2d):
                module.groups = 1
                module.in_channels //= self.stripes
                module.out_channels //= self.stripes
            elif isinstance(module, nn.BatchNorm2d):
                module.num_features //= self.stripes
            for name, parameter in list(module.named_parameters(recurse=False)):
                own = parameter.detach().chunk(self.stripes)[stream].clone()
                setattr(module, name, nn.Parameter(own))
            for name, buffer in list(module.named_buffers(recurse=False)):
                if buffer.ndim:
                    setattr(module, name, buffer.chunk(self.stripes)[stream].clone())
        return body


class LoopedStreams(nn.Module):
    """The plain way: stream after stream. What ``LocalStreams`` is compared with.

    Args:
        stem: as in ``LocalStreams``.
        bodies: one network for each stripe, top to bottom.
    """

    def __init__(self, stem: nn.Sequential, bodies: list[nn.Sequential]):
        super().__init__()
        self.stem, self.bodies = stem, nn.ModuleList(bodies)

    def forward(self, maps: Tensor) -> Tensor:
        """As ``LocalStreams.forward``."""
        stripes = self.stem(maps).chunk(len(self.bodies), dim=2)
        return torch.cat([b(s) for b, s in zip(self.bodies, stripes, strict=True)], dim=2)
