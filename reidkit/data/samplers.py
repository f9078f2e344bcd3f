"""Batch samplers: which crops stand together, as pure functions of seed, epoch, restart and rank.

They live in the main process, so the batches do not depend on the number of workers; every rank
computes the same plan for all ranks and takes its own batches, so ranks have equally many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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


@SAMPLERS.register_module()
class PKSampler(BatchSampler):
    """Batches of P identities with K crops each, for losses that compare crops.

    The identities of one batch differ. Within one pass an identity's crops are drawn without
    repetition as long as they last: an identity with fewer than K crops gives each of them at
    least once and fills up with repetitions, one with more gives a random choice.

    Args:
        identities: identity of every crop.
        p: identities per batch; default ``batch_size // k``.
        k: crops per identity.
        seed, rank, world_size: see ``BatchSampler``. All processes together visit an identity as
            often as one process would.
        batch_size: crops per batch on each process, where given, must be ``p * k``.
        drop_last: leave identities out that do not fill a last batch; otherwise fill it with
            other identities a second time.
        epoch: "identities": one epoch is every identity once. "images": every identity
            ``max(1, crops // k)`` times, so about every crop once; an identity too frequent to
            stand in different batches is cut.

    Raises:
        UserError: p * k is not the batch size, or the identities do not fill one batch for each
            process; the text gives values that would do.
        ValueError: p or k below 1; unknown ``epoch``.

    Example:
        >>> sampler = PKSampler(identities=[5, 5, 5, 7, 8, 8], p=2, k=2)
        >>> [rows] = list(sampler)
        >>> len(rows), len({[5, 5, 5, 7, 8, 8][row] for row in rows})
        (4, 2)
    """

    def __init__(
        self,
        identities: Sequence[int] | np.ndarray,
        p: int | None = None,
        k: int = 4,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        batch_size: int | None = None,
        drop_last: bool = True,
        epoch: str = "identities",
    ):
        super().__init__(seed, rank, world_size)
        if epoch not in ("identities", "images"):
            raise ValueError(f"epoch must be 'identities' or 'images', got {epoch!r}")
        if k < 1 or (p is not None and p < 1) or (p is None and batch_size is None):
            raise ValueError(f"p (or batch_size) and k must be at least 1, got p={p}, k={k}")
        self.k, self.per_epoch, self.drop_last = int(k), epoch, drop_last
        self.p = int(p) if p is not None else (batch_size or 0) // self.k
        labels = np.asarray(identities)
        order = np.argsort(labels, kind="stable")
        _, counts = np.unique(labels, return_counts=True)
        self.groups = np.split(order, np.cumsum(counts)[:-1]) if len(labels) else []
        if batch_size in (None, self.p * self.k):
            self._visits, self.total = self._count_visits(counts, self.p, self.k)
            if self.total:
                return
        raise UserError(self._refusal(counts, batch_size or self.p * self.k, p is not None))

    def _count_visits(self, counts: np.ndarray, p: int, k: int) -> tuple[np.ndarray, int]:
        """How often each identity comes per pass, and the batches of all processes; 0: none."""
        visits = np.ones(len(counts), dtype=np.int64)
        if self.per_epoch == "images":
            visits = np.maximum(counts // k, 1)
        per_round = p * self.world_size
        rounds = visits.sum() // per_round if self.drop_last else -(-visits.sum() // per_round)
        total = int(rounds) * self.world_size if p <= len(counts) else 0
        if self.drop_last:  # fewer batches, until none needs an identity twice
            while total and np.minimum(visits, total).sum() < p * total:
                total -= self.world_size
        return np.minimum(visits, total), total

    def _refusal(self, counts: np.ndarray, size: int, fixed: bool) -> str:
        """Why there are no batches of this size, and which could be; ``fixed``: p is given."""
        tried = range(self.p if fixed else self.p + 1, 0, -1)
        most = next((p for p in tried if self._count_visits(counts, p, self.k)[1]), 0)
        made, key = self.p * self.k, "train.batch_size"
        if most >= self.p and most:
            sizes = [made, most * self.k] if most > self.p else [made]
            return (
                f"PKSampler: {key}={size} is not p identities of k={self.k} crops: p={self.p} "
                f"makes {made}; {would_fit(key, *sizes)}, or change train.sampler.k"
                + (" or train.sampler.p" if fixed else "")
            )
        text = (
            f"PKSampler: {len(counts)} identities do not fill one batch of p={self.p} with "
            f"k={self.k} crops each ({key}={size}){on_each(self.world_size)}; "
        )
        mended = would_fit(key, most * self.k)
        if fixed and most:
            return f"{text}train.sampler.p={most} with {mended}"
        whole = (k for k in range(self.k + 1, size + 1) if size % k == 0)
        k = next((k for k in whole if self._count_visits(counts, size // k, k)[1]), 0)
        return f"{text}{mended}" + (f", or train.sampler.k={k}" if k else "")

    def __len__(self) -> int:
        return self.total // self.world_size

    def plan(self, epoch: int, restart: int) -> list[np.ndarray]:
        """See ``BatchSampler.plan``."""
        rng = self.generator(epoch, restart)
        visits = self._balanced(rng)
        # copies of one identity stand next to each other and go to consecutive batches, so no
        # batch gets one identity twice (there are at most as many copies as batches)
        order = rng.permutation(len(self.groups))
        copies = np.repeat(order, visits[order])
        batches: list[list[np.ndarray]] = [[] for _ in range(self.total)]
        names = rng.permutation(self.total)
        chunks = {int(i): self._chunks(self.groups[i], int(visits[i]), rng) for i in order}
        for place, identity in enumerate(copies):
            batches[names[place % self.total]].append(chunks[int(identity)].pop())
        return [np.concatenate(batch) for batch in batches[self.rank :: self.world_size]]

    def _balanced(self, rng: np.random.Generator) -> np.ndarray:
        """Visits in this pass: trimmed or filled at random to exactly P per batch."""
        visits, wanted = self._visits.copy(), self.p * self.total
        while visits.sum() > wanted:
            copies = np.repeat(np.arange(len(visits)), visits)
            gone = rng.choice(copies, int(visits.sum()) - wanted, replace=False)
            np.subtract.at(visits, gone, 1)
        while visits.sum() < wanted:
            free = np.flatnonzero(visits < self.total)
            more = rng.permutation(free)[: wanted - int(visits.sum())]
            visits[more] += 1
        return visits

    def _chunks(self, rows: np.ndarray, visits: int, rng: np.random.Generator) -> list[np.ndarray]:
        """``visits`` groups of K rows of one identity, repeated only when they do not last."""
        chunks, pool = [], rows[:0]
        for _ in range(visits):
            if len(rows) < self.k:
                chunks.append(np.resize(rng.permutation(rows), self.k))
                continue
            if len(pool) < self.k:
                pool = np.concatenate([pool, rng.permutation(np.setdiff1d(rows, pool))])
            chunks.append(pool[: self.k])
            pool = pool[self.k :]
        return chunks
