"""What the logits are trained on."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.registry import LOSSES


@LOSSES.register_module()
class MypaperLoss(nn.Module):
    """Identity classification at a temperature.

    Args:
        temperature: divides the logits; lower is sharper. None: the setting
            ``mypaper.temperature``.
        settings: the settings of the run. Supplied by the framework.

    Shape:
        logits (N, P, K) float; identities (N,) int64 in [0, K); returns ().

    Example:
        >>> import torch
        >>> MypaperLoss(temperature=0.5)(torch.tensor([[[1.0, 0.0]]]), torch.tensor([0]))
        tensor(0.1269)
    """

    def __init__(self, temperature: float | None = None, settings: Mapping | None = None):
        super().__init__()
        if temperature is None:
            temperature = (settings or {}).get("mypaper", {}).get("temperature", 1.0)
        self.temperature = temperature

    def forward(self, logits: Tensor, identities: Tensor) -> Tensor:
        """The mean over images and parts."""
        parts = logits.shape[1]
        flat = logits.flatten(0, 1) / self.temperature
        return F.cross_entropy(flat, identities.repeat_interleave(parts))
