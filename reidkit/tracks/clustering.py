"""Tracklets that are one identity: average linkage in which some pairs are kept apart.

Shape letter: T tracklets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reidkit.tracks.tracklets import Tracklet


def kept_apart(tracklets: Sequence[Tracklet], min_travel: float | None = None) -> NDArray[np.bool_]:
    """Pairs (T, T) that are two people for certain.

    Tracks of one camera with a frame in common are: nobody is at two places. So are, where views do
    not overlap, tracks of two cameras between which there is too little time.

    Args:
        tracklets: of all cameras, those of a camera one after the other.
        min_travel: seconds from one camera to another, at least; None: views may overlap.
    """
    from scipy.sparse import csr_array

    cameras = np.array([one.camera for one in tracklets])
    apart = np.zeros((len(tracklets), len(tracklets)), bool)
    for camera in np.unique(cameras):
        own = np.flatnonzero(cameras == camera)
        columns = np.concatenate([tracklets[row].frames for row in own.tolist()])
        ends = np.cumsum([0, *(len(tracklets[row].frames) for row in own.tolist())])
        seen = csr_array((np.ones(len(columns), np.int32), columns, ends))
        apart[np.ix_(own, own)] = (seen @ seen.T).toarray() > 0
    if min_travel is not None:
        starts, ends = (np.array([getattr(one, n) for one in tracklets]) for n in ("start", "end"))
        gaps = np.maximum(starts[None] - ends[:, None], starts[:, None] - ends[None])
        apart |= (gaps < min_travel) & (cameras[:, None] != cameras[None])
    np.fill_diagonal(apart, False)
    return apart


def clusters(distances: ArrayLike, apart: ArrayLike, threshold: float) -> NDArray[np.int64]:
    """Cluster (T,) of each tracklet, from 0, by average linkage.

    Two clusters are joined while their mean distance is at most the threshold, the nearest two
    first. A pair that is kept apart counts with a distance so large that no mean in which it takes
    part comes down to the threshold.

    Args:
        distances: symmetric.
        apart: pairs that never come together, symmetric.
        threshold: a distance.

    Shape:
        distances (T, T) float and apart (T, T) bool.

    Raises:
        ValueError: distances that are not finite.

    Example:
        >>> d = np.abs(np.subtract.outer([0.0, 0.1, 0.2, 5.0], [0.0, 0.1, 0.2, 5.0]))
        >>> clusters(d, np.zeros((4, 4), bool), threshold=1.0).tolist()
        [0, 0, 0, 1]
        >>> clusters(d, np.outer([1, 0, 0, 0], [0, 1, 0, 0]) > 0, threshold=1.0).tolist()
        [0, 1, 1, 2]
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    table, never = np.array(distances, np.float64), np.asarray(apart, bool)
    if not np.isfinite(table).all():
        raise ValueError("clusters: distances must be finite")
    never = never | never.T
    if len(table) == 1:
        return np.zeros(1, np.int64)
    table[never] = (np.abs(table).max() + abs(threshold) + 1) * len(table) ** 2
    np.fill_diagonal(table, 0)
    tree = linkage(squareform(table, checks=False), "average")
    labels = fcluster(tree, threshold, "distance")
    if (never & (labels[:, None] == labels)).any():
        raise AssertionError("two tracklets that are kept apart came into one cluster")
    _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers].astype(np.int64)


def divided_by_gaps(
    labels: NDArray[np.int64], tracklets: Sequence[Tracklet], max_gap: float
) -> NDArray[np.int64]:
    """Clusters (T,) in which nobody is away for longer than ``max_gap`` seconds.

    Who comes back later, at any camera, is another identity.
    """
    out = np.array(labels)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        own = own[np.argsort([tracklets[row].start for row in own.tolist()], kind="stable")]
        reach = np.maximum.accumulate([tracklets[row].end for row in own.tolist()])
        starts = np.array([tracklets[row].start for row in own.tolist()])
        part = np.concatenate([[0], np.cumsum(starts[1:] - reach[:-1] > max_gap)])
        out[own] = np.where(part > 0, part + out.max(), label)
    return out
