"""Numbers behind the charts: CMC, ROC, histograms of distances, thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reidkit.evaluation.metrics.verification import Verification
from reidkit.evaluation.result import ANY
from reidkit.report.ranking import FAR

DEPTH = 50  # of the CMC
BARS = 60
RATES = np.logspace(-5, 0, 61)  # false accept rates of the ROC


@dataclass(frozen=True)
class Histogram:
    """Distances of genuine and of impostor pairs.

    Attributes:
        edges: (B + 1,) of the bars.
        genuine, impostor: (B,) share of each kind's pairs.
        n_genuine, n_impostor: pairs.
    """

    edges: NDArray[np.float64]
    genuine: NDArray[np.float64]
    impostor: NDArray[np.float64]
    n_genuine: int
    n_impostor: int


@dataclass(frozen=True)
class Threshold:
    """A distance up to which a pair is accepted.

    Attributes:
        name: what it keeps ("FAR 0.1 %", "EER").
        distance: None where every pair may be accepted, or none can be measured.
        far, tar: false and true accept rate at it; None where they cannot be measured.
    """

    name: str
    distance: float | None
    far: float | None
    tar: float | None


def cmc_curve(first_rank: NDArray[np.float64], depth: int = DEPTH) -> NDArray[np.float64]:
    """Share of the valid queries whose person is among the first 1, 2, ... ``depth`` images.

    Args:
        first_rank: rank of the first positive; NaN of invalid queries, which are left out.
        depth: last rank.

    Example:
        >>> cmc_curve(np.array([1.0, 3.0, np.nan]), depth=3)
        array([0.5, 0.5, 1. ])
    """
    known = first_rank[np.isfinite(first_rank)]
    if not len(known):
        return np.zeros(0)
    return np.array([(known <= k).mean() for k in range(1, depth + 1)])


def roc_curve(seen: Verification) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False accept rates, logarithmic steps from 1e-5, with the true accept rate at each.

    Impostor distances are known to one of 65,536 bins; a rate that they are too few for is left
    out.

    Shape:
        returns (far, tar), of equal length.
    """
    genuine, total = joined_genuine(seen), int(seen.counts.sum())
    if not total or not len(genuine):
        return np.zeros(0), np.zeros(0)
    edges = np.linspace(seen.low, seen.high, len(seen.counts) + 1)
    far = np.concatenate([[0], np.cumsum(seen.counts)]) / total
    wanted = RATES[total * RATES >= 1]
    last = np.searchsorted(far, wanted * (1 + 1e-12), "right") - 1  # highest edge of at most a rate
    return wanted, np.searchsorted(genuine, edges[last], "right") / len(genuine)


def joined_genuine(seen: Verification) -> NDArray[np.float32]:
    """Distances of the genuine pairs, ascending."""
    return np.sort(np.concatenate([np.zeros(0, np.float32), *seen.genuine]))


def histogram(seen: Verification, bars: int = BARS) -> Histogram | None:
    """Both kinds of distances, over the range that holds 99.9 % of each; None where one is missing.

    What lies outside the range falls into the first and the last bar.
    """
    genuine, total = joined_genuine(seen), int(seen.counts.sum())
    if not total or not len(genuine):
        return None
    size = len(seen.counts)
    middles = np.linspace(seen.low, seen.high, size + 1)[:-1] + (seen.high - seen.low) / size / 2
    share = np.cumsum(seen.counts) / total
    places = np.minimum(np.searchsorted(share, [5e-4, 0.9995]), size - 1)
    ends = middles[places]
    low = min(float(ends[0]), float(np.quantile(genuine, 5e-4)))
    high = max(float(ends[1]), float(np.quantile(genuine, 0.9995)))
    edges = np.linspace(low, high if high > low else low + 1e-6, bars + 1)
    counts = [
        np.histogram(np.clip(values, edges[0], edges[-1]), edges, weights=weights)[0]
        for values, weights in ((genuine, None), (middles, seen.counts))
    ]
    return Histogram(edges, counts[0] / len(genuine), counts[1] / total, len(genuine), total)


def thresholds(seen: Verification) -> list[Threshold]:
    """Distances at false accept rates of 0.01, 0.1 and 1 %, and where both errors are equal."""
    limits = []
    for rate in FAR:
        figures = seen.tar_at_far(rate)
        distance = figures["threshold"]
        finite = None if distance is None or distance >= ANY else distance
        limits.append(
            Threshold(f"FAR {100 * rate:g} %", finite, figures["reached"], figures["tar"])
        )
    rate_, distance = seen.eer()
    if rate_ is not None:
        limits.append(Threshold("EER", distance, rate_, 1 - rate_))
    return limits
