"""Every formula of DG-Net, each a mean over its images, and ``Term``: how much it counts, when.

Shapes: N images, K identities, h w patches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Term:
    """The weight of one loss as a function of the iteration, so that resuming restores it.

    Args:
        weight: what it grows to, >= 0; 0 leaves the term out.
        start: 0-based iteration at which it starts to grow from 0.
        ramp: iterations it grows for, linearly; 0 jumps to the weight at ``start``.

    Raises:
        ValueError: a negative number.

    Source:
        DG-Net's code adds 0.0005 per iteration above 30,000. Departure: it looks at the weight
        before it adds, so its terms start one iteration later.

    Example:
        >>> primary = Term(weight=2.0, start=30_000, ramp=4_000)
        >>> [primary(t) for t in (30_000, 31_000, 34_000, 90_000)]
        [0.0, 0.5, 2.0, 2.0]
    """

    weight: float = 1.0
    start: int = 0
    ramp: int = 0

    def __post_init__(self) -> None:
        if min(self.weight, self.start, self.ramp) < 0:
            raise ValueError(f"weight, start and ramp must be at least 0, got {self}")

    def __call__(self, iteration: int) -> float:
        """The weight at an iteration."""
        if iteration < self.start:
            return 0.0
        if not self.ramp:
            return float(self.weight)
        return self.weight * min(1.0, (iteration - self.start) / self.ramp)


# paper and released code; "fine" and "id_fine" are 0.2 of "primary" at every iteration
PUBLISHED: dict[str, Term] = {
    "self_recon": Term(5.0),
    "same_recon": Term(5.0),
    "gan": Term(1.0),
    "id": Term(1.0),
    "id_fine": Term(0.4, 30_000, 4_000),
    "id_positive": Term(1.0),
    "id_composite": Term(0.5),
    "structure_code": Term(1.0, 30_000, 2_000),
    "appearance_code": Term(1.0, 30_000, 2_000),
    "cycle": Term(2.0, 30_000, 4_000),
    "primary": Term(2.0, 30_000, 4_000),
    "fine": Term(0.4, 30_000, 4_000),
}


def read_terms(given: Mapping[str, Mapping] | None) -> dict[str, Term]:
    """The published terms with the config's changes.

    Args:
        given: name -> ``weight``, ``start``, ``ramp``, each optional.

    Raises:
        ValueError: a name or key that does not exist.

    Example:
        >>> read_terms({"cycle": {"weight": 0.0}})["cycle"]
        Term(weight=0.0, start=30000, ramp=4000)
    """
    terms = dict(PUBLISHED)
    for name, changes in (given or {}).items():
        if name not in terms:
            raise ValueError(f"no term {name!r}; terms: {', '.join(terms)}")
        unknown = set(changes) - set(Term.__annotations__)
        if unknown:
            raise ValueError(f"term {name!r} has no {sorted(unknown)}; it has weight, start, ramp")
        terms[name] = Term(**{**vars(terms[name]), **changes})
    return terms


def l1(image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error against a target without gradient."""
    return F.l1_loss(image.float(), target.detach().float())


def generator_gan(fake: Sequence[Tensor]) -> Tensor:
    """Least-squares GAN for the generator: over the scales, twice the mean of (D(fake) - 1)^2.

    Example:
        >>> generator_gan([torch.full((2, 1, 4, 2), 0.5)] * 3)
        tensor(1.5000)
    """
    return sum(2 * (m.float() - 1).square().mean() for m in fake)  # type: ignore[return-value]


def discriminator_gan(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Least-squares GAN for D: over the scales, mean of D(fake)^2 and of (D(real) - 1)^2.

    Example:
        >>> discriminator_gan([torch.zeros(2, 1, 4, 2)] * 3, [torch.zeros(2, 1, 4, 2)] * 3)
        tensor(3.)
    """
    composites = sum(m.float().square().mean() for m in fake)
    true = sum((m.float() - 1).square().mean() for m in real)
    return composites + true  # type: ignore[return-value]


def r1_penalty(real: Sequence[Tensor], images: Tensor) -> Tensor:
    """Over the scales, mean over images of the squared gradient of D's summed patches.

    Args:
        real: D's maps of the images, with graph.
        images: (N, 3, H, W) requiring gradient: the full-resolution ones, through the pooling.

    Source:
        Mescheder et al., arXiv 1801.04406, R1; as in DG-Net's code without the factor 1/2.

    Example:
        >>> x = torch.ones(2, 3, 1, 1, requires_grad=True)
        >>> r1_penalty([(2 * x).sum(1, keepdim=True)], x)  # 3 channels with gradient 2
        tensor(12.)
    """
    total = images.new_zeros(())
    for patches in real:
        (slope,) = torch.autograd.grad(patches.sum(), images, create_graph=True)
        total = total + slope.square().flatten(1).sum(1).mean()
    return total


def teaching(logits: Tensor, target: Tensor) -> Tensor:
    """KL divergence of the student from the teacher: mean over images of sum q log(q / p).

    Args:
        logits: (N, K) of the student.
        target: (N, K) probabilities q of the teacher; without gradient.

    Example:
        >>> q = torch.tensor([[0.0, 1.0]])
        >>> teaching(torch.zeros(1, 2), q)  # one-hot: cross-entropy
        tensor(0.6931)
    """
    q = target.detach().float()
    log_p = F.log_softmax(logits.float(), 1)
    return (torch.xlogy(q, q) - q * log_p).sum(1).mean()
