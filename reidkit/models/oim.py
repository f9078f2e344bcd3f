"""Online instance matching: identities learned against a table of remembered vectors.

N rows of a batch, K identities, W numbers of an embedding (P parts of D dims), Q queue slots.
"""

from __future__ import annotations

import torch
from mmengine.dist import all_gather
from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.registry import LOSSES


@LOSSES.register_module()
class OIMLoss(nn.Module):
    """Cross-entropy of the similarities to one remembered vector per identity.

    After the loss of a training batch is taken, the vectors of its identities are moved towards the
    batch's and brought to length 1, one row of the batch after the other. Table and queue get no
    gradient, are part of the checkpoint, and stay equal in all processes: each gathers the rows of
    all. Rows with an identity below 0 (unlabelled people) have no loss; they enter the queue, whose
    filled slots are further classes.

    Args:
        num_identities: number K of training identities. Supplied by the framework.
        width: numbers W = P * D of an embedding. Supplied by the framework.
        scale: s, factor on the similarities (1 / temperature), above 0.
        momentum: m in [0, 1): v <- m v + (1 - m) x. The first visit writes x itself.
        queue: slots Q for unlabelled vectors; 0 for data in which everybody is labelled.
        normalize: bring vectors to length 1 first. False takes them as they are: a head that
            normalises has done it.

    Shape:
        vectors (N, P, D) float; identities (N,) int64 below K; returns ().

    Raises:
        ValueError: scale, momentum or queue out of range; vectors of another width.

    Source:
        Xiao et al., Joint Detection and Identification Feature Learning (CVPR 2017), Eq. 1-4.
        Departure: empty slots of the queue are no classes; padded with zeros, as in public code,
        each would add exp(0). Scale 10 there, 30 in the library that DRSA's code derives from.

    Example:
        >>> loss = OIMLoss(num_identities=2, width=2, scale=10.0)
        >>> loss.table.copy_(torch.eye(2))
        tensor([[1., 0.],
                [0., 1.]])
        >>> loss(torch.tensor([[[0.6, 0.8]]]), torch.tensor([0]))
        tensor(2.1269)
        >>> loss.table[0]
        tensor([0.8944, 0.4472])
    """

    table: Tensor
    queue: Tensor
    queued: Tensor

    def __init__(
        self,
        num_identities: int,
        width: int,
        scale: float = 30.0,
        momentum: float = 0.5,
        queue: int = 0,
        normalize: bool = True,
    ):
        super().__init__()
        if scale <= 0 or not 0 <= momentum < 1 or queue < 0:
            raise ValueError(
                f"OIMLoss: scale must be above 0, momentum in [0, 1), queue at least 0; got "
                f"{scale}, {momentum}, {queue}"
            )
        self.scale, self.momentum, self.normalize = scale, momentum, normalize
        self.register_buffer("table", torch.zeros(num_identities, width))
        self.register_buffer("queue", torch.zeros(queue, width))
        self.register_buffer("queued", torch.zeros((), dtype=torch.int64))  # ever, not now

    def classifier_parameters(self) -> list[Tensor]:
        """The table: it belongs to the training identities."""
        return [self.table]

    def forward(self, vectors: Tensor, identities: Tensor) -> Tensor:
        """The mean over the labelled rows; 0 if there are none. Updates the memory in training."""
        x = vectors.flatten(1)
        if x.shape[1] != self.table.shape[1]:
            raise ValueError(f"OIMLoss of width {self.table.shape[1]} got vectors of {x.shape[1]}")
        x = F.normalize(x) if self.normalize else x
        filled = self.queue[: min(int(self.queued), len(self.queue))]
        known = torch.cat([self.table, filled])  # a copy: the table changes before the backward
        logits = self.scale * x @ known.T.to(x.dtype)
        labelled = identities >= 0
        if labelled.any():
            loss = F.cross_entropy(logits[labelled], identities[labelled])
        else:
            loss = x.sum() * 0
        if self.training:
            self.remember(x.detach(), identities)
        return loss

    @torch.no_grad()
    def remember(self, x: Tensor, identities: Tensor) -> None:
        """Take the rows of all processes into the table and the queue, in their order.

        Shape:
            x (N, W); identities (N,); equally many rows in every process.
        """
        x, identities = (torch.cat(all_gather(one.contiguous())) for one in (x, identities))
        x = x.to(self.table.dtype)
        for turn in _turns(identities):
            who = identities[turn]
            moved = self.momentum * self.table[who] + (1 - self.momentum) * x[turn]
            self.table[who] = F.normalize(moved)
        if not len(self.queue):
            return
        for row in x[identities < 0]:
            self.queue[self.queued % len(self.queue)] = row
            self.queued += 1


def _turns(identities: Tensor) -> list[Tensor]:
    """Labelled rows in rounds: the first of every identity, then the second ...: as one by one."""
    rows = torch.nonzero(identities >= 0).flatten()
    seen: dict[int, int] = {}
    rounds: list[list[int]] = []
    for row, who in zip(rows.tolist(), identities[rows].tolist(), strict=True):
        number = seen.get(who, 0)
        seen[who] = number + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(row)
    return [torch.tensor(one, device=identities.device) for one in rounds]
