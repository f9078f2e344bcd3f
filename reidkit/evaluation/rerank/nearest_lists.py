"""Lists of nearest neighbours kept on the CPU: few values of a tile are looked at twice.

Shape letters: N images, k neighbours, r rows and c columns of a tile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CACHED = 1 << 18  # values of a tile looked at together; fit the processor's cache
WAITING = 1 << 20  # candidates that may wait to be merged
GROUPS = 4  # as many groups per neighbour are formed to bound the first lists
EMPTY = np.iinfo(np.uint64).max


@dataclass
class Neighbours:
    """The k nearest images of each, itself among them, the closest first.

    Attributes:
        index: (N, k) int64; equal distances by index.
        distance: (N, k) float32.
        farthest: (N,) float32, the largest distance of each image to any.
    """

    index: Tensor
    distance: Tensor
    farthest: Tensor


class NearestLists:
    """The k smallest distances of each image so far, with the index of the other image.

    A value of a new tile matters only if it is below the largest of its row's list, or of its
    column's; after the first tiles that is one in hundreds. Those that pass wait, then are sorted
    into the lists as 64-bit keys: distance first, then index, so equal distances stand by index.
    NaN comes last.

    Args:
        count: number of images N, below 2**32.
        k: length of the lists.

    Example:
        >>> lists = NearestLists(count=3, k=2)
        >>> tile = torch.tensor([[0.0, 0.5, 0.2], [0.5, 0.0, 0.1], [0.2, 0.1, 0.0]])
        >>> lists.add(slice(0, 3), slice(0, 3), tile, both=False)
        >>> lists.result().index.tolist()
        [[0, 2], [1, 2], [2, 1]]
    """

    def __init__(self, count: int, k: int):
        self.keys = np.full((count, k), EMPTY, np.uint64)
        self.bound = np.full(count, np.nan, np.float32)  # NaN: there is none yet
        self.farthest = np.full(count, -np.inf, np.float32)
        self.waiting: list[tuple[NDArray, NDArray]] = []
        self.n_waiting = 0

    def add(self, rows: slice, columns: slice, tile: Tensor, both: bool) -> None:
        """Take in a tile of distances.

        Tiles come so that each image meets the others in their order: of equal distances the first
        one stays.

        Args:
            rows: images of the tile's rows.
            columns: images of its columns.
            tile: (r, c) distances, on the CPU; not changed.
            both: the tile also serves the lists of its columns, since the distance is symmetric.
        """
        table = tile.detach().float().numpy()
        if both:
            self._limit(columns, table)
        step = max(1, CACHED // table.shape[1])
        for start in range(0, len(table), step):
            part = table[start : start + step]
            at = slice(rows.start + start, rows.start + start + len(part))
            self._limit(at, part.T)
            np.maximum(self.farthest[at], part.max(1), out=self.farthest[at])
            row, column = _not_from(part, self.bound[at, None])
            self._wait(at.start + row, part[row, column], columns.start + column)
            if both:
                far = self.farthest[columns]
                np.maximum(far, part.max(0), out=far)
                row, column = _not_from(part, self.bound[columns])
                self._wait(columns.start + column, part[row, column], at.start + row)
            if self.n_waiting > WAITING:
                self._merge()
        self._merge()

    def _limit(self, images: slice, values: NDArray) -> None:
        """Bound lists that are still empty.

        The k-th smallest of the minima of more than k groups is not below the k-th smallest value.

        Args:
            images: whose lists.
            values: (n, images) new distances of each.
        """
        groups = GROUPS * self.keys.shape[1]
        high = len(values) // groups
        if high < 2 or not np.isnan(self.bound[images]).all():
            return
        least = values[: high * groups].reshape(high, groups, -1).min(0)
        k = self.keys.shape[1]
        bound = np.partition(least, k - 1, axis=0)[k - 1]
        with np.errstate(over="ignore"):
            bound = np.nextafter(bound, np.float32(np.inf))  # the values at the bound are wanted
        self.bound[images] = np.where(bound < np.inf, bound, np.nan)

    def _wait(self, images: NDArray, values: NDArray, index: NDArray) -> None:
        if len(images):
            self.waiting.append((images, _keys(values, index)))
            self.n_waiting += len(images)

    def _merge(self) -> None:
        """Sort what waits into the lists."""
        if not self.waiting:
            return
        images, keys = (np.concatenate(parts) for parts in zip(*self.waiting, strict=True))
        self.waiting, self.n_waiting = [], 0
        k = self.keys.shape[1]
        turn = np.argsort(images, kind="stable")
        images, keys = images[turn], keys[turn]
        touched, first, counts = np.unique(images, return_index=True, return_counts=True)
        if counts.max() > 4 * k:  # padded to the longest, rows would take much memory
            turn = np.lexsort((keys, images))
            keys = keys[turn]
        row = np.repeat(np.arange(len(touched)), counts)
        nth = np.arange(len(keys)) - first[row]
        kept = nth < 4 * k
        new = np.full((len(touched), min(4 * k, counts.max())), EMPTY)
        new[row[kept], nth[kept]] = keys[kept]
        lists = np.concatenate([self.keys[touched], new], 1)
        lists.sort(axis=1)
        self.keys[touched] = lists[:, :k]
        last = lists[:, k - 1]
        self.bound[touched] = np.where(last == EMPTY, self.bound[touched], _values(last))

    def result(self) -> Neighbours:
        """The lists."""
        index = (self.keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
        parts = index, _values(self.keys), self.farthest
        return Neighbours(*map(torch.from_numpy, parts))


def _not_from(part: NDArray, bound: NDArray) -> tuple[NDArray, NDArray]:
    """Row and column of the values that are not ``bound`` or more: less, or one of both NaN."""
    beyond = (part >= bound).ravel()
    whole = len(beyond) // 8 * 8
    eights = np.flatnonzero(beyond[:whole].view(np.uint64) != 0x0101010101010101)  # seldom many
    at = (eights[:, None] * 8 + np.arange(8)).ravel()
    at = np.concatenate([at[~beyond[at]], whole + np.flatnonzero(~beyond[whole:])])
    return np.divmod(at, part.shape[1])


def _keys(values: NDArray, index: NDArray) -> NDArray[np.uint64]:
    """Integers that sort as (value, index)."""
    values = values + np.float32(0)  # -0 is 0
    values[np.isnan(values)] = np.nan  # the positive one, which comes last
    bits = values.view(np.uint32)
    bits = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return bits.astype(np.uint64) << np.uint64(32) | index.astype(np.uint64)


def _values(keys: NDArray[np.uint64]) -> NDArray[np.float32]:
    """The values of `_keys`."""
    bits = (keys >> np.uint64(32)).astype(np.uint32)
    return np.where(bits >> 31, bits & np.uint32(0x7FFFFFFF), ~bits).view(np.float32)


def smallest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest of each row and their columns, ascending; equal values by column.

    Args:
        values: (r, c), on any device.
        k: how many; c if there are fewer columns.

    Shape:
        returns values (r, k) and columns (r, k) int64.

    Example:
        >>> [x.tolist() for x in smallest(torch.tensor([[2.0, 1.0, 1.0, 1.0]]), 2)]
        [[[1.0, 1.0]], [[1, 2]]]
    """
    k = min(k, values.shape[1])
    taken, index = values.topk(min(k + 1, values.shape[1]), largest=False)
    taken, index = sorted_rows(taken, index)
    if taken.shape[1] > k:
        tied = torch.nonzero(taken[:, k] == taken[:, k - 1]).flatten()
        if len(tied):  # which of the tied ones topk took is chance
            whole = values[tied].sort(dim=1, stable=True)
            taken[tied], index[tied] = whole.values[:, : k + 1], whole.indices[:, : k + 1]
    return taken[:, :k], index[:, :k]


def sorted_rows(values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Rows ascending by value, then by index."""
    index, turn = index.sort(dim=1)
    values, turn = values.gather(1, turn).sort(dim=1, stable=True)
    return values, index.gather(1, turn)
