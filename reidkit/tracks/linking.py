"""From tracks of several cameras to identities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidkit.tracks.cameras import CameraTracks
from reidkit.tracks.clustering import clusters, divided_by_gaps, kept_apart
from reidkit.tracks.output import write
from reidkit.tracks.threshold import link_threshold
from reidkit.tracks.tracklets import Tracklet, embed_tracklets, tracklet_distances, tracklets_of

FMR = 0.01
FRAMES = 8


@dataclass(frozen=True, eq=False)
class Linked:
    """Identities of tracklets.

    Attributes:
        cameras: as given.
        tracklets: cameras and track numbers ascending.
        identities: (T,) int64 from 1, in the order of first appearance on the common clock.
        threshold: mean distance up to which clusters of tracklets were joined.
        source: where the threshold comes from, in words.
        unseen: tracklets without a box that can be used; each is an identity of its own.
        pairs: pairs of tracklets that are two people for certain, since a frame shows both.
        near: share of these whose distance is at most the threshold; NaN without pairs. Many mean
            that appearance says little here, or that the threshold is too large.
    """

    cameras: Sequence[CameraTracks]
    tracklets: list[Tracklet]
    identities: NDArray[np.int64]
    threshold: float
    source: str
    unseen: int
    pairs: int
    near: float

    def write(self, folder: str | Path) -> None:
        """Write tracks with the new numbers and a table; see ``reidkit.tracks.output.write``."""
        write(self.cameras, self.tracklets, self.identities, Path(folder))


def link(
    cameras: Sequence[CameraTracks],
    model: Any,
    threshold: float | None = None,
    fmr: float = FMR,
    frames: int = FRAMES,
    max_gap: float | None = None,
    min_travel: float | None = None,
    min_height: float = 32,
    batch_size: int = 64,
) -> Linked:
    """Give tracks of one or several cameras identities across all of them.

    A tracklet is looked at in some frames; distances between tracklets are the method's own.
    Tracklets are joined by average linkage up to the threshold, never two that a frame shows
    together.

    Args:
        cameras: tracks with their videos.
        model: of ``reidkit.load``.
        threshold: a distance; None: the model's own, see ``link_threshold``.
        fmr: share of pairs of two people that may match, in (0, 1).
        frames: of each tracklet that are looked at, >= 1, in the middles of equal parts of it.
        max_gap: seconds for which nobody is away; who comes back later is another identity. None:
            any time.
        min_travel: seconds between two cameras, at least, whose views then do not overlap; None:
            views may overlap.
        min_height: of a crop in pixels.
        batch_size: crops in one forward pass, >= 1.

    Raises:
        ValueError: numbers outside these bounds.
        UserError: frames that cannot be read; no threshold and no calibration.

    Example:
        >>> cameras = [CameraTracks.read(Path("a.txt"), Path("a.mp4"))]     # doctest: +SKIP
        >>> link(cameras, reidkit.load("runs/mine")).write("linked")        # doctest: +SKIP
    """
    _check(fmr, frames, batch_size, max_gap, min_travel)
    limit, source = link_threshold(model, threshold, fmr)
    tracklets = tracklets_of(cameras)
    embedding, owners = embed_tracklets(cameras, tracklets, model, frames, min_height, batch_size)
    labels = np.arange(len(tracklets))
    seen, groups = np.unique(owners, return_inverse=True)
    pairs, near = 0, float("nan")
    if embedding is not None:
        distances = tracklet_distances(embedding, groups, model.matcher)
        own = [tracklets[row] for row in seen]
        together = np.triu(kept_apart(own))
        pairs = int(together.sum())
        near = float((distances[together] <= limit).mean()) if pairs else near
        clustered = clusters(distances, kept_apart(own, min_travel), limit)
        labels[seen] = len(tracklets) + clustered
    if max_gap is not None:
        labels = divided_by_gaps(labels, tracklets, max_gap)
    identities = _numbered(labels, tracklets)
    unseen = len(tracklets) - len(seen)
    return Linked(cameras, tracklets, identities, limit, source, unseen, pairs, near)


def _check(
    fmr: float, frames: int, batch_size: int, max_gap: float | None, min_travel: float | None
) -> None:
    if not 0 < fmr < 1 or frames < 1 or batch_size < 1:
        raise ValueError(
            f"fmr must lie in (0, 1), frames and batch_size be at least 1; got {fmr}, {frames}, "
            f"{batch_size}"
        )
    if any(value is not None and not value >= 0 for value in (max_gap, min_travel)):
        raise ValueError(f"max_gap and min_travel are seconds from 0, got {max_gap}, {min_travel}")


def _numbered(labels: NDArray[np.int64], tracklets: Sequence[Tracklet]) -> NDArray[np.int64]:
    """The same groups, from 1, in the order in which they appear."""
    order = np.argsort([one.start for one in tracklets], kind="stable")
    _, first, groups = np.unique(labels[order], return_index=True, return_inverse=True)
    out = np.empty(len(labels), np.int64)
    out[order] = np.argsort(np.argsort(first))[groups] + 1
    return out
