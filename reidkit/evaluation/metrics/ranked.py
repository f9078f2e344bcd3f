"""CMC, average precision by both rules, and inverse negative penalty, from ranks alone.

All functions take the ranks of the positives: ``ranks`` (flat, int, 1 = first, junk already left
out, ascending within a query) and ``starts`` (Q + 1), so that query i has
``ranks[starts[i]:starts[i + 1]]``, at least one. Larger results are better; all lie in [0, 1].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def hit_ranks(*patterns: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(ranks, starts) of written-out rankings, one per query: 1 right, 0 wrong, junk left out.

    Example:
        >>> hit_ranks([0, 1, 0, 1], [1, 0, 0])
        (array([2, 4, 1]), array([0, 2, 3]))
    """
    ranks = [np.flatnonzero(np.asarray(pattern)) + 1 for pattern in patterns]
    starts = np.cumsum([0, *(len(r) for r in ranks)])
    return np.concatenate([np.zeros(0, np.int64), *ranks]), starts


def first_ranks(ranks: NDArray, starts: NDArray) -> NDArray[np.int64]:
    """Rank of the best positive of each query (Q,).

    Raises:
        ValueError: starts and ranks do not fit, or a query has no positive.

    Example:
        >>> first_ranks(*hit_ranks([0, 1, 0, 1], [1, 0, 0]))
        array([2, 1])
    """
    _check(ranks, starts)
    return ranks[starts[:-1]]


def cmc(ranks: NDArray, starts: NDArray, k: int) -> NDArray[np.float64]:
    """1.0 for each query with a positive among its first k, else 0.0 (Q,).

    A ranking shorter than k keeps its last value, so the curve never falls.

    Args:
        k: depth, >= 1.

    Raises:
        ValueError: k < 1.

    Example:
        >>> cmc(*hit_ranks([0, 1], [1, 0]), k=1), cmc(*hit_ranks([0, 1], [1, 0]), k=10)
        (array([0., 1.]), array([1., 1.]))
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return (first_ranks(ranks, starts) <= k).astype(np.float64)


def average_precision(ranks: NDArray, starts: NDArray) -> NDArray[np.float64]:
    """Step average precision (Q,): mean over positives of i / r_i, i counted from 1.

    Source:
        The information-retrieval rule, as torchreid, fast-reid and most papers since 2018 report.

    Example:
        >>> average_precision(*hit_ranks([1, 0, 0, 0, 1])).round(4)
        array([0.7])
    """
    counts, nth = _count(ranks, starts)
    return np.add.reduceat(nth / ranks, starts[:-1]) / counts


def average_precision_official(ranks: NDArray, starts: NDArray) -> NDArray[np.float64]:
    """Trapezoid average precision (Q,): mean of (old_i + i / r_i) / 2.

    old_i = (i - 1) / (r_i - 1), the precision just before the i-th positive, and 1 if it is
    first. Never above the step rule; about half a point below it on Market-1501.

    Source:
        The MATLAB code of Market-1501, Duke, MARS and CUHK03-NP; EANet's code.

    Example:
        >>> average_precision_official(*hit_ranks([1, 0, 0, 0, 1])).round(4)
        array([0.6625])
    """
    counts, nth = _count(ranks, starts)
    before = np.where(ranks > 1, (nth - 1) / np.maximum(ranks - 1, 1), 1.0)
    return np.add.reduceat((before + nth / ranks) / 2, starts[:-1]) / counts


def inverse_negative_penalty(ranks: NDArray, starts: NDArray) -> NDArray[np.float64]:
    """Right images over the rank of the hardest of them (Q,); its mean is mINP.

    Source:
        AGW, arXiv 2001.04193, section 4.3.

    Example:
        >>> inverse_negative_penalty(*hit_ranks([1, 1, 0, 1]))
        array([0.75])
    """
    counts, _ = _count(ranks, starts)
    return counts / ranks[starts[1:] - 1]


def random_ranker(n_positives: ArrayLike, n_gallery: ArrayLike) -> tuple[NDArray, NDArray]:
    """(average precision by the step rule, chance of rank 1) that a random order has on average.

    E[AP] = (H + (n - 1) / (N - 1) (N - H)) / N with H = 1 + 1/2 + ... + 1/N.

    Args:
        n_positives: positives n of each query, at least 1.
        n_gallery: images N in its ranking, junk left out.

    Example:
        >>> random_ranker([1, 3], [2, 3])
        (array([0.75, 1.  ]), array([0.5, 1. ]))
    """
    n, size = np.asarray(n_positives, np.float64), np.asarray(n_gallery, np.int64)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, size.max(initial=0) + 1))])[size]
    more = (n - 1) / np.maximum(size - 1, 1)
    return (harmonic + more * (size - harmonic)) / size, n / size


def _count(ranks: NDArray, starts: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(positives per query, 1-based position of each positive among its query's)."""
    _check(ranks, starts)
    counts = np.diff(starts)
    return counts, np.arange(len(ranks)) - np.repeat(starts[:-1], counts) + 1


def _check(ranks: NDArray, starts: NDArray) -> None:
    if len(starts) < 1 or starts[0] != 0 or starts[-1] != len(ranks):
        raise ValueError(f"starts must go from 0 to the number of ranks {len(ranks)}, got {starts}")
    if np.any(np.diff(starts) < 1):
        raise ValueError("every query needs at least one positive; leave invalid queries out")
