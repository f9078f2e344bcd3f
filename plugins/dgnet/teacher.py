"""The teacher: a finished run that says which training identities a composite looks like.

Shapes: N images, H W pixels, K identities.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.data.transforms import Normalize
from reidkit.engine.load import load_run
from reidkit.errors import UserError
from reidkit.registry import TRANSFORMS

STYLES = ("soft", "argmax", "appearance", "uniform", "pair")


class Teacher:
    """A run's model, frozen and always in evaluation mode; no part of the student's state.

    Args:
        run: folder of a finished run whose head gives logits in evaluation, as
            ``dgnet/BottleneckHead`` does.
        num_identities: K of the student, which must be the teacher's.
        normalize: the student's ``Normalize``; the teacher must have been trained with the same.

    Raises:
        UserError: other identities, other normalisation, or a model without logits.

    Source:
        DG-Net, arXiv 1904.07223, 3.2. Departure: dropout is off and batch norm uses running
        statistics; in the released code the teacher is in training mode by mistake.
    """

    def __init__(self, run: str, num_identities: int, normalize: Normalize):
        loaded = load_run(run)
        model = loaded.model
        if not hasattr(model, "backbone") or not hasattr(model, "head"):
            raise UserError(f"teacher {run}: {type(model).__name__} has no backbone and head")
        steps = [dict(s) for s in loaded.cfg.model.transforms["test"] if s["type"] == "Normalize"]
        theirs = [TRANSFORMS.build(step) for step in steps]
        if not theirs or not all(
            torch.equal(getattr(theirs[-1], part), getattr(normalize, part))
            for part in ("scale", "shift")
        ):
            raise UserError(f"teacher {run}: trained with another Normalize than this model's")
        self.net: nn.Module = model.eval().requires_grad_(False)
        found = self._logits(torch.zeros(1, 3, *loaded.cfg.input.size))
        if found.shape[1] != num_identities:
            raise UserError(
                f"teacher {run}: knows {found.shape[1]} identities, this run has {num_identities}; "
                "train it on the same data"
            )

    @torch.no_grad()
    def _logits(self, images: Tensor) -> Tensor:
        device = images.device
        self.net.to(device)
        logits = self.net.head(self.net.backbone(images), None).logits  # type: ignore[operator]
        if logits is None:
            raise UserError(
                f"teacher: {type(self.net.head).__name__} gives no logits in evaluation; use a run "
                "with dgnet/BottleneckHead, as configs/dgnet/teacher.py"
            )
        return logits.float().mean(1)

    def __call__(self, images: Tensor) -> Tensor:
        """Probabilities (N, K) of normalised images (N, 3, H, W), the same for their mirror."""
        both = self._logits(images), self._logits(images.flip(3))
        return (both[0].softmax(1) + both[1].softmax(1)) / 2


def target(style: str, soft: Tensor, appearance: Tensor, structure: Tensor) -> Tensor:
    """What the primary head learns of a composite.

    Args:
        style: "soft", the teacher's probabilities; "argmax", their best identity; "appearance",
            the identity that gave the appearance; "uniform", all alike (LSRO); "pair", soft over
            the identities of appearance and structure only.
        soft: (N, K) probabilities of the teacher.
        appearance: (N,) identities.
        structure: (N,) identities.

    Shape:
        returns (N, K), rows sum to 1.

    Raises:
        ValueError: unknown style.

    Example:
        >>> soft, a, s = torch.tensor([[0.5, 0.3, 0.2]]), torch.tensor([1]), torch.tensor([2])
        >>> target("pair", soft, a, s), target("argmax", soft, a, s)
        (tensor([[0.0000, 0.6000, 0.4000]]), tensor([[1., 0., 0.]]))
    """
    if style not in STYLES:
        raise ValueError(f"teacher style must be one of {STYLES}, got {style!r}")
    count = soft.shape[1]
    if style == "soft":
        return soft
    if style == "argmax":
        return F.one_hot(soft.argmax(1), count).to(soft)
    hot = F.one_hot(appearance, count).to(soft)
    if style == "appearance":
        return hot
    if style == "uniform":
        return torch.full_like(soft, 1 / count)
    kept = soft * (hot + F.one_hot(structure, count).to(soft)).clamp(max=1)
    return kept / kept.sum(1, keepdim=True).clamp_min(1e-12)
