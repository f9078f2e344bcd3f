"""The class memory of versions 1.x: one cached map per class, matched against every batch.

Shape letters: N images, K classes, c channels, h w feature cells.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather
from torch import Tensor, nn

from reidkit.registry import LOSSES
from reidkit.structures import Embedding


@LOSSES.register_module()
class ClassMemoryLoss(nn.Module):
    """Matches each image with the last map seen of every class; focal loss on each answer.

    An image is never compared with itself: the memory takes the batch's maps after the loss. The
    memory has no gradient; a class's map is overwritten, not averaged, and of several images of
    a class in a batch the last one stays. Under several processes all of them remember the images
    of all, in the order of their ranks. ``accuracy`` is the share of images whose best class is
    their own.

    The whole memory is matched at once, so training time grows with the number of classes.

    Args:
        num_identities: number of classes K; supplied by the framework.
        gamma: exponent of the focal weight ``(1 - p)^gamma``, which also has a gradient.
        unseen: what classes without a map count as: "nothing" (from 1.1 on), or "negative": the
            zero map (1.0).
        block: classes that share the statistics which normalise their scores; 0: all classes (1.0
            and 1.1), 16 in 1.2.

    Shape:
        maps (N, c, h, w), identities (N,) int64 in [0, K), matcher with ``scores``; returns ().

    Raises:
        ValueError: unknown ``unseen``; an identity outside [0, K).

    Source:
        QAConv, arXiv 1904.10424, section 3.4. Departure: unseen classes are not scored at all,
        where the released code scored them and masked the loss, so that zero maps took part in
        the statistics of the first epoch.
    """

    memory: Tensor
    seen: Tensor

    def __init__(
        self, num_identities: int, gamma: float = 2.0, unseen: str = "nothing", block: int = 0
    ):
        super().__init__()
        if unseen not in ("nothing", "negative"):
            raise ValueError(f'unseen must be "nothing" or "negative", got {unseen!r}')
        self.num_identities, self.gamma = num_identities, gamma
        self.unseen, self.block = unseen, block
        # sized by the first batch, or by the checkpoint that is loaded
        self.register_buffer("memory", torch.zeros(num_identities, 0))
        self.register_buffer("seen", torch.zeros(num_identities, dtype=torch.bool))
        self.accuracy: Tensor | None = None

    def forward(self, maps: Tensor, identities: Tensor, matcher: nn.Module) -> Tensor:
        """The loss of one batch; in training mode the batch is remembered afterwards."""
        if int(identities.max()) >= len(self.seen):
            raise ValueError(
                f"identities must be below {len(self.seen)}, got {int(identities.max())}"
            )
        if self.memory.ndim == 2:
            self.memory = maps.new_zeros(len(self.seen), *maps.shape[1:])
        losses = self.losses(maps, identities, matcher)
        if self.training:
            self.remember(maps.detach(), identities)
        return losses.mean()

    def losses(self, maps: Tensor, identities: Tensor, matcher: nn.Module) -> Tensor:
        """The loss of each image (N,) against the memory as it is."""
        known = torch.ones_like(self.seen) if self.unseen == "negative" else self.seen
        classes = torch.nonzero(known).flatten()
        if not len(classes):  # zero, but every parameter has a gradient, as other processes expect
            self.accuracy = maps.new_zeros(())
            idle = sum((p.sum() for p in matcher.parameters()), maps.new_zeros(()))
            return (maps.flatten(1).sum(1) + idle) * 0
        query = Embedding(maps=maps)
        logits = torch.cat(
            [
                matcher.scores(query, Embedding(maps=self.memory[part].to(maps.dtype)))
                for part in classes.split(self.block or len(classes))
            ],
            1,
        )
        positive = classes == identities[:, None]
        with torch.no_grad():
            self.accuracy = (classes[logits.argmax(1)] == identities).float().mean()
        error = torch.sigmoid(torch.where(positive, -logits, logits))  # one minus p of the truth
        entropy = F.binary_cross_entropy_with_logits(
            logits, positive.to(logits.dtype), reduction="none"
        )
        return (error**self.gamma * entropy).sum(1)

    @torch.no_grad()
    def remember(self, maps: Tensor, identities: Tensor) -> None:
        """Overwrite the maps of the classes of a batch; the last image of a class stays."""
        maps, identities = torch.cat(all_gather(maps)), torch.cat(all_gather(identities))
        place = torch.arange(len(identities), device=identities.device)
        last = place.new_full((len(self.seen),), -1)
        last.scatter_reduce_(0, identities, place, "amax")
        self.memory[last >= 0] = maps[last[last >= 0]].to(self.memory.dtype)
        self.seen[last >= 0] = True

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *rest: Any) -> None:
        for name in ("memory", "seen"):  # as large as it was when it was saved
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *rest)
