"""Matrices by their entries that are not zero, in plain tensors, on any device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Sparse:
    """A matrix of N rows by its entries that are not zero, row after row.

    Attributes:
        starts: (rows + 1,) int64.
        columns: int64, ascending within a row.
        values: float32.
    """

    starts: Tensor
    columns: Tensor
    values: Tensor

    def rows(self) -> Tensor:
        """The row of each entry."""
        counts = self.starts.diff()
        return torch.arange(len(counts), device=counts.device).repeat_interleave(counts)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Where the entries of some rows lie, row after row.

        Args:
            rows: (r,) int64, in any order, also more than once.

        Shape:
            returns two int64 tensors of all their entries (e,): which of ``rows`` an entry belongs
            to, 0..r-1, and its place in ``columns`` and ``values``.

        Example:
            >>> table = Sparse.of(*torch.tensor([[0, 0, 2], [1, 3, 0]]), torch.ones(3), 3)
            >>> [x.tolist() for x in table.take(torch.tensor([2, 1, 0]))]
            [[0, 2, 2], [2, 0, 1]]
        """
        counts = (self.starts[1:] - self.starts[:-1])[rows]
        place = torch.arange(len(rows), device=rows.device).repeat_interleave(counts)
        begin = counts.cumsum(0) - counts
        entry = torch.arange(len(place), device=rows.device) - begin[place]
        return place, entry + self.starts[rows][place]

    def means(self, lists: Tensor) -> Sparse:
        """Each row replaced by the mean of the rows in its list.

        Args:
            lists: (N, k) int64, rows that are averaged; with k = 1 each row's own.

        Returns:
            N rows, with an entry wherever one of the k rows has one; entries that are missing count
            as 0.

        Example:
            >>> table = Sparse.of(*torch.tensor([[0, 1], [0, 1]]), torch.tensor([1.0, 3.0]), 2)
            >>> mean = table.means(torch.tensor([[0, 1], [1, 0]]))
            >>> mean.columns.tolist(), mean.values.tolist()
            ([0, 1, 0, 1], [0.5, 1.5, 0.5, 1.5])
        """
        count, k = lists.shape
        if k == 1:
            return self
        place, entry = self.take(lists.flatten())
        key = (place // k) * count + self.columns[entry]
        key, at = key.unique(return_inverse=True)
        values = torch.zeros(len(key), device=key.device).index_add_(0, at, self.values[entry])
        return Sparse.of(key // count, key % count, values / k, count)

    @staticmethod
    def of(rows: Tensor, columns: Tensor, values: Tensor, count: int) -> Sparse:
        """A matrix from its entries.

        Args:
            rows: (e,) int64, ascending.
            columns: (e,) int64, ascending within a row.
            values: (e,) float32.
            count: number of rows.
        """
        starts = torch.zeros(count + 1, dtype=torch.int64, device=rows.device)
        starts[1:] = torch.bincount(rows, minlength=count).cumsum(0)
        return Sparse(starts, columns, values)
