"""Temporal lifting: people who were near a query in time should be near it elsewhere, too.

Shape letters: Q queries, G gallery images; n probes of one camera, m gallery images of one camera.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from reidkit.errors import UserError
from reidkit.evaluation.calibration import Calibration
from reidkit.evaluation.matchers.precomputed import precomputed
from reidkit.evaluation.ranking.blocks import blocks
from reidkit.evaluation.rerank.base import Reranked, Reranker, as_matcher, unit_range
from reidkit.registry import RERANKERS
from reidkit.structures import Embedding, ImageMeta


@RERANKERS.register_module()
class TLift(Reranker):
    """Temporal lifting as a step between distances and ranking, for any method and after others.

    Similarities are the probabilities of the run's calibration (``Matcher.calibration``); without
    one, as after other re-ranking, distances are brought into [0, 1] and ``s = 1 - d``. They are
    lifted by `tlift` and turned back: ``1 + alpha - lifted``. The table of all queries and gallery
    images is kept in memory.

    Args:
        tau, sigma, alpha: see `tlift`.
        k: see `tlift`; None: from the data, the images of one person in one camera times the
            queries within ``tau`` of a query, itself included, both on average.
        scale: of the sigmoid for distances without bounds, see ``reidkit.evaluation.unit_range``.
        shuffle_times: deal the gallery's times out anew within each camera: the control, which must
            gain nothing.
        block_mb: memory for a block of distances, megabytes.

    Raises:
        UserError: when used, images without times; similarities that hardly differ, so that time
            alone would decide; ``k=None`` without a calibration; see `tlift`.

    Source:
        QAConv, arXiv 1904.10424, section 3.6. The authors lift re-ranked distances, or the sigmoid
        of scores that were trained as log-odds. Departure: the calibration, since scores of other
        losses are no log-odds.
    """

    def __init__(
        self,
        tau: float = 100.0,
        sigma: float = 200.0,
        k: int | None = 10,
        alpha: float = 0.2,
        scale: float = 10.0,
        shuffle_times: bool = False,
        block_mb: float = 64,
    ):
        self.shuffle_times = shuffle_times
        self.tau, self.sigma, self.k, self.alpha = tau, sigma, k, alpha
        self.scale, self.block_mb = scale, block_mb

    @torch.inference_mode()
    def rerank(
        self,
        query: Embedding,
        gallery: Embedding,
        matcher: nn.Module,
        query_meta: ImageMeta,
        gallery_meta: ImageMeta,
    ) -> Reranked:
        """See ``Reranker.rerank``."""
        for side, sight in (("query", query_meta), ("gallery", gallery_meta)):
            if sight.times is None:
                raise UserError(
                    f"TLift needs the time of every image, and the {side} has none: its data set's "
                    "file names tell no times. Take this step out (~evaluation.rerank.tlift)"
                )
        calibration = as_matcher(matcher).calibration
        lifted = tlift(
            self._similarities(query, gallery, matcher),
            query_meta.cameras,
            query_meta.times,
            gallery_meta.cameras,
            _shuffled(gallery_meta) if self.shuffle_times else gallery_meta.times,
            self.tau,
            self.sigma,
            self.k or self._pivots(query_meta, calibration),
            self.alpha,
        )
        reranked = precomputed((1 + self.alpha - lifted).astype(np.float32))
        reranked[2].bounds = (0.0, 1.0 + self.alpha)
        return reranked

    def _similarities(
        self, query: Embedding, gallery: Embedding, matcher: nn.Module
    ) -> NDArray[np.float32]:
        """(Q, G) in [0, 1].

        Raises:
            UserError: a query's nearest image is less than twice as similar as any image.
        """
        calibration = as_matcher(matcher).calibration
        inner = as_matcher(matcher) if calibration else unit_range(matcher, self.scale)
        table = np.empty((len(query), len(gallery)), np.float32)
        for rows, values in blocks(query, gallery, inner, self.block_mb, distances=True):
            distances = values.cpu().numpy()
            table[rows] = calibration.probability(distances) if calibration else 1 - distances
        nearest, every = float(table.max(1).mean()), float(table.mean())
        if nearest < 2 * every:
            raise UserError(
                f"TLift multiplies similarities by how near in time images are, and these hardly "
                f"differ (a query's nearest image {nearest:.3g}, any image {every:.3g} on "
                "average), so time alone would decide. Test a run that has a calibration (those "
                "trained here store one), or re-rank first: +evaluation.rerank.rr=KReciprocal "
                "before this step"
            )
        return table

    def _pivots(self, meta: ImageMeta, calibration: Calibration | None) -> int:
        """The number of pivots that the data suggest."""
        if calibration is None:
            raise UserError(
                "TLift(k=None) takes the number of images of a person in a camera from the run's "
                "calibration, and there is none: give a number, such as the published k=10"
            )
        cameras, times = np.asarray(meta.cameras), np.asarray(meta.times)
        near = 0
        for camera in np.unique(cameras):
            own = times[cameras == camera]
            near += int((np.abs(own[:, None] - own) < self.tau).sum())
        queries = near / len(cameras)
        return max(1, round(calibration.images_per_camera * queries))


class Side(NamedTuple):
    """Cameras and times in seconds of the queries, or of the gallery images, one each."""

    cameras: NDArray
    times: NDArray[np.float64]


def tlift(
    similarity: ArrayLike,
    query_cameras: ArrayLike,
    query_times: ArrayLike,
    gallery_cameras: ArrayLike,
    gallery_times: ArrayLike,
    tau: float = 100.0,
    sigma: float = 200.0,
    k: int = 10,
    alpha: float = 0.2,
) -> NDArray[np.floating]:
    """Weigh similarities by how near in time each gallery image is to what the neighbours found.

    For a probe A and a gallery camera: the probes of A's camera within ``tau`` seconds of A are
    its neighbours, A included. The ``k`` most similar pairs of a neighbour and an image of that
    camera are the pivots. An image x there has the weight w, the mean over the pivots b of
    ``exp(-(t_x - t_b)^2 / sigma^2)``, and its similarity becomes ``(w + alpha) s``. Nothing is
    learned, and clocks need to agree only within a camera.

    Pairs as similar as the k-th are pivots as well, and an image found by two neighbours counts
    twice; with fewer than k pairs all are pivots. The probe's own camera is treated as any other.

    Args:
        similarity: larger is closer, in [0, 1], and small for most pairs: after re-ranking, or
            one minus a distance that is near 1 for strangers.
        query_cameras, query_times: camera and seconds of every query.
        gallery_cameras, gallery_times: of every gallery image.
        tau: seconds within which probes are neighbours.
        sigma: seconds over which an image of the gallery is near a pivot.
        k: number of pivots.
        alpha: what is left of a similarity without any support.

    Shape:
        similarity (Q, G); cameras integer and times float, (Q,) and (G,); returns (Q, G), float32
        for float32 and float64 for everything else.

    Raises:
        UserError: times that are missing (NaN), or similarities outside [0, 1].
        ValueError: shapes that do not fit; tau, sigma or k not above 0; a negative alpha.

    Source:
        QAConv, arXiv 1904.10424, section 3.6 (temporal lifting); constants of the released code.

    Example:
        >>> lifted = tlift([[.9, .1, .2], [.3, .8, .1]], [0, 0], [0, 10], [0, 0, 0],
        ...                [100, 110, 1000], k=2)
        >>> lifted.round(6).tolist()
        [[1.078876, 0.119875, 0.04], [0.359625, 0.959001, 0.02]]
    """
    table = np.asarray(similarity)
    table = table if table.dtype == np.float32 else table.astype(np.float64)
    query = Side(np.asarray(query_cameras), np.asarray(query_times, np.float64))
    gallery = Side(np.asarray(gallery_cameras), np.asarray(gallery_times, np.float64))
    _check(table, query, gallery, (tau, sigma, k, alpha))
    return _lifted(table, query, gallery, tau, sigma, k, alpha)


def _lifted(
    table: NDArray, query: Side, gallery: Side, tau: float, sigma: float, k: int, alpha: float
) -> NDArray[np.floating]:
    """As `tlift`, of arrays that fit: one pair of cameras after the other."""
    lifted = np.empty_like(table)
    for gallery_camera in np.unique(gallery.cameras):
        images = np.flatnonzero(gallery.cameras == gallery_camera)
        nearness, which = _nearness(gallery.times[images], sigma)
        for camera in np.unique(query.cameras):
            probes = np.flatnonzero(query.cameras == camera)
            block = table[np.ix_(probes, images)].astype(np.float64)
            votes = _votes(block, query.times[probes], tau, k)
            weight = np.matmul(votes, nearness)[:, which] / votes.sum(1, keepdims=True)
            lifted[np.ix_(probes, images)] = (weight + alpha) * block
    return lifted


def _shuffled(meta: ImageMeta) -> NDArray[np.float64]:
    """The times of the images of each camera in another order, the same in every process."""
    cameras, times = np.asarray(meta.cameras), np.array(meta.times, np.float64)
    rng = np.random.default_rng(0)
    for camera in np.unique(cameras):
        times[cameras == camera] = rng.permutation(times[cameras == camera])
    return times


def _nearness(times: NDArray, sigma: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How near in time images are: (m, t) to each distinct time, and (m,) which is whose.

    Once for each time, so that equal images of one time stay equal wherever they stand.
    """
    distinct, which = np.unique(times, return_inverse=True)
    if len(distinct) == len(times):
        distinct, which = times, np.arange(len(times))
    return np.exp(-(((times[:, None] - distinct) / sigma) ** 2)), which


