"""Networks as functions: with weights that no gradient reaches, or with activations computed again.

Shapes: N images, H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.func import functional_call

from .appearance import AppearanceEncoder


def frozen_call(net: nn.Module, *inputs: Tensor):
    """The network's output with gradients to its inputs only; its buffers stay as they are."""
    state = {name: p.detach() for name, p in net.named_parameters()}
    state |= {name: buffer.clone() for name, buffer in net.named_buffers()}
    return functional_call(net, state, inputs)


@contextmanager
def no_dropout(net: nn.Module) -> Iterator[None]:
    """Dropout off, everything else as it is."""
    parts = [m for m in net.modules() if isinstance(m, nn.Dropout) and m.training]
    for part in parts:
        part.eval()
    try:
        yield
    finally:
        for part in parts:
            part.train()


class CodeAndLogits(nn.Module):
    """E_a's code and primary logits in one call."""

    def __init__(self, encoder: AppearanceEncoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled map and the first head's logits, without dropout."""
        with no_dropout(self.encoder):
            pooled = self.encoder(images)
            return pooled, self.encoder.logits(pooled)[0]


def recomputed(function: Callable, *inputs: Tensor, active: bool = True):
    """``function(*inputs)``; when active, only the inputs are kept for backward.

    Random numbers are drawn again alike. For functions without state: a batch norm would count
    its images twice.
    """
    if not active:
        return function(*inputs)
    from torch.utils.checkpoint import checkpoint  # imports sympy with some versions of torch

    return checkpoint(function, *inputs, use_reentrant=False)
