"""What galleries of N people drawn at random would answer, counted from one table of distances.

Shape letters: n probes, P people, M = P - 1 others, N identities of a gallery.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reidkit.evaluation.calibration import fit_calibration

CURVES = ("isotonic", "logistic")
Answers = tuple[NDArray, NDArray, NDArray]  # distances, 1 for the right person, how often


def left_out(others: int, size: int) -> NDArray[np.float64]:
    """Chance (M + 1,) that none of the nearest k = 0..M of M people is among N <= M drawn."""
    k = np.arange(others + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, others + 1)))])  # of factorials
    fits = k <= others - size
    out = np.zeros(others + 1)
    share = logs[others - k[fits]] - logs[others - k[fits] - size]
    out[fits] = np.exp(share - (logs[others] - logs[others - size]))
    return out


def strangers_of(table: NDArray, owner: NDArray) -> NDArray:
    """Distances (n, M) of each probe to the other people, ascending."""
    values = np.where(np.arange(table.shape[1]) == owner[:, None], np.inf, table)
    return np.sort(values, axis=1)[:, :-1]


def false_answers(table: NDArray, owner: NDArray, size: int) -> tuple[NDArray, NDArray]:
    """Distances at which a search for someone absent answers, ascending; the share up to each.

    More than M people are taken for several galleries of M of which none knows the other: the
    chance that all stay silent is the product of theirs. A probe's own distances to M people say
    nothing of those nearer than the nearest, so the product is taken over all probes together.
    """
    strangers = strangers_of(table, owner)
    others = strangers.shape[1]
    weights = np.broadcast_to(-np.diff(left_out(others, min(size, others))), strangers.shape)
    kept = (weights > 1e-9) & np.isfinite(strangers)
    values, weights = strangers[kept], weights[kept]
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / len(table)
    return values[order], _of_several(reached, size / others) if size > others else reached


def _of_several(reached: NDArray, galleries: float) -> NDArray:
    """Share of searches that one of several galleries answers, of the share that one does."""
    return 1 - (1 - np.minimum(reached, 1.0)) ** galleries


def distance_at(table: NDArray, owner: NDArray, size: int, rate: float) -> float:
    """The distance up to which a share ``rate`` of such searches answers, interpolated."""
    values, cumulated = false_answers(table, owner, size)
    if not len(values):
        return float("nan")
    middle = cumulated - np.diff(cumulated, prepend=0.0) / 2
    return float(np.interp(rate, middle, values))


def answers(table: NDArray, owner: NDArray, size: int, mated: float) -> Answers:
    """What searches answer: distances, whether it is the right person, and how often."""
    strangers = strangers_of(table, owner)
    others, own = strangers.shape[1], table[np.arange(len(table)), owner]
    there = np.isfinite(own)
    values, reached = false_answers(table, owner, size)
    absent = np.diff(reached, prepend=0.0) * (1 - mated)
    rest = size - 1  # beside the one who is searched for
    left = left_out(others, min(rest, others))
    before = strangers[there] < own[there, None]
    share = mated / max(1, there.sum())
    wrong = np.where(before, -np.diff(left), 0.0) * share
    right = left[before.sum(1)] * share
    present = _joined(
        (strangers[there].ravel(), np.zeros(wrong.size), wrong.ravel()),
        (own[there], np.ones(right.size), right),
    )
    if rest > others:
        whole = false_answers(table, owner, others)
        present = _among_more(present, *whole, (rest - others) / others)
    distances, correct, weights = _joined((values, np.zeros(len(values)), absent), present)
    kept = (weights > 1e-12) & np.isfinite(distances)
    return distances[kept], correct[kept] > 0, weights[kept]


def _among_more(found: Answers, values: NDArray, reached: NDArray, galleries: float) -> Answers:
    """Answers where some more galleries hold strangers, who may be nearer: wrong ones then.

    Args:
        found: answers of a gallery of M.
        values, reached: what another M strangers answer; see `false_answers`.
        galleries: how many times M strangers there are beyond the first.
    """
    distances, right, weights = found
    nearer = _of_several(reached, galleries)
    upto = np.concatenate([[0.0], nearer])[np.searchsorted(values, distances, "right")]
    order = np.argsort(distances, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(weights[order])])
    beyond = sums[-1] - sums[np.searchsorted(distances[order], values, "left")]
    wrong = np.diff(nearer, prepend=0.0) * beyond
    return _joined((distances, right, weights * (1 - upto)), (values, np.zeros(len(values)), wrong))


def _joined(one: Answers, other: Answers) -> Answers:
    distances, right, weights = (np.concatenate(pair) for pair in zip(one, other, strict=True))
    return distances, right, weights


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