def _votes(block: NDArray, times: NDArray, tau: float, k: int) -> NDArray[np.float64]:
    """How many pivots of each probe (n, m) are pairs with each image.

    Args:
        block: (n, m) similarities of one camera's probes and another's images.
        times: (n,) of the probes.
    """
    votes = np.empty_like(block)
    # the k-th largest of some rows is among the k largest of each
    count = min(k, block.shape[1])
    largest = -np.partition(-block, count - 1, axis=1)[:, :count]
    order = np.argsort(times, kind="stable")
    ahead = times[order]
    first = np.searchsorted(ahead, times - tau, "right")  # strictly within tau
    last = np.searchsorted(ahead, times + tau, "left")
    for probe, (low, high) in enumerate(zip(first, last, strict=True)):
        near = order[low:high]
        nearest = largest[near].ravel()
        limit = nearest.min() if len(nearest) <= k else -np.partition(-nearest, k - 1)[k - 1]
        votes[probe] = (block[near] >= limit).sum(0)
    return votes


def _check(
    table: NDArray, query: Side, gallery: Side, options: tuple[float, float, int, float]
) -> None:
    tau, sigma, k, alpha = options
    if min(tau, sigma, k) <= 0 or alpha < 0:
        raise ValueError(
            f"tlift: tau, sigma and k must be above 0 and alpha at least 0; got tau={tau}, "
            f"sigma={sigma}, k={k}, alpha={alpha}"
        )
    shapes = [a.shape + b.shape for a, b in zip(query, gallery, strict=True)]
    if any(shape != table.shape for shape in shapes):
        raise ValueError(
            f"tlift: similarity is {table.shape}, but cameras are {shapes[0]} and times {shapes[1]}"
        )
    for side, times in (("query", query.times), ("gallery", gallery.times)):
        if np.isnan(times).any():
            raise UserError(
                f"TLift needs the time of every image; {int(np.isnan(times).sum())} {side} images "
                "have none"
            )
    if table.size and not (table.min() >= 0 and table.max() <= 1):
        raise UserError(
            f"TLift weighs similarities in [0, 1]; these reach from {table.min():.3g} to "
            f"{table.max():.3g}. Take one minus the distance of a matcher with bounds (0, 1), "
            "such as qaconv/QAConvMatcher, or re-rank first"
        )
