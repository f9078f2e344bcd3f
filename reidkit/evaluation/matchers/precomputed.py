"""Distances that are there already: a matrix, and embeddings that are row numbers of it.

Shape letters: Q queries, G gallery images, N = Q + G.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.structures import Embedding


@dataclass
class RowIds(Embedding):
    """Images of which only their row or column in a matrix of distances is known.

    Attributes:
        ids: (n,) int64.

    Example:
        >>> RowIds.arange(3)[1:].ids.tolist()
        [1, 2]
    """

    ids: Tensor | None = None

    def __post_init__(self) -> None:
        if self.ids is None or self.ids.dtype != torch.int64 or self.ids.ndim != 1:
            raise ValueError(f"row ids must be (n,) int64, got {self.ids}")

    @staticmethod
    def arange(*bounds: int, device: torch.device | str = "cpu") -> RowIds:
        """Rows that follow each other, with the bounds of ``torch.arange``."""
        return RowIds(ids=torch.arange(*bounds, device=device))


class PrecomputedMatcher(Matcher):
    """Distances read from a matrix: rows by the queries' `RowIds`, columns by the gallery's.

    The matrix may be memory-mapped: only the rows of a block are read.

    Args:
        distances: (rows, columns), any float type; smaller is closer.
        across_only: rows are queries and columns gallery images; otherwise row i and column i are
            the same image.

    Raises:
        ValueError: distances that are not a matrix; embeddings that are not row ids.

    Example:
        >>> matcher = PrecomputedMatcher([[0.5, 0.1], [0.2, 0.9]])
        >>> matcher(RowIds.arange(2)[1:], RowIds.arange(2))
        tensor([[0.2000, 0.9000]])
    """

    bounds = (-math.inf, math.inf)
    whole_rows = True

    def __init__(self, distances: ArrayLike, across_only: bool = True):
        super().__init__()
        self.distances = distances if isinstance(distances, np.ndarray) else np.asarray(distances)
        self.across_only = across_only
        if self.distances.ndim != 2:
            raise ValueError(f"distances must be a matrix, got shape {self.distances.shape}")

    def prepare(self, embedding: Embedding, side: str) -> Prepared:
        """The ``ids`` (n,)."""
        return Prepared(ids=ids_of(embedding, self))

    def compare(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """The matrix's entries, copied."""
        rows, columns = query.ids.cpu().numpy(), gallery.ids.cpu().numpy()
        part = self.distances[_span(rows)]
        if not _is_span(columns, self.distances.shape[1]):
            part = part[:, columns]
        if out is not None and out.device.type == "cpu":
            np.copyto(out.numpy(), part, casting="unsafe")
            return out
        values = torch.from_numpy(np.array(part, np.float32))
        return values.to(gallery.device) if out is None else out.copy_(values)


def precomputed(
    distances: ArrayLike,
    query_query: ArrayLike | None = None,
    gallery_gallery: ArrayLike | None = None,
    device: torch.device | str = "cpu",
) -> tuple[RowIds, RowIds, PrecomputedMatcher]:
    """Embeddings and a matcher for whoever has distances: to rank them, or from a re-ranker.

    Ranking needs ``distances`` alone. k-reciprocal re-ranking also needs the other two; all are
    then copied into one matrix of N x N float32.

    Args:
        distances: of queries to gallery images.
        query_query: among the queries.
        gallery_gallery: among the gallery images.
        device: where ranking is to count.

    Shape:
        distances (Q, G), query_query (Q, Q), gallery_gallery (G, G).
        returns Q and G row ids, and the matcher of their distances.

    Raises:
        ValueError: shapes that do not fit, or one of the two that belong together.

    Example:
        >>> query, gallery, matcher = precomputed([[0.5, 0.1], [0.2, 0.9]])
        >>> matcher(query[1:], gallery)
        tensor([[0.2000, 0.9000]])
    """
    across = distances if isinstance(distances, np.ndarray) else np.asarray(distances)
    if across.ndim != 2:
        raise ValueError(f"distances must be a matrix, got shape {across.shape}")
    n_query, n_gallery = across.shape
    if query_query is None and gallery_gallery is None:
        query, gallery = (RowIds.arange(n, device=device) for n in across.shape)
        return query, gallery, PrecomputedMatcher(across)
    given = (query_query, gallery_gallery)
    within = [np.zeros((0, 0)) if table is None else np.asarray(table) for table in given]
    if [x.shape for x in within] != [(n_query, n_query), (n_gallery, n_gallery)]:
        raise ValueError(
            f"distances of {n_query} queries to {n_gallery} gallery images need query_query "
            f"({n_query}, {n_query}) and gallery_gallery ({n_gallery}, {n_gallery}), or neither; "
            f"got {within[0].shape} and {within[1].shape}"
        )
    whole: NDArray[np.float32] = np.empty((n_query + n_gallery,) * 2, np.float32)
    whole[:n_query, :n_query], whole[n_query:, n_query:] = within
    whole[:n_query, n_query:], whole[n_query:, :n_query] = across, across.T
    every = RowIds.arange(n_query + n_gallery, device=device)
    return every[:n_query], every[n_query:], PrecomputedMatcher(whole, across_only=False)


def ids_of(embedding: Embedding, matcher: Matcher) -> Tensor:
    """The row ids (n,) of an embedding.

    Raises:
        ValueError: it holds no row ids.
    """
    if not isinstance(embedding, RowIds) or embedding.ids is None:
        raise ValueError(
            f"{type(matcher).__name__} looks distances up by RowIds, as precomputed gives them; "
            f"the embedding holds {', '.join(embedding._tensors())}"
        )
    return embedding.ids


def _span(rows: NDArray) -> slice | NDArray:
    """A slice where rows follow each other, so that nothing is gathered."""
    first = int(rows[0]) if len(rows) else 0
    return slice(first, first + len(rows)) if _is_span(rows - first, len(rows)) else rows


def _is_span(rows: NDArray, size: int) -> bool:
    return len(rows) == size and bool((rows == np.arange(size)).all())
