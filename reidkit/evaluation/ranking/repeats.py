"""Images whose embeddings are equal: each distance to them is computed once, and given to them all.

A matrix product may round the same two vectors otherwise at another place: its edges, and tiles of
another shape, are other kernels, on some processors with another order of additions. Equal images
would then stand by chance instead of in gallery order. So they are found beforehand, exactly; where
there are none, that costs a look at a few numbers of each image.

Shape letters: N images, D numbers of an image, R repeats, F images that are repeated, b queries.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reidkit.evaluation.ranking.memory import empty
from reidkit.structures import Embedding

LOOK = 8  # numbers of an image that are looked at first
PART = 4096  # columns that are copied together
BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # integers as long as a float, in bytes


@dataclass(frozen=True)
class Repeats:
    """The images of a set that are equal to an earlier one in every number.

    Attributes:
        later: (R,) int64, rows that repeat an earlier one, ascending.
        first: (R,) int64, the first row that each is equal to.

    Example:
        >>> rows = torch.tensor([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [1.0, 2.0]])
        >>> repeats = Repeats.of(Embedding(rows[:, None]))
        >>> repeats.later.tolist(), repeats.first.tolist()
        ([2, 3], [0, 0])
    """

    later: Tensor
    first: Tensor

    def __len__(self) -> int:
        return len(self.later)

    @property
    def sources(self) -> Tensor:
        """(F,) rows that are repeated, ascending."""
        return self.first.unique()

    @staticmethod
    def of(images: Embedding) -> Repeats:
        """The repeats among N embeddings, on their device; -0 equals 0, and NaN nothing."""
        tensors = images._tensors().values()
        tables = [tensor.detach()[:, None].flatten(1) for tensor in tensors]
        rows = torch.arange(len(images), device=tables[0].device)
        keys = torch.zeros_like(rows)
        for table in tables:
            start, width = 0, LOOK
            while start < table.shape[1]:
                keys = keys + _keys(table[:, start : start + width], rows)
                shared = _shared(keys)
                if not len(shared):
                    return Repeats(rows[:0], rows[:0])
                rows, keys = rows[shared], keys[shared]
                start, width = start + width, 8 * width
        return _verified(tables, rows, keys)

    def level(self, values: Tensor) -> None:
        """Give the repeats (columns of values (b, N)) the values of the images that they repeat."""
        for later, first in zip(self.later.split(PART), self.first.split(PART), strict=True):
            values[:, later] = values[:, first]

    def distinct(self, count: int) -> tuple[Tensor, Tensor]:
        """Rows that repeat none, ascending, and the place (count,) among them of every row."""
        device = self.later.device
        own = torch.ones(count, dtype=torch.bool, device=device)
        own[self.later] = False
        place = own.cumsum(0) - 1
        place[self.later] = place[self.first]
        return own.nonzero().flatten(), place


class TileLevel:
    """`Repeats.level` for tiles of the columns, which come from left to right.

    Args:
        repeats: among all columns.
        rows: most rows of a tile.
    """

    def __init__(self, repeats: Repeats, rows: int):
        sources = repeats.sources
        held = torch.arange(len(sources), device=sources.device)
        self.sources = sources, held
        self.repeats = repeats.later, torch.searchsorted(sources, repeats.first)
        self.memory = empty(rows, len(sources), device=sources.device)

    def apply(self, tile: Tensor, start: int) -> None:
        """Level a tile (b, w), whose first column is ``start``."""
        if not self.memory.shape[1]:
            return
        memory = self.memory[: len(tile)]
        columns, held = _within(*self.sources, start, tile.shape[1])
        memory[:, held] = tile[:, columns]
        columns, held = _within(*self.repeats, start, tile.shape[1])
        tile[:, columns] = memory[:, held]


def _within(columns: Tensor, held: Tensor, start: int, width: int) -> tuple[Tensor, Tensor]:
    """The columns (ascending) that lie in a tile, counted from its first; and their ``held``."""
    low, high = torch.searchsorted(columns, torch.tensor([start, start + width]).to(columns))
    return columns[low:high] - start, held[low:high]


def _keys(part: Tensor, rows: Tensor) -> Tensor:
    """A sum (rows,) that is the same for equal numbers (N, LOOK or fewer), wherever they stand."""
    part = (part if len(rows) == len(part) else part[rows]) + 0  # of -0, 0
    bits = part.contiguous().view(BITS[part.element_size()]).long()
    source = torch.Generator().manual_seed(part.shape[1])
    factors = torch.randint(-(2**62), 2**62, (part.shape[1],), generator=source)
    return (bits * (2 * factors + 1).to(bits.device)).sum(1)


def _shared(keys: Tensor) -> Tensor:
    """Where keys are that occur more than once, ascending."""
    ordered, turn = keys.sort()
    same = ordered[1:] == ordered[:-1]
    pad = same.new_zeros(1)
    return turn[torch.cat([pad, same]) | torch.cat([same, pad])].sort().values


def _verified(tables: list[Tensor], rows: Tensor, keys: Tensor) -> Repeats:
    """Repeats among rows with shared keys, each compared with the first row of its key."""
    _, group = keys.unique(return_inverse=True)
    pairs: list[tuple[Tensor, Tensor]] = []
    while len(rows):
        first = rows.new_full((int(group.max()) + 1,), len(tables[0]))
        first = first.scatter_reduce(0, group, rows, "amin")[group]
        equal = torch.ones_like(rows, dtype=torch.bool)
        for table in tables:
            for some in torch.arange(len(rows), device=rows.device).split(PART):
                equal[some] &= (table[rows[some]] == table[first[some]]).all(1)
        pairs.append((rows[equal & (rows != first)], first[equal & (rows != first)]))
        left = ~equal & (rows != first)  # another image with the same key by chance, or no number
        rows, group = rows[left], group[left]
    later, first = (torch.cat(part) for part in zip(*pairs, strict=True))
    later, turn = later.sort()
    return Repeats(later, first[turn])
