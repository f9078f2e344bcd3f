"""One iteration of joint discriminative and generative learning, top to bottom.

Shapes: N images, B of them on each of two sides, H W pixels, K identities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from reidkit.structures import ReIDBatch

from .frozen import frozen_call
from .losses import discriminator_gan, generator_gan, l1, r1_penalty, teaching
from .networks import Networks
from .objective import Objective
from .scene import Scene


class Iteration:
    """The tensors of one iteration and every loss made of them, already weighted.

    Each loss is a sum over the sides a and b of a mean over B images: twice a mean over both.

    Args:
        nets: in training mode.
        objective: what each loss weighs.
        batch: four quarters, prepared.
        number: of the iteration, from 0.
        erasing: transforms of what the identity losses see.

    Raises:
        ValueError: a batch that is not four quarters with positives.
    """

    def __init__(
        self,
        nets: Networks,
        objective: Objective,
        batch: ReIDBatch,
        number: int,
        erasing: Sequence[Callable[[ReIDBatch], ReIDBatch]] = (),
    ):
        if batch.identities is None or batch.generator is None or len(batch) % 4:
            raise ValueError("DGNet needs batches of four quarters with identities and generator")
        self.nets, self.objective, self.number = nets, objective, number
        half = len(batch) // 2
        self.x = batch.images[:half]
        self.identity = batch.identities[:half].to(self.x.device)
        if not torch.equal(batch.identities[:half], batch.identities[half:]):
            raise ValueError("DGNet: crops without positives; use train.sampler=dgnet/PairSampler")
        self.live_encoder = bool(torch.rand((), generator=batch.generator) <= 0.5)
        self.scene = Scene.of(batch, half) if nets.person_alone else None
        with nets.autocast():
            self.structure = nets.encode_structure(self.x, self.scene)
            self.code, self.positive_code = nets.code(batch.images, 4).chunk(2)
            self.composite = nets.decode(self.code, swap(self.structure))  # appearance of row i
        for step in erasing:
            batch = step(batch)
        self.erased = batch.images

    def weight(self, term: str) -> float:
        """The weight of a term in this iteration."""
        return self.objective.terms[term](self.number)

    def discriminator_loss(self) -> Tensor:
        """D: real crops against detached composites, and R1 on the real ones in float32."""
        net, r1 = self.nets.discriminator, self.objective.r1
        real = self.x.detach().float().requires_grad_(r1 > 0)
        maps = net(real)
        with self.nets.autocast():
            fake = net(self.composite.detach())
        loss = 2 * discriminator_gan(maps, fake)
        return loss + 2 * r1 * r1_penalty(maps, real) if r1 else loss

    def generative_terms(self) -> dict[str, Tensor]:
        """Losses that train E_s, G and the MLPs."""
        nets, w = self.nets, self.weight
        terms: dict[str, Tensor] = {}
        with nets.autocast():
            if w("self_recon"):
                image = nets.decode(self.code, self.structure)
                terms["self_recon"] = w("self_recon") * 2 * l1(image, self.x)
            if w("same_recon"):
                image = nets.decode(self.positive_code, self.structure)
                terms["same_recon"] = w("same_recon") * 2 * l1(image, self.x)
            if w("gan"):
                maps = frozen_call(nets.discriminator, self.composite)
                terms["gan"] = w("gan") * 2 * generator_gan(maps)
            if any(map(w, ("id_composite", "appearance_code", "structure_code", "cycle"))):
                terms |= self._reencoded_terms()
        return terms

    def _reencoded_terms(self) -> dict[str, Tensor]:
        """Composites taken apart again: appearance by a frozen copy of E_a, then structure."""
        nets, w = self.nets, self.weight
        terms = {}
        code, logits = nets.reencode(self.composite)
        if w("id_composite"):
            loss = F.cross_entropy(logits, self.identity)
            terms["id_composite"] = w("id_composite") * 2 * loss
        if w("appearance_code"):
            terms["appearance_code"] = w("appearance_code") * 2 * l1(code, self.code)
        if w("structure_code") or w("cycle"):
            terms |= self._structure_terms(code)
        return terms

    def _structure_terms(self, code: Tensor) -> dict[str, Tensor]:
        """Structure re-encoded: by the live E_s, or from the live composite, never both at once."""
        nets, w = self.nets, self.weight
        scene = self.scene and self.scene.map(swap)
        if self.live_encoder:
            again = nets.encode_structure(self.composite.detach(), scene)
        else:
            again = nets.encode_structure(self.composite, scene, frozen=True)
        again = swap(again)  # row i: the structure of crop i, found in the other side's composite
        terms = {}
        if w("structure_code"):
            loss = l1(nets.encoder_channels(again), nets.encoder_channels(self.structure))
            terms["structure_code"] = w("structure_code") * 2 * loss
        if w("cycle"):
            terms["cycle"] = w("cycle") * 2 * l1(nets.decode(code, again), self.x)
        return terms

    def reid_terms(self) -> dict[str, Tensor]:
        """Losses that train E_a: real crops with erasing, and composites as training images."""
        nets, w = self.nets, self.weight
        terms: dict[str, Tensor] = {}
        with nets.autocast():
            pooled = nets.pooled(self.erased, 4)
            primary, fine = nets.appearance_encoder.logits(pooled)
        (own, positive), own_fine = primary.chunk(2), fine.chunk(2)[0]
        for name, logits in (("id", own), ("id_positive", positive), ("id_fine", own_fine)):
            if w(name):
                terms[name] = w(name) * 2 * F.cross_entropy(logits, self.identity)
        if w("primary") or w("fine"):
            terms |= self._composite_terms()
        return terms

    def _composite_terms(self) -> dict[str, Tensor]:
        """What E_a learns of composites: whom the teacher sees, and who lent the structure."""
        nets, w = self.nets, self.weight
        images = self.composite.detach()
        with nets.autocast():
            primary, fine = nets.appearance_encoder.logits(nets.pooled(images, 2))
            terms = {}
            if w("primary"):
                q = self.objective.target(images, self.identity, swap(self.identity))
                terms["primary"] = w("primary") * 2 * teaching(primary, q)
        if w("fine"):
            terms["fine"] = w("fine") * 2 * F.cross_entropy(fine, swap(self.identity))
        return terms


def swap(pairs: Tensor) -> Tensor:
    """Side b before side a.

    Example:
        >>> swap(torch.tensor([1, 2, 3, 4]))
        tensor([3, 4, 1, 2])
    """
    return torch.cat(pairs.chunk(2)[::-1])
