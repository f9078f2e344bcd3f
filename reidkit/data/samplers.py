"""Batch samplers: which crops stand together, as pure functions of seed, epoch, restart and rank.

They live in the main process, so the batches do not depend on the number of workers; every rank
computes the same plan for all ranks and takes its own batches, so ranks have equally many.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reidkit.errors import UserError
from reidkit.registry import SAMPLERS


class BatchSampler:
    """The base: what to iterate is ``plan(epoch, restart)``; the rest is bookkeeping.

    Args:
        seed: of the whole run.
        rank: this process.
        world_size: number of processes.

    Raises:
        ValueError: a rank outside 0..world_size-1.
    """

    def __init__(self, seed: int = 0, rank: int = 0, world_size: int = 1):
        if not 0 <= rank < world_size:
            raise ValueError(f"rank must be in 0..{world_size - 1}, got {rank}")
        self.seed, self.rank, self.world_size = int(seed), int(rank), int(world_size)
        self.epoch = self.restart = self.start = 0

    def plan(self, epoch: int, restart: int) -> list[np.ndarray]:
        """All batches of this rank in that epoch and restart, as arrays of row numbers."""
        raise NotImplementedError(f"{type(self).__name__} must implement plan(epoch, restart)")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must implement __len__()")

    def generator(self, epoch: int, restart: int) -> np.random.Generator:
        """The source of randomness of one pass, the same on every rank."""
        return np.random.default_rng([self.seed, epoch, restart])

    def set_epoch(self, epoch: int, restart: int = 0, start: int = 0) -> None:
        """Choose the pass that the next iteration gives.

        Args:
            epoch: number of the epoch, from 0.
            restart: how often the sampler was exhausted in this epoch (second domains are).
            start: number of batches to leave out at the front (resuming in mid-epoch).
        """
        self.epoch, self.restart, self.start = int(epoch), int(restart), int(start)

    def __iter__(self) -> Iterator[list[int]]:
        for rows in self.plan(self.epoch, self.restart)[self.start :]:
            yield rows.tolist()

    def state_dict(self) -> dict[str, int]:
        """Where the next iteration starts."""
        return {"epoch": self.epoch, "restart": self.restart, "start": self.start}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue from ``state_dict()``.

        Raises:
            ValueError: other keys than state_dict gives.
        """
        if set(state) != {"epoch", "restart", "start"}:
            raise ValueError(f"sampler state needs epoch, restart and start; got {sorted(state)}")
        self.set_epoch(**state)


def on_each(world_size: int) -> str:
    """For messages: that every process needs its own batch; empty for a single one."""
    return f" on each of {world_size} processes" if world_size > 1 else ""


def would_fit(key: str, *values: int) -> str:
    """For messages: the values of a config's key that would do, those below 1 left out.

    Example:
        >>> would_fit("train.batch_size", 28, 32), would_fit("train.batch_size", 0, 4)
        ('train.batch_size=28 or 32 would fit', 'train.batch_size=4 would fit')
        >>> would_fit("train.batch_size", 0)
        'no train.batch_size would fit'
    """
    fit = " or ".join(str(value) for value in values if value > 0)
    return f"{key}={fit} would fit" if fit else f"no {key} would fit"


@SAMPLERS.register_module()
class ShuffleSampler(BatchSampler):
    """Every crop once per epoch, in random order.

    Args:
        num_samples: number of crops.
        batch_size: crops per batch on each process.
        seed, rank, world_size: see ``BatchSampler``.
        drop_last: leave the crops of a last incomplete batch out (they come in other epochs).
            Otherwise the last batch is shorter, and with several processes up to
            ``world_size - 1`` crops come twice, so that all have equally many.

    Raises:
        UserError: not one batch can be filled.
        ValueError: batch_size below 1.

    Example:
        >>> sampler = ShuffleSampler(num_samples=6, batch_size=2, seed=0)
        >>> batches = list(sampler)
        >>> len(sampler), sorted(sum(batches, []))
        (3, [0, 1, 2, 3, 4, 5])
        >>> batches == list(sampler)
        True
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = True,
    ):
        super().__init__(seed, rank, world_size)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.num_samples, self.batch_size = int(num_samples), int(batch_size)
        self.drop_last = drop_last
        if not len(self):
            raise UserError(
                f"ShuffleSampler: {num_samples} crops do not fill one batch of "
                f"train.batch_size={batch_size}{on_each(world_size)}; "
                f"{would_fit('train.batch_size', num_samples // world_size)}"
            )

    def __len__(self) -> int:
        if self.drop_last:
            return self.num_samples // (self.batch_size * self.world_size)
        return -(-self.num_samples // (self.batch_size * self.world_size))

    def plan(self, epoch: int, restart: int) -> list[np.ndarray]:
        """See ``BatchSampler.plan``."""
        order = self.generator(epoch, restart).permutation(self.num_samples)
        if self.drop_last:
            order = order[: len(self) * self.batch_size * self.world_size]
        else:
            share = -(-len(order) // self.world_size)
            order = np.resize(order, share * self.world_size)
        mine = order[self.rank :: self.world_size]
        return [mine[i : i + self.batch_size] for i in range(0, len(mine), self.batch_size)]
