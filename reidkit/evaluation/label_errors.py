"""Images whose label looks wrong: nearer to another identity's images than to their own's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from reidkit.evaluation.matchers.base import flat_vectors
from reidkit.structures import Embedding

DIMS, SHRINKAGE, NEAREST = 64, 0.3, 5
SHARE = 0.06  # of the images that are listed at most
MOST_PAIRS = 1 << 24  # cosines in memory at a time


@dataclass(frozen=True)
class Suspect:
    """An image whose label looks wrong.

    Attributes:
        row: of the image.
        identity: its label.
        other: the identity whose images are nearest.
        score: how much nearer they are, difference of mean cosines; above 0.
    """

    row: int
    identity: int
    other: int
    score: float


def label_errors(
    embedding: Embedding, identities: ArrayLike, cameras: ArrayLike, share: float = SHARE
) -> list[Suspect]:
    """The images that are most likely labelled wrongly, the likeliest first.

    Every camera's mean is taken off, what varies within identities is weighed down, and an image's
    mean cosine to its five nearest of its own identity is compared with that to the five nearest
    of each other. The list is for a person to look through: in data without errors it is as long.

    Args:
        embedding: of M images, with vectors or maps.
        identities: (M,) from 1; distractors and junk take no part.
        cameras: (M,) integers.
        share: of the images that may be listed, in (0, 1].

    Raises:
        ValueError: a share that is none.

    Source:
        Hatch et al., Within-class covariance normalization for SVM-based speaker recognition
        (Interspeech 2006). Departure: shrunk towards its mean variance, medians as class centres,
        so that the errors that are looked for do not count.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> people = np.repeat(np.arange(1, 9), 10)
        >>> vectors = rng.standard_normal((9, 32))[people] + 0.3 * rng.standard_normal((80, 32))
        >>> people[17] = 7
        >>> suspects = label_errors(Embedding(torch.tensor(vectors)[:, None]), people, [0] * 80)
        >>> suspects[0].row, suspects[0].identity, suspects[0].other
        (17, 7, 2)
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}")
    ids, places = np.asarray(identities), np.asarray(cameras)
    rows = np.flatnonzero(ids > 0)
    people, own = np.unique(ids[rows], return_inverse=True)
    if len(people) < 2:
        return []
    vectors = flat_vectors(embedding[torch.from_numpy(rows)])
    vectors = within_identity_whitened(without_camera(vectors, places[rows]), own)
    near = _nearness(vectors, own, len(people))
    mine = near[np.arange(len(rows)), own]
    near[np.arange(len(rows)), own] = -np.inf
    other = near.argmax(1)
    score = near.max(1) - mine
    most = max(1, int(share * len(rows)))
    order = [i for i in np.argsort(-score, kind="stable")[:most].tolist() if score[i] > 0]
    return [
        Suspect(int(rows[i]), int(people[own[i]]), int(people[other[i]]), float(score[i]))
        for i in order
    ]


def without_camera(vectors: NDArray[np.float32], cameras: NDArray[np.int64]) -> NDArray[np.float32]:
    """Vectors (M, D) less the mean of their camera."""
    out = vectors.copy()
    for camera in np.unique(cameras):
        out[cameras == camera] -= vectors[cameras == camera].mean(0)
    return out


def within_identity_whitened(
    vectors: NDArray[np.float32], own: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Vectors of length 1 in which identities vary alike in all directions.

    Args:
        vectors: (M, D).
        own: (M,) number of each image's identity.

    Shape:
        returns (M, at most 64).
    """
    centred = (vectors - vectors.mean(0)).astype(np.float64)
    _, values, axes = np.linalg.svd(centred.T @ centred, hermitian=True)
    known = len(own) - len(np.unique(own))  # fewer directions than differences to learn them from
    dims = max(1, min(DIMS, known // 4, int((values > values[0] * 1e-9).sum())))
    points = centred @ axes[:dims].T
    spread, count = np.zeros((dims, dims)), 0
    for one in np.unique(own):
        group = points[own == one]
        if len(group) > 1:
            group = group - np.median(group, 0)
            spread += group.T @ group
            count += len(group) - 1
    spread /= max(count, 1)
    spread = (1 - SHRINKAGE) * spread + SHRINKAGE * max(np.trace(spread) / dims, 1e-12) * np.eye(
        dims
    )
    width, directions = np.linalg.eigh(spread)
    points = points @ (directions / np.sqrt(width))
    return (points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)).astype(
        np.float32
    )


def _nearness(
    vectors: NDArray[np.float32], own: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Mean cosine (M, count) of each image to its nearest images of each identity, itself not.

    -1 where an identity has no other image.
    """
    groups = [np.flatnonzero(own == one) for one in range(count)]
    near = np.full((len(vectors), count), -1.0)
    step = max(1, MOST_PAIRS // len(vectors))
    for start in range(0, len(vectors), step):
        rows = np.arange(start, min(start + step, len(vectors)))
        cosines = vectors[rows] @ vectors.T
        cosines[np.arange(len(rows)), rows] = -np.inf
        for one, group in enumerate(groups):
            values = -np.sort(-cosines[:, group], axis=1)[:, :NEAREST]
            known = np.isfinite(values)
            total = np.where(known, values, 0).sum(1)
            near[rows, one] = np.where(known.any(1), total / np.maximum(known.sum(1), 1), -1.0)
    return near
