"""What galleries of N people drawn at random would answer, counted from one table of distances.

Shape letters: n probes, P people, M = P - 1 others, N identities of a gallery.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reidkit.evaluation.calibration import fit_calibration

CURVES = ("isotonic", "logistic")


def left_out(others: int, size: int) -> NDArray[np.float64]:
    """Chance (M + 1,) that none of the nearest k = 0..M of M people is among N drawn.

    Up to half of them are drawn at once; a larger gallery is taken for several such draws, which
    do not depend on each other.
    """
    drawn = min(size, max(1, others // 2))
    k = np.arange(others + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, others + 1)))])  # of factorials
    fits = k <= others - drawn
    out = np.zeros(others + 1)
    share = logs[others - k[fits]] - logs[others - k[fits] - drawn]
    out[fits] = np.exp(share - (logs[others] - logs[others - drawn]))
    return out ** (size / drawn)


def strangers_of(table: NDArray, owner: NDArray) -> NDArray:
    """Distances (n, M) of each probe to the other people, ascending."""
    values = np.where(np.arange(table.shape[1]) == owner[:, None], np.inf, table)
    return np.sort(values, axis=1)[:, :-1]


def false_answers(table: NDArray, owner: NDArray, size: int) -> tuple[NDArray, NDArray]:
    """Distances at which a search for someone absent answers, ascending; the share up to each."""
    strangers = strangers_of(table, owner)
    weights = np.broadcast_to(-np.diff(left_out(strangers.shape[1], size)), strangers.shape)
    kept = (weights > 1e-9) & np.isfinite(strangers)
    values, weights = strangers[kept], weights[kept]
    order = np.argsort(values, kind="stable")
    return values[order], np.cumsum(weights[order]) / len(table)


def distance_at(table: NDArray, owner: NDArray, size: int, rate: float) -> float:
    """The distance up to which a share ``rate`` of such searches answers, interpolated."""
    values, cumulated = false_answers(table, owner, size)
    if not len(values):
        return float("nan")
    middle = cumulated - np.diff(cumulated, prepend=0.0) / 2
    return float(np.interp(rate, middle, values))


def answers(
    table: NDArray, owner: NDArray, size: int, mated: float
) -> tuple[NDArray, NDArray, NDArray]:
    """What searches answer: distances, whether it is the right person, and how often."""
    strangers = strangers_of(table, owner)
    own = table[np.arange(len(table)), owner]
    there = np.isfinite(own)
    absent = np.broadcast_to(-np.diff(left_out(strangers.shape[1], size)), strangers.shape)
    parts = [(strangers, np.zeros(strangers.shape), absent * (1 - mated) / len(table))]
    if size == 1:  # the one who is enrolled is the one
        left = np.ones(strangers.shape[1] + 1)
    else:
        left = left_out(strangers.shape[1], size - 1)
    before = strangers[there] < own[there, None]
    share = mated / max(1, there.sum())
    wrong = np.where(before, -np.diff(left), 0.0) * share
    parts.append((strangers[there], np.zeros(wrong.shape), wrong))
    parts.append((own[there], np.ones(there.sum()), left[before.sum(1)] * share))
    distances, right, weights = (
        np.concatenate([part[i].ravel() for part in parts]) for i in range(3)
    )
    kept = (weights > 1e-12) & np.isfinite(distances)
    return distances[kept], right[kept] > 0, weights[kept]


def fitted(
    curve: str, distances: NDArray, right: NDArray, weights: NDArray
) -> Callable[[ArrayLike], NDArray[np.float64]]:
    """A falling curve through answers, right and wrong, by scikit-learn's regression."""
    if right.all() or not right.any():
        share = float(right.any())
        return lambda d: np.full(np.shape(d), share)
    if curve == "logistic":
        slope, intercept = fit_calibration(distances, right, weights / weights.mean())
        return lambda d: 1 / (1 + np.exp(np.clip(slope * np.asarray(d) - intercept, -700, 700)))
    from sklearn.isotonic import IsotonicRegression  # heavy; a check does not need it

    steps = IsotonicRegression(increasing=False, y_min=0, y_max=1, out_of_bounds="clip")
    steps.fit(distances, right.astype(float), weights)
    known, share = steps.X_thresholds_, steps.y_thresholds_
    return lambda d: np.interp(np.asarray(d, np.float64), known, share)
