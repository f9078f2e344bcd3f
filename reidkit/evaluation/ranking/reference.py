"""What `rank_positives` computes, by sorting: the specification of the fast paths.

`tiles` counts on the CPU where a gallery is too large for whole rows of many queries; `count_cpu`
counts whole rows on the CPU, `count_device` on other devices. All give these ranks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reidkit.evaluation.protocols import GroundTruth
from reidkit.evaluation.ranking.ranks import Ranks


def reference_ranks(distances: NDArray, truth: GroundTruth) -> Ranks:
    """Ranks of the positives of every valid query, one query and one sort at a time.

    Args:
        distances: of all pairs; smaller is closer.
        truth: from `match_labels`.

    Shape:
        distances (Q, G).

    Example:
        >>> from reidkit.evaluation import PROTOCOLS, Labels, match_labels
        >>> gallery = Labels([5, 7, 8, 7], [1, 2, 2, 1])  # the last is junk: the query's camera
        >>> truth = match_labels(PROTOCOLS["market"], Labels([7], [1]), gallery)
        >>> ranks = reference_ranks(np.array([[0.5, 0.5, 0.1, 0.0]]), truth)
        >>> ranks.ranks, ranks.lowest, ranks.highest
        (array([3]), array([2]), array([3]))
    """
    starts, columns = [0], []
    for query in truth.valid:
        own, positive = truth.of(query)
        kept = np.setdiff1d(np.arange(truth.n_gallery), np.r_[truth.junk, own[~positive]])
        row, is_positive = distances[query, kept], np.isin(kept, own[positive])
        ranks = [  # ties: gallery order, positives first, positives last
            np.flatnonzero(is_positive[np.lexsort((tie, row))]) + 1
            for tie in (kept, ~is_positive, is_positive)
        ]
        starts.append(starts[-1] + len(ranks[0]))
        columns.append(np.stack(ranks))
    return Ranks(np.array(starts), *np.concatenate([np.zeros((3, 0), np.int64), *columns], 1))
