"""Batches of P identities with K crops each."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from reidkit.data.samplers import BatchSampler, on_each, would_fit
from reidkit.errors import UserError
from reidkit.registry import SAMPLERS


@SAMPLERS.register_module()
class PKSampler(BatchSampler):
    """Batches of P identities with K crops each, for losses that compare crops.

    An epoch is made in four steps:

    1. Every identity gets a number of visits: one, or about a K-th of its crops (``epoch_length``).
    2. Visits are dropped or added at random, until they fill all batches with P identities each.
    3. The visits of one identity go to different batches, in random order.
    4. Each visit takes K crops of its identity, none twice in the epoch as long as they last.

    Corner cases:

    - An identity with fewer than K crops gives each at least once and fills up with repetitions.
      How many have a single crop is said: it is compared with itself.
    - Identities that do not fill a last batch are left out (``drop_last``), or some others come a
      second time.
    - An identity so frequent that it had to stand twice in one batch is visited less often.
    - Fewer identities than P are refused, with the values that would do.
    - Several processes share the batches: all together visit an identity as often as one would.

    Args:
        identities: identity of every crop.
        p: identities per batch; default ``batch_size // k``.
        k: crops per identity.
        seed, rank, world_size: see ``BatchSampler``.
        batch_size: crops per batch on each process, where given, must be ``p * k``.
        drop_last: leave identities out that do not fill a last batch; otherwise fill it with
            other identities a second time.
        epoch_length: "identities": an epoch visits every identity once. "images": every identity
            ``max(1, crops // k)`` times, so about every crop comes once.

    Raises:
        UserError: p * k is not the batch size, or the identities do not fill one batch for each
            process; the text gives values that would do.
        ValueError: p or k below 1; unknown ``epoch_length``.

    Example:
        >>> sampler = PKSampler(identities=[5, 5, 7, 7, 8, 8], p=2, k=2)
        >>> [rows] = list(sampler)
        >>> len(rows), len({row // 2 for row in rows})
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
        epoch_length: str = "identities",
    ):
        super().__init__(seed, rank, world_size)
        if epoch_length not in ("identities", "images"):
            raise ValueError(f"epoch_length must be 'identities' or 'images', got {epoch_length!r}")
        if k < 1 or (p is not None and p < 1) or (p is None and batch_size is None):
            raise ValueError(f"p (or batch_size) and k must be at least 1, got p={p}, k={k}")
        self.k, self.epoch_length, self.drop_last = int(k), epoch_length, drop_last
        self.p = int(p) if p is not None else (batch_size or 0) // self.k
        labels = np.asarray(identities)
        order = np.argsort(labels, kind="stable")
        _, counts = np.unique(labels, return_counts=True)
        self._say_repetitions(counts)
        self.groups = np.split(order, np.cumsum(counts)[:-1]) if len(labels) else []
        if batch_size in (None, self.p * self.k):
            self._visits, self.total = self._plan_visits(counts, self.p, self.k)
            if self.total:
                return
        size = batch_size or self.p * self.k
        raise UserError("PKSampler: " + self._why_unfilled(counts, size, p is not None))

    def _say_repetitions(self, counts: np.ndarray) -> None:
        """Identities of one crop: it would stand in a batch K times, as its own positive."""
        alone = int((counts == 1).sum())
        if self.k == 1 or not alone or self.rank:
            return
        text = (
            f"PKSampler: {alone} of {len(counts)} identities have one image, which stands "
            f"k={self.k} times in a batch and is its own positive"
        )
        if alone == len(counts):
            text += "; losses that compare images learn nothing about identities from that"
        _say_once(text)

    def _plan_visits(self, counts: np.ndarray, p: int, k: int) -> tuple[np.ndarray, int]:
        """Step 1: visits of each identity, and the batches of all processes; 0 batches: none fit.

        Args:
            counts: crops of each identity.
            p, k: of one batch.
        """
        visits = np.ones(len(counts), dtype=np.int64)
        if self.epoch_length == "images":
            visits = np.maximum(counts // k, 1)
        per_round = p * self.world_size
        rounds = visits.sum() // per_round if self.drop_last else -(-visits.sum() // per_round)
        total = int(rounds) * self.world_size if p <= len(counts) else 0
        if self.drop_last:  # fewer batches, until none needs an identity twice
            while total and np.minimum(visits, total).sum() < p * total:
                total -= self.world_size
        return np.minimum(visits, total), total

    def _why_unfilled(self, counts: np.ndarray, size: int, fixed: bool) -> str:
        """Why there are no batches of ``size`` crops, and which could be; ``fixed``: p is given."""

        def fills(p: int, k: int) -> bool:
            return self._plan_visits(counts, p, k)[1] > 0

        key, k = "train.batch_size", self.k
        most = next((p for p in range(self.p if fixed else self.p + 1, 0, -1) if fills(p, k)), 0)
        if most and most >= self.p:  # the identities would do; the size is no p * k
            fit = would_fit(key, *sorted({self.p * k, most * k}))
            return (
                f"{key}={size} is not p identities of k={k} crops: p={self.p} makes {self.p * k}; "
                f"{fit}, or change train.sampler.k" + (" or train.sampler.p" if fixed else "")
            )
        text = (
            f"{len(counts)} identities do not fill one batch of p={self.p} with k={k} crops each "
            f"({key}={size}){on_each(self.world_size)}; "
        )
        fit = would_fit(key, most * k)
        if fixed and most:
            return f"{text}train.sampler.p={most} with {fit}"
        larger = (more for more in range(k + 1, size + 1) if size % more == 0)
        more = next((more for more in larger if fills(size // more, more)), 0)
        return f"{text}{fit}" + (f", or train.sampler.k={more}" if more else "")

    def __len__(self) -> int:
        return self.total // self.world_size

    def plan(self, epoch: int, restart: int) -> list[np.ndarray]:
        """See ``BatchSampler.plan``."""
        rng = self.generator(epoch, restart)
        visits = self._fitted_visits(rng)
        # step 3: copies of one identity stand next to each other and go to consecutive batches,
        # so no batch gets one identity twice (there are at most as many copies as batches)
        order = rng.permutation(len(self.groups))
        copies = np.repeat(order, visits[order])
        batches: list[list[np.ndarray]] = [[] for _ in range(self.total)]
        names = rng.permutation(self.total)
        chunks = {int(i): self._crops_by_visit(self.groups[i], int(visits[i]), rng) for i in order}
        for place, identity in enumerate(copies):
            batches[names[place % self.total]].append(chunks[int(identity)].pop())
        return [np.concatenate(batch) for batch in batches[self.rank :: self.world_size]]

    def _fitted_visits(self, rng: np.random.Generator) -> np.ndarray:
        """Step 2: visits dropped or added at random, to exactly P per batch."""
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

    def _crops_by_visit(
        self, rows: np.ndarray, visits: int, rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Step 4: K rows of one identity for each visit, repeated only when they do not last."""
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


@functools.cache
def _say_once(text: str) -> None:
    """A sampler is built for a trial first, and once for each stage."""
    print(text, flush=True)
