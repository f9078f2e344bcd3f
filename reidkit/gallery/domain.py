"""Whether a gallery's people stand to each other as those whom its thresholds come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.open_set import OpenSet
from reidkit.gallery.answers import nearest_people
from reidkit.gallery.segments import NO_CAMERA
from reidkit.gallery.snapshot import Snapshot

PROBES = 128  # enrolled images whose nearest strangers are looked for
FEWEST = 10  # identities with which that says something
LEAST = 0.1  # of the mean position: were distances normal, a rate of 0.1 would be 0.05 or 0.2 then
ERRORS = 2.0  # standard errors that are no difference


@dataclass(frozen=True)
class Shift:
    """Where a gallery's nearest strangers stand among those calibrated on.

    Attributes:
        place: mean position, 0.5 if all is alike; less where they are closer together.
        error: standard error of that, from the people on both sides and the gallery's cameras.
        one_camera: all images are of one camera and the calibration compared different ones, so
            these strangers look too close.
    """

    place: float
    error: float
    one_camera: bool = False

    @property
    def warning(self) -> str:
        """In words; "" where nothing speaks for another domain."""
        difference = self.place - 0.5
        if abs(difference) < max(LEAST, ERRORS * self.error):
            return ""
        if self.one_camera and difference < 0:
            return ""
        nearer, more = ("closer together", "more") if difference < 0 else ("farther apart", "fewer")
        return (
            f"people of this gallery are {nearer} than those calibrated on (mean position of "
            f"nearest strangers {self.place:.2f}, 0.5 expected): other cameras or other people, so "
            f"{more} false answers than stated; calibrate on some of its own"
        )


def domain_shift(snapshot: Snapshot, matcher: Matcher, known: OpenSet, now: float) -> Shift | None:
    """Compare the gallery's own nearest strangers with those calibrated on.

    Args:
        snapshot: of the gallery; what it comes to is kept there.
        matcher: of its model.
        known: what its thresholds come from.
        now: seconds since 1970.

    Returns:
        None with fewer than ten people to compare.
    """
    if "shift" not in snapshot.notes:
        snapshot.notes["shift"] = _shift(snapshot, matcher, known, now)
    return snapshot.notes["shift"]


def _shift(snapshot: Snapshot, matcher: Matcher, known: OpenSet, now: float) -> Shift | None:
    cameras = snapshot.column("cameras")
    hidden = snapshot.hidden(now)
    there = np.ones(len(cameras), bool) if hidden is None else ~hidden
    one_camera = known.across and len(np.unique(cameras[there])) == 1 and cameras[0] != NO_CAMERA
    drawn = np.random.default_rng(0).permutation(np.flatnonzero(there))[:PROBES]
    rows = np.sort(drawn)
    places = np.full(len(rows), np.nan)
    for camera in np.unique(cameras[rows]):
        apart = known.across and camera != NO_CAMERA and not one_camera
        usable = there & (cameras != camera) if apart else there
        some = np.flatnonzero(cameras[rows] == camera)
        places[some] = _places(snapshot, matcher, known, rows[some], usable)
    good = np.isfinite(places)
    owners, places = snapshot.people[1][rows][good], places[good]
    people = len(np.unique(owners))
    if people < FEWEST:
        return None
    errors = _error(places, owners), _error(places, cameras[rows][good])
    error = float(np.linalg.norm([*errors, known.position_error(people)]))
    return Shift(float(places.mean()), error, bool(one_camera))


def _error(places: NDArray[np.float64], groups: NDArray) -> float:
    """Standard error of the mean, as far as groups of the probes differ; 0 for one group."""
    _, number, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        return 0.0
    sums = np.bincount(number, places - places.mean())
    return float(np.sqrt((sums**2).sum() * len(counts) / (len(counts) - 1)) / len(places))


def _places(
    snapshot: Snapshot, matcher: Matcher, known: OpenSet, rows: NDArray, usable: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Positions of the nearest strangers of some images among usable ones; NaN for none."""
    owners = snapshot.people[1]
    counts = np.bincount(owners[usable])
    people = int((counts > 0).sum())
    if people < 2:
        return np.full(len(rows), np.nan)
    near = nearest_people(snapshot.rows(rows), snapshot, matcher, 2, ~usable)
    names = snapshot.people[0][owners[rows]]
    distances = np.array([
        next((one.distance for one in found if one.identity != name.decode()), np.nan)
        for name, found in zip(names, near, strict=True)
    ])  # fmt: skip
    places = np.full(len(rows), np.nan)
    good = np.isfinite(distances)
    places[good] = known.position(distances[good], people - 1, usable.sum() / people)
    return places
