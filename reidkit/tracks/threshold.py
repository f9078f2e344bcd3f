"""The distance up to which two tracklets are one person, from what a run has calibrated."""

from __future__ import annotations

from typing import Any

from reidkit.errors import UserError


def link_threshold(model: Any, threshold: float | None, fmr: float) -> tuple[float, str]:
    """A threshold, and in words where it comes from.

    Args:
        model: has ``open_set`` and ``matcher``.
        threshold: taken as it is; None: that at which a share ``fmr`` of the pairs of images of
            two people match, by people that the run held out; without such, the distance at which
            its calibration, on people trained on, says that a pair is as likely one person as two.
        fmr: a share, in (0, 1).

    Raises:
        UserError: neither is there.
    """
    if threshold is not None:
        return threshold, "as given"
    known = model.open_set
    if known is not None:
        people = f"{known.people} people {'trained on' if known.seen else 'held out'}"
        return known.match_threshold(fmr).value, f"FMR {fmr:g} of {people}"
    curve = getattr(model.matcher, "calibration", None)
    if curve is not None and curve.slope > 0:
        return curve.intercept / curve.slope, "even odds by a calibration on people trained on"
    raise UserError(
        f"{model.name}: holds no calibration, so it does not say from which distance on two tracks "
        "are two people: give --threshold, or train with data=<set>_val, which holds people out"
    )
