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
        """(place in ``rows``, entry) of all entries of some rows, in their order."""
        counts = (self.starts[1:] - self.starts[:-1])[rows]
        place = torch.arange(len(rows), device=rows.device).repeat_interleave(counts)
        begin = counts.cumsum(0) - counts
        entry = torch.arange(len(place), device=rows.device) - begin[place]
        return place, entry + self.starts[rows][place]

    def means(self, lists: Tensor) -> Sparse:
        """Each row replaced by the mean of the rows in its list (N, k), its own the first."""
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
        """From entries sorted by row, then column."""
        starts = torch.zeros(count + 1, dtype=torch.int64, device=rows.device)
        starts[1:] = torch.bincount(rows, minlength=count).cumsum(0)
        return Sparse(starts, columns, values)
