"""Graph sampling: every batch is a class and the classes nearest to it.

Shape letters: C classes, B images of a batch, K images of a class, P = B / K classes of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, is_main_process
from numpy.typing import NDArray

from reidkit.data.samplers import BatchSampler, would_fit
from reidkit.errors import UserError
from reidkit.evaluation.matchers.base import Matcher
from reidkit.registry import SAMPLERS
from reidkit.structures import Embedding
from reidkit.utils.progress import track

REPRESENTATIVES, LISTS, ORDER, RANDOM = 1, 2, 3, 4  # separate sources of randomness
ROWS = 64  # classes compared with all others at a time


@SAMPLERS.register_module()
class GraphSampler(BatchSampler):
    """Batches of one class and its P - 1 nearest ones, K images each, by the model as it is now.

    Before every epoch one image of each class is embedded, and the classes are compared by the
    model's own matcher. An epoch is C batches: every class leads one, its neighbours standing
    before it, nearest first. A class's images are taken in the order of its shuffled list from
    where the last batch stopped, across batches and epochs; a class with fewer than K images
    repeats them. Works with any method: a matcher need not be a learned one.

    Lists are pure functions of (seed, class, times shuffled), representatives and the order of
    batches of (seed, epoch); where the lists stand, and the batches of the epoch, are the state.
    Under several processes the first one computes the graph, each takes every world-size-th
    batch whole, and the first batches come twice where they do not divide.

    Args:
        identities: identity of every crop.
        batch_size: B, on each process.
        k: K.
        distance: how classes are compared: "matcher" (as published); "cosine" of the vectors or
            of the mean cell of the maps, which is cheaper; "random": random neighbours in place
            of near ones, the textbook batch of P classes with as many steps.
        random_epochs: epochs at the start whose neighbours are random (version 2.0: about 1).
        seed, rank, world_size: see ``BatchSampler``.

    Raises:
        UserError: B is no multiple of K; fewer classes than P.
        ValueError: an unknown distance.
        RuntimeError: iterated in an epoch for which the model was not shown.

    Source:
        QAConv-GS, arXiv 2104.01546, section 4; order and lists as in the released code. Ours:
        the rule for ties (nearer, then the class listed first) and the rules for processes.

    Example:
        >>> sampler = GraphSampler([7, 7, 7, 4, 4, 9], batch_size=4, k=2, distance="random")
        >>> sampler.refresh(None)
        >>> len(sampler), [len(batch) for batch in sampler]
        (3, [4, 4, 4])
    """

    def __init__(
        self,
        identities: Sequence[int] | NDArray,
        batch_size: int,
        k: int = 2,
        distance: str = "matcher",
        random_epochs: int = 0,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ):
        super().__init__(seed, rank, world_size)
        if distance not in ("matcher", "cosine", "random"):
            raise ValueError(f'distance must be "matcher", "cosine" or "random", got {distance!r}')
        if k < 1 or batch_size % k:
            raise UserError(
                f"GraphSampler: train.batch_size={batch_size} is no multiple of k={k} images per "
                f"class; make it {max(1, batch_size // max(1, k)) * max(1, k)}, or change "
                "train.sampler.k"
            )
        self.k, self.p = int(k), batch_size // int(k)
        self.distance, self.random_epochs = distance, random_epochs
        self.images = _by_class(np.asarray(identities))
        if len(self.images) < self.p:
            raise UserError(
                f"GraphSampler: train.batch_size={batch_size} is {self.p} classes of k={k} images, "
                f"but there are only {len(self.images)}; "
                f"{would_fit('train.batch_size', len(self.images) * self.k)}, or raise "
                "train.sampler.k"
            )
        classes = len(self.images)
        self._at = np.zeros(classes, np.int64)  # next image in each class's list
        self._shuffles = np.zeros(classes, np.int64)
        self._lists: dict[int, NDArray] = {}
        self._filled_for = -1  # epoch of the batches
        self._batches = np.zeros((0, batch_size), np.int64)

    def __len__(self) -> int:
        return -(-len(self.images) // self.world_size)

    # -- before an epoch --------------------------------------------------------------------
    def refresh(self, model: Any) -> None:
        """Make the graph of this epoch and fill its batches; once, so a resumed epoch keeps them.

        Args:
            model: has ``embed(rows) -> Embedding`` and ``matcher``; not looked at for random
                neighbours.
        """
        if self._filled_for == self.epoch:
            return
        if self.distance == "random" or self.epoch < self.random_epochs:
            self.fill(self._random_neighbours())
            return
        embedding = model.embed(self.representatives())
        nearest: list[Any] = [None]
        if is_main_process():
            table = class_distances(embedding, model.matcher, self.distance)
            nearest = [nearest_classes(table, self.p - 1)]
        broadcast_object_list(nearest)
        self.fill(nearest[0])

    def representatives(self) -> NDArray[np.int64]:
        """One random image of every class (C,), for this epoch."""
        random = np.random.default_rng([self.seed, REPRESENTATIVES, self.epoch])
        return np.array([rows[random.integers(len(rows))] for rows in self.images])

    def _random_neighbours(self) -> NDArray[np.int64]:
        random = np.random.default_rng([self.seed, RANDOM, self.epoch])
        count = len(self.images)
        # numbers of the C - 1 others; those from the class itself on stand for the next one
        others = np.stack([random.permutation(count - 1)[: self.p - 1] for _ in range(count)])
        return others + (others >= np.arange(count)[:, None])

    def fill(self, neighbours: NDArray[np.int64]) -> None:
        """Fill this epoch's batches, in the order of the classes that lead them.

        Args:
            neighbours: (C, P - 1) classes, nearest first.
        """
        leaders = np.arange(len(self.images))[:, None]
        rows = [
            [self._next(int(one)) for one in classes for _ in range(self.k)]
            for classes in np.concatenate([neighbours, leaders], 1)
        ]
        self._batches = np.array(rows, np.int64)
        self._filled_for = self.epoch

    def _next(self, number: int) -> int:
        """The next image of a class."""
        row = self._list(number)[self._at[number]]
        self._at[number] += 1
        if self._at[number] == len(self.images[number]):
            self._at[number] = 0
            self._shuffles[number] += 1
            self._lists.pop(number, None)
        return int(row)

    def _list(self, number: int) -> NDArray[np.int64]:
        if number not in self._lists:
            source = [self.seed, LISTS, number, int(self._shuffles[number])]
            self._lists[number] = self.shuffled(self.images[number], np.random.default_rng(source))
        return self._lists[number]

    def shuffled(self, rows: NDArray, random: np.random.Generator) -> NDArray:
        """A class's images in a new order."""
        return random.permutation(rows)

    # -- in an epoch ------------------------------------------------------------------------
    def plan(self, epoch: int, restart: int) -> list[NDArray]:
        """See ``BatchSampler.plan``."""
        if epoch != self._filled_for:
            raise RuntimeError(
                f"GraphSampler: no batches for epoch {epoch}; call set_epoch and refresh(model) "
                "before it"
            )
        order = np.random.default_rng([self.seed, ORDER, epoch, restart])
        mixed = self._batches[order.permutation(len(self._batches))]
        padded = np.resize(mixed, (len(self) * self.world_size, mixed.shape[1]))
        return list(padded[self.rank :: self.world_size])

    # -- state ------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """Where the lists stand, and the batches of the epoch."""
        return {
            **super().state_dict(),
            "drawn_for": self._filled_for,
            "at": torch.from_numpy(self._at.copy()),
            "shuffles": torch.from_numpy(self._shuffles.copy()),
            "batches": torch.from_numpy(self._batches.copy()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state_dict()``.

        Raises:
            ValueError: other keys than state_dict gives, or of another number of classes.
        """
        own = self.state_dict()
        if set(state) != set(own) or len(state["at"]) != len(self._at):
            raise ValueError(
                f"GraphSampler: state with {sorted(state)}, of {len(state.get('at', ()))} classes; "
                f"expected {sorted(own)}, of {len(self._at)}"
            )
        super().load_state_dict({key: state[key] for key in ("epoch", "restart", "start")})
        self._filled_for = int(state["drawn_for"])
        self._at, self._shuffles, self._batches = (
            torch.as_tensor(state[key]).numpy().copy() for key in ("at", "shuffles", "batches")
        )
        self._lists = {}


def _by_class(identities: NDArray) -> list[NDArray[np.int64]]:
    """Rows of every class; classes are numbered by their first row."""
    known, first, label = np.unique(identities, return_index=True, return_inverse=True)
    rows = np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label))[:-1])
    return [rows[i] for i in np.argsort(first, kind="stable")] if len(known) else []


def nearest_classes(distances: NDArray, count: int) -> NDArray[np.int64]:
    """The nearest other classes of each, nearest first, equal ones in the order of the classes.

    Shape:
        distances (C, C); returns (C, count) int64.

    Example:
        >>> nearest_classes(np.array([[0, 2., 2.], [1., 0, 3.], [1., 1., 0]]), 1).tolist()
        [[1], [0], [0]]
    """
    out = np.empty((len(distances), count), np.int64)
    for i, row in enumerate(distances) if count else ():
        row = row.astype(np.float32)
        row[i] = np.inf
        limit = np.partition(row, count - 1)[count - 1]
        near = np.flatnonzero(row <= limit)
        near = near[near != i]
        out[i] = near[np.argsort(row[near], kind="stable")[:count]]
    return out


@torch.no_grad()
def class_distances(
    embedding: Embedding, matcher: Any, distance: str = "matcher"
) -> NDArray[np.float32]:
    """What orders the classes by nearness, from one embedding of each; nothing else of that size.

    Args:
        embedding: of C representatives.
        matcher: a `Matcher` or a module with ``forward(query, gallery)``. One that says it is
            ``symmetric`` is asked for half of the table.
        distance: "matcher", or "cosine" of pooled embeddings, without the matcher.

    Shape:
        returns (C, C) float32, smaller is closer; the diagonal means nothing.
    """
    count = len(embedding)
    table = np.empty((count, count), np.float32)
    if distance == "cosine":
        pooled = _pooled(embedding)
        return np.matmul(pooled.numpy(), -pooled.T.numpy(), out=table)
    half = bool(getattr(matcher, "symmetric", False))
    ready, order = (embedding, embedding), matcher
    if isinstance(matcher, Matcher):
        ready = tuple(matcher.prepare(embedding, side) for side in ("query", "gallery"))
        order = matcher.compare if half else matcher.order  # order may drop a constant per row
    blocks = range(0, count, ROWS)
    for start in track(blocks, label="class graph", unit="blocks", show=count >= 1000):
        rows = slice(start, min(start + ROWS, count))
        left = start if half else 0
        values = order(ready[0][rows], ready[1][left:])
        table[rows, left:] = values.cpu().numpy()
        if half:
            table[left:, rows] = table[rows, left:].T
    return table


def _pooled(embedding: Embedding) -> torch.Tensor:
    if embedding.vectors is not None:
        flat = embedding.vectors.flatten(1)
    else:
        assert embedding.maps is not None  # an Embedding has one of the two
        flat = embedding.maps.flatten(2).mean(2)
    return torch.nn.functional.normalize(flat.float())
