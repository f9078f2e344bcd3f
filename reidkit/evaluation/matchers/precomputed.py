"""Distances that are there already: a table, and embeddings that are places in it."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from reidkit.evaluation.matchers.base import Matcher
from reidkit.structures import Embedding


def positions(count: int, device: torch.device | str = "cpu") -> Embedding:
    """Embeddings that say "row i of something", as vectors (count, 1, 1) float64.

    Example:
        >>> positions(3)[1:].vectors.flatten()
        tensor([1., 2.], dtype=torch.float64)
    """
    places = torch.arange(count, dtype=torch.float64, device=device)
    return Embedding(places[:, None, None])


def places(embedding: Embedding) -> Tensor:
    """The rows that `positions` stand for, int64."""
    assert embedding.vectors is not None
    return embedding.vectors[:, 0, 0].long()


class TableMatcher(Matcher):
    """Distances read from a table whose rows are queries and columns gallery images.

    The embeddings to compare are `positions`. The table may be memory-mapped: only the rows of a
    block are read.

    Args:
        table: (Q, G), any float type; smaller is closer.

    Example:
        >>> matcher = TableMatcher([[0.5, 0.1], [0.2, 0.9]])
        >>> matcher(positions(2)[1:], positions(2))
        tensor([[0.2000, 0.9000]])
    """

    bounds = (-math.inf, math.inf)
    whole_rows = True

    def __init__(self, table: ArrayLike):
        super().__init__()
        self.table = table if isinstance(table, np.ndarray) else np.asarray(table)
        if self.table.ndim != 2:
            raise ValueError(f"a table of distances must be (Q, G), got {self.table.shape}")

    def compare(self, query: Embedding, gallery: Embedding, out: Tensor | None = None) -> Tensor:
        """The table's entries, copied."""
        rows, columns = places(query).cpu().numpy(), places(gallery).cpu().numpy()
        part = self.table[_span(rows)]
        if not _is_span(columns, self.table.shape[1]):
            part = part[:, columns]
        if out is not None and out.device.type == "cpu":
            np.copyto(out.numpy(), part, casting="unsafe")
            return out
        found = torch.from_numpy(np.array(part, np.float32))
        return found.to(places(gallery).device) if out is None else out.copy_(found)


def _span(rows: np.ndarray) -> slice | np.ndarray:
    """A slice where rows follow each other, so that nothing is gathered."""
    first = int(rows[0]) if len(rows) else 0
    return slice(first, first + len(rows)) if _is_span(rows - first, len(rows)) else rows


def _is_span(rows: np.ndarray, size: int) -> bool:
    return len(rows) == size and bool((rows == np.arange(size)).all())
