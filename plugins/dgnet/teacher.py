"""The teacher: a finished run that says which training identities a composite looks like.

Shapes: N images, H W pixels, K identities.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.data.transforms import Normalize
from reidkit.engine.run import Run
from reidkit.errors import UserError
from reidkit.registry import LOSSES, TRANSFORMS
from reidkit.structures import ReIDBatch

from .losses import teaching

STYLES = ("soft", "argmax", "appearance", "uniform", "pair")


class Teacher:
    """A trained model, frozen and always in evaluation mode; no part of the student's state.

    Args:
        net: a ``ReIDModel`` whose head gives logits in evaluation, as ``dgnet/BottleneckHead``.

    Source:
        DG-Net, arXiv 1904.07223, 3.2. Departure: dropout is off and batch norm uses running
        statistics; in the released code the teacher is in training mode by mistake.
    """

    def __init__(self, net: nn.Module):
        self.net: Any = net.eval().requires_grad_(False)

    @classmethod
    def of_run(cls, run: str, num_identities: int, normalize: Normalize | None = None) -> Teacher:
        """The teacher of a finished run.

        Args:
            run: its folder.
            num_identities: K of the student, which must be the teacher's.
            normalize: the student's; the teacher must have been trained with the same. None: not
                looked at.

        Raises:
            UserError: other identities, other normalisation, or a model without logits.
        """
        loaded = Run.open(run, model_only=True)
        if not hasattr(loaded.model, "backbone") or not hasattr(loaded.model, "head"):
            raise UserError(f"teacher {run}: {type(loaded.model).__name__} has no one head")
        if normalize is not None and not _alike(loaded.cfg.model.transforms["test"], normalize):
            raise UserError(f"teacher {run}: trained with another Normalize than this model's")
        teacher = cls(loaded.model)
        known = teacher.logits(torch.zeros(1, 3, *loaded.cfg.input.size)).shape[1]
        if known != num_identities:
            raise UserError(
                f"teacher {run}: knows {known} identities, this run has {num_identities}; train "
                "it on the same data"
            )
        return teacher

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Identity logits (N, K) of normalised images, the mean over parts where it has several."""
        self.net.to(images.device)
        batch = ReIDBatch(images)
        output = self.net.head(self.net.backbone(images, batch), batch)
        logits = output.outputs.get("logits")
        if logits is None:
            raise UserError(
                f"teacher: {type(self.net.head).__name__} gives no logits in evaluation; use a run "
                "with dgnet/BottleneckHead, as configs/dgnet/teacher.py"
            )
        return logits.float().mean(1)

    def __call__(self, images: Tensor) -> Tensor:
        """Probabilities (N, K) of normalised images (N, 3, H, W), the same for their mirror."""
        seen, mirrored = self.logits(images), self.logits(images.flip(3))
        return (seen.softmax(1) + mirrored.softmax(1)) / 2


def _alike(steps: Mapping, normalize: Normalize) -> bool:
    """Whether the last ``Normalize`` of a test's steps is this one."""
    theirs = [TRANSFORMS.build(dict(s)) for s in steps.values() if s["type"] == "Normalize"]
    return bool(theirs) and all(
        torch.equal(getattr(theirs[-1], part), getattr(normalize, part))
        for part in ("scale", "shift")
    )


@LOSSES.register_module()
class TeachingLoss(nn.Module):
    """KL divergence of identity logits from what a finished run says of the same images.

    For controls: in DG-Net itself the teacher's probabilities are a term of the model.

    Args:
        role: of that run in ``prerequisites``; it must know the same identities, and have been
            trained with the same ``Normalize``.
        num_identities: K. Supplied by the framework.
        runs: role -> run folder. Supplied by the framework, in training only: in a trial without
            it all identities are alike.

    Shape:
        logits (N, P, K), every part is taught; images (N, 3, H, W), normalised; returns ().

    Raises:
        UserError: ``prerequisites`` has no such role; see ``Teacher.of_run``.

    Source:
        DG-Net, arXiv 1904.07223, 3.2.

    Example:
        >>> TeachingLoss()(torch.zeros(2, 1, 4), torch.zeros(2, 3, 8, 4))  # uniform for uniform
        tensor(0.)
    """

    def __init__(
        self,
        role: str = "teacher",
        num_identities: int = 1,
        runs: Mapping[str, str] | None = None,
    ):
        super().__init__()
        if runs is not None and role not in runs:
            raise UserError(
                f"TeachingLoss: no run is named for the role {role!r}; "
                f"prerequisites=dict({role}=dict(config=...))"
            )
        self.teacher = Teacher.of_run(runs[role], num_identities) if runs else None

    def forward(self, logits: Tensor, images: Tensor) -> Tensor:
        """Mean over images, sum over parts."""
        parts = logits.unbind(1)
        labels = torch.full_like(parts[0], 1 / logits.shape[2])
        if self.teacher is not None:
            labels = self.teacher(images)
        return torch.stack([teaching(part, labels) for part in parts]).sum()


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
