"""Which crops meet: two sides, drawn independently, and another picture of everyone on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reidkit.data.samplers import BatchSampler, on_each, would_fit
from reidkit.errors import UserError
from reidkit.registry import SAMPLERS


@SAMPLERS.register_module()
class PairSampler(BatchSampler):
    """Batches of four quarters: side a, side b, then a positive for each crop of a and of b.

    Both sides go through the training set in independent random orders; a positive is a random
    other crop of the same identity (the crop itself where there is no other).

    Args:
        identities: identity of every crop.
        batch_size: crops per batch on each process: four times the paper's B.
        steps: iterations per epoch; None for one pass of each side over the crops. Passes go on
            across epochs, so that no crop is seen more often than another.
        seed, rank, world_size: see ``BatchSampler``.

    Raises:
        UserError: a batch size that is no multiple of 4, or fewer crops than one batch needs.

    Source:
        DG-Net, arXiv 1904.07223, and the released code's two loaders.

    Example:
        >>> sampler = PairSampler([5, 5, 7, 7, 8, 8], batch_size=8)
        >>> rows = next(iter(sampler))
        >>> len(rows), [r // 2 for r in rows[:4]] == [r // 2 for r in rows[4:]]
        (8, True)
    """

    def __init__(
        self,
        identities: Sequence[int] | np.ndarray,
        batch_size: int,
        steps: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ):
        super().__init__(seed, rank, world_size)
        if batch_size < 4 or batch_size % 4:
            raise UserError(
                f"dgnet/PairSampler: train.batch_size={batch_size} is no multiple of 4 (two sides "
                "and a positive for each crop); the paper's 8 per side is 32"
            )
        labels = np.asarray(identities)
        self.count, self.side = len(labels), batch_size // 4
        self.per_pass = self.count // (self.side * world_size)
        if not self.per_pass:
            raise UserError(
                f"dgnet/PairSampler: {self.count} crops do not fill one side of {self.side}"
                f"{on_each(world_size)}; "
                f"{would_fit('train.batch_size', 4 * (self.count // world_size))}"
            )
        self.steps = self.per_pass if steps is None else int(steps)
        self.order = np.argsort(labels, kind="stable")
        _, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        self.first = (np.cumsum(sizes) - sizes)[group]  # where the crop's identity starts in order
        self.size = sizes[group]
        self.place = np.empty(self.count, np.int64)
        self.place[self.order] = np.arange(self.count)

    def __len__(self) -> int:
        return self.steps

    def plan(self, epoch: int, restart: int) -> list[np.ndarray]:
        """See ``BatchSampler.plan``."""
        width = self.side * self.world_size
        orders: dict[tuple[int, int], np.ndarray] = {}
        batches = []
        for step in range(epoch * self.steps, (epoch + 1) * self.steps):
            number, at = divmod(step, self.per_pass)
            halves = []
            for side in (0, 1):
                if (number, side) not in orders:
                    rng = np.random.default_rng([self.seed, restart, number, side])
                    orders[number, side] = rng.permutation(self.count)
                rows = orders[number, side][at * width : (at + 1) * width]
                halves.append(rows[self.rank * self.side : (self.rank + 1) * self.side])
            anchors = np.concatenate(halves)
            rng = np.random.default_rng([self.seed, restart, step, 2, self.rank])
            batches.append(np.concatenate([anchors, self.positives(anchors, rng)]))
        return batches

    def positives(self, anchors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Another crop of each anchor's identity, uniformly; the anchor if it is alone."""
        size, first = self.size[anchors], self.first[anchors]
        shift = np.where(size > 1, 1 + rng.integers(0, np.maximum(size - 1, 1)), 0)
        return self.order[first + (self.place[anchors] - first + shift) % size]
