"""What the search for neighbours and k-reciprocal re-ranking compute, with whole N x N tables.

These are the specification. The streamed paths always run: neighbours in tiles, in bfloat16 first
where the processor has units for it and the distances lie apart, and sparse weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def reference_neighbours(distances: NDArray, k: int) -> tuple[NDArray[np.int64], NDArray]:
    """The k nearest of each image, itself among them: columns (N, k) and distances (N, k).

    Equal distances stand by column.

    Args:
        distances: (N, N), rows as queries; NaN stands last.
        k: length of the lists; N if there are fewer images.

    Example:
        >>> reference_neighbours(np.array([[0.0, 2.0, 2.0], [2, 0, 1], [2, 1, 0]]), 2)[0].tolist()
        [[0, 1], [1, 2], [2, 1]]
    """
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, 1)


def reference_k_reciprocal(
    distances: NDArray, n_query: int, k1: int = 20, k2: int = 6, weight: float = 0.3
) -> NDArray[np.float64]:
    """The published algorithm, image by image.

    Args:
        distances: (N, N) squared distances, the queries first.
        n_query: Q.
        k1, k2, weight: as for `KReciprocal`.

    Shape:
        returns (Q, N - Q).

    Source:
        Zhong et al., CVPR 2017; see `KReciprocal` for the length of the half list.
    """
    distances = distances / distances.max(1, keepdims=True)
    count, half = len(distances), (k1 + 2) // 2
    order, _ = reference_neighbours(distances, count)

    def mutual(i: int, size: int) -> set[int]:
        return {int(j) for j in order[i, :size] if i in order[j, :size]}

    weights = np.zeros((count, count))
    for i in range(count):
        near = mutual(i, k1 + 1)
        expanded = set(near)
        for theirs in (mutual(j, half) for j in near):
            if len(theirs & near) > 2 / 3 * len(theirs):
                expanded |= theirs
        members = sorted(expanded)
        weights[i, members] = np.exp(-distances[i, members])
        weights[i] /= weights[i].sum()
    if k2 > 1:
        weights = np.stack([weights[order[i, :k2]].mean(0) for i in range(count)])
    shared = np.array([np.minimum(row, weights[n_query:]).sum(1) for row in weights[:n_query]])
    jaccard = 1 - shared / (2 - shared)
    return (1 - weight) * jaccard + weight * distances[:n_query, n_query:]
