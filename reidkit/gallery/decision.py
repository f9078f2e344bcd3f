"""When the nearest person of a search is answered, and how likely that is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reidkit.errors import UserError
from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.open_set import OpenSet, Threshold
from reidkit.gallery.answers import UNKNOWN, Answer, Candidate, nearest_people
from reidkit.gallery.segments import NO_CAMERA
from reidkit.gallery.snapshot import Snapshot

PROBES = 64  # images whose nearest strangers are compared with those calibrated on
FEWEST = 10  # identities with which that says something
USUAL = (0.2, 0.8)  # of the mean position of nearest strangers; 0.5 is expected


@dataclass(frozen=True)
class Decision:
    """The rule of a search.

    Attributes:
        threshold: distance up to which someone is answered; None: by probability, or always.
        fpir: rate that the threshold stands for, if it does.
        curve: probability of a distance; None without a calibration.
        warnings: why the rate may not hold.
    """

    threshold: float | None
    fpir: float | None
    curve: Callable[[Any], Any] | None
    warnings: tuple[str, ...] = ()

    @staticmethod
    def of(
        snapshot: Snapshot,
        matcher: Matcher,
        now: float,
        fpir: float | None = None,
        threshold: float | None = None,
    ) -> Decision:
        """The rule for a gallery of this size.

        Args:
            snapshot: of the gallery.
            matcher: of its model.
            now: seconds since 1970.
            fpir, threshold: see `Gallery.search`.

        Raises:
            UserError: a rate, and the gallery has no calibration.
            ValueError: both a rate and a threshold.
        """
        if fpir is not None and threshold is not None:
            raise ValueError("give fpir or threshold, not both")
        known = snapshot.open_set
        if known is None:
            if fpir is not None:
                raise UserError(
                    f"{snapshot.folder}: has no calibration, so fpir={fpir} says nothing: "
                    "Gallery.calibrate(ids, crops, cameras) makes one of people whom the model has "
                    "not learned from; or give threshold=, a distance"
                )
            return Decision(threshold, None, None)
        size, images = _size(snapshot, now)
        curve = known.probability(size, images) if size else None
        if fpir is None or not size:
            return Decision(threshold, fpir, curve)
        limit = known.threshold(fpir, size, images)
        said = _warnings(known, limit, images)
        place = _position(snapshot, matcher, known, now) if size >= FEWEST else 0.5
        if not USUAL[0] <= place <= USUAL[1]:
            nearer = "closer together" if place < 0.5 else "farther apart"
            said.append(
                f"people of this gallery are {nearer} than those calibrated on (mean position of "
                f"nearest strangers {place:.2f}, 0.5 expected): other cameras or other people; "
                "calibrate on some of its own"
            )
        return Decision(limit.value, fpir, curve, tuple(said))

    def answer(self, candidates: tuple[Candidate, ...]) -> Answer:
        """Who is answered of the nearest people of a query."""
        if not candidates:
            return Answer(UNKNOWN, ())
        first, meant = candidates[0], True
        if self.curve is not None:
            first = replace(first, probability=float(self.curve(first.distance)))
            meant = first.probability >= 0.5  # type: ignore[operator]
        if self.threshold is not None:
            meant = first.distance <= self.threshold
        return Answer(first.identity if meant else UNKNOWN, (first, *candidates[1:]))


def said(answer: Answer) -> dict[str, Any]:
    """What the log keeps of an answer."""
    nearest = answer.candidates[0].identity if answer.candidates else ""
    distance = answer.distance if answer.candidates else None
    return dict(
        identity=answer.identity, nearest=nearest, distance=distance, probability=answer.probability
    )


def _size(snapshot: Snapshot, now: float) -> tuple[int, float]:
    """Identities that can be found, and images of each on average."""
    hidden, (names, numbers) = snapshot.hidden(now), snapshot.people
    if hidden is None:
        return len(names), len(numbers) / max(1, len(names))
    size = len(np.unique(numbers[~hidden]))
    return size, int((~hidden).sum()) / max(1, size)


def _warnings(known: OpenSet, limit: Threshold, images: float) -> list[str]:
    """What in the numbers alone speaks against a rate."""
    said = []
    if known.seen:
        said.append(
            "the model was trained on the people calibrated on, so strangers come nearer than it "
            "says: more false answers than stated; calibrate on people whom it has not seen"
        )
    if limit.beyond:
        said.append(
            f"the gallery has {limit.size} identities, {known.people} people were calibrated on: "
            "the threshold is extrapolated, as if it were several galleries of so many"
        )
    if not limit.resolved:
        said.append(
            f"fpir={limit.rate:g} is less than one of the {known.people} people calibrated on: "
            f"the threshold {limit.value:.3f} may lie anywhere below {limit.high:.3f}"
        )
    if images > 2 * known.images[-1]:
        said.append(
            f"people have {images:.1f} images each, at most {known.images[-1]} were calibrated on: "
            "more false answers than stated"
        )
    return said


def _position(snapshot: Snapshot, matcher: Matcher, known: OpenSet, now: float) -> float:
    """Mean position of the gallery's own nearest strangers among those calibrated on."""
    kept = snapshot.notes.get("position")
    if kept is not None:
        return kept
    rng, cameras = np.random.default_rng(0), snapshot.column("cameras")
    rows = np.sort(rng.permutation(len(snapshot))[:PROBES])
    hidden = snapshot.hidden(now)
    owners, distances = snapshot.column("identities")[rows], np.full(len(rows), np.nan)
    for camera in np.unique(cameras[rows]):
        away = cameras == camera if known.across and camera != NO_CAMERA else None
        left = away if hidden is None else hidden if away is None else hidden | away
        some = np.flatnonzero(cameras[rows] == camera)
        near = nearest_people(snapshot.rows(rows[some]), snapshot, matcher, 2, left)
        for row, found in zip(some, near, strict=True):
            others = [one for one in found if one.identity != owners[row].decode()]
            distances[row] = others[0].distance if others else np.nan
    size, images = _size(snapshot, now)
    usable = distances[np.isfinite(distances)]
    place = float(known.position(usable, size, images).mean()) if len(usable) else 0.5
    snapshot.notes["position"] = place
    return place
