"""What an iteration minimises: the weight of every term, the penalty on D, the teaching."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from .losses import Term
from .teacher import STYLES, target


@dataclass
class Objective:
    """Weights and targets of one run; no part of a model's state.

    Args:
        terms: name -> weight as a function of the iteration.
        r1: weight of the gradient penalty on D; 0 leaves it out.
        style: what the primary head learns of composites; see ``teacher.target``.
        teacher: images -> probabilities (N, K); None where the primary term is off.

    Raises:
        ValueError: unknown style.
    """

    terms: dict[str, Term]
    r1: float = 0.01
    style: str = "soft"
    teacher: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise ValueError(f"teacher_style must be one of {STYLES}, got {self.style!r}")

    def target(self, images: Tensor, appearance: Tensor, structure: Tensor) -> Tensor:
        """Probabilities (N, K) that the primary head is to learn of composites.

        Args:
            images: (N, 3, H, W) composites, without gradient.
            appearance, structure: (N,) identities that gave each.

        Raises:
            ValueError: there is no teacher.
        """
        if self.teacher is None:
            raise ValueError(
                "DGNet: the primary term needs a teacher: needs=dict(teacher=dict(config=...)), or "
                "model.terms.primary.weight=0.0"
            )
        return target(self.style, self.teacher(images), appearance, structure)
