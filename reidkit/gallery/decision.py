"""When the nearest person of a search is answered, and how likely that is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reidkit.errors import UserError
from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.open_set import OpenSet, Threshold
from reidkit.gallery.answers import UNKNOWN, Answer, Candidate
from reidkit.gallery.domain import domain_shift
from reidkit.gallery.snapshot import Snapshot


@dataclass(frozen=True)
class Decision:
    """The rule of a search.

    Attributes:
        threshold: distance up to which someone is answered; None: by probability, or always.
        fpir: rate that the threshold stands for, if it does.
        curve: probability of a distance; None without a calibration.
        warnings: why the rate or the probability may not hold.
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
        if threshold is not None or not size:
            return Decision(threshold, fpir, curve)
        limit = known.threshold(fpir, size, images) if fpir is not None else None
        said = _warnings(known, limit, size, images)
        shift = domain_shift(snapshot, matcher, known, now)
        if shift is not None and shift.warning:
            said.append(shift.warning)
        return Decision(limit.value if limit else None, fpir, curve, tuple(said))

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


def _warnings(known: OpenSet, limit: Threshold | None, size: int, images: float) -> list[str]:
    """What in the numbers alone speaks against a rate, or a probability where there is none."""
    said = []
    if known.seen:
        said.append(
            "the model was trained on the people calibrated on, so strangers come nearer than it "
            "says: more false answers than stated; calibrate on people whom it has not seen"
        )
    if size > known.people - 1:
        said.append(
            f"the gallery has {size} identities, {known.people} people were calibrated on: "
            "what it answers is extrapolated, as if it were several galleries of so many"
        )
    if limit is not None and not limit.resolved:
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
