"""What a tracklet adds to a picture: a steady box, a moving background, things that pass in front.

Occlusion comes and goes part by part: every event hides a band of the body (head, trunk, legs) or
one side of it for a share of the tracklet, entering from one edge and leaving over the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidkit.synthped import body as bd
from reidkit.synthped import items as it
from reidkit.synthped import occluders
from reidkit.synthped import pose as ps
from reidkit.synthped.camera import Look, Place
from reidkit.synthped.keys import pick, stream
from reidkit.synthped.people import make_person
from reidkit.synthped.presets import Preset
from reidkit.synthped.strokes import Strokes

VIDEO_VERSION = 1
"""Goes up with every change of the frames; part of every random key and of the folder's name."""

STEP = 3  # frames of the cameras' clock (25 per second) from one picture of a tracklet to the next
SLOTS = 3  # events at most, each with item numbers of its own
EVENTS = (0.10, 0.35, 0.35, 0.20)  # probabilities of 0, 1, 2, 3 events in a tracklet
KINDS = dict(legs=3, trunk=2.5, head=1.5, side=1.5, person=1.5)
STRANGERS = 3_000_000  # identities of those who pass by start here


@dataclass(frozen=True)
class Moment:
    """What differs from picture to picture beside the person's own movement.

    Attributes:
        error: (4,) of left, upper, right, lower edge of the box [body heights].
        height: of the box [pixels].
        drift: of the background [body heights].
        behind: strokes behind the person.
        front: strokes in front.
    """

    error: np.ndarray
    height: float
    drift: float
    behind: list[Strokes]
    front: list[Strokes]


def moment(who: tuple, shot, preset: Preset, place: Place, look: Look, table: np.ndarray) -> Moment:
    """One frame of a tracklet; a pure function of its arguments.

    Args:
        who: key of the track: seed, domain, identity, camera, track.
        shot: with ``frame`` (on the cameras' clock), ``length`` and ``kind``.
        preset, place, look: as for single pictures.
        table: colours by item, of which the rows of the occluders are filled in.
    """
    rng = stream("tracklet", VIDEO_VERSION, *who)
    when = shot.frame / STEP / max(1, shot.length - 1)  # 0 at the first frame, 1 at the last
    sd = np.array([preset.edge_h, preset.edge_v, preset.edge_h, preset.edge_v])
    steady = 0.6 * np.clip(rng.standard_normal(4), -2.2, 2.2)
    phase, rate = rng.uniform(0, 2 * np.pi, 4), rng.uniform(0.5, 2.0, 4)
    own = stream("shake", VIDEO_VERSION, *who, shot.frame)
    sway = 0.3 * np.sin(phase + 2 * np.pi * rate * when) + 0.12 * own.standard_normal(4)
    error = sd * (steady + sway)
    error[[1, 3]] += place.shift
    if shot.kind == "junk":  # a tracker that has lost the person
        error[[0, 2]] += rng.choice([-1, 1]) * rng.uniform(0.15, 0.3)
        error[[1, 3]] += rng.choice([-1, 1]) * rng.uniform(0.3, 0.6)
    height = place.height * float(np.exp(rng.normal(0, 0.12) + 0.02 * own.standard_normal()))
    drift = float(rng.uniform(-0.5, 0.5)) * when
    count = int(rng.choice(len(EVENTS), p=EVENTS))
    front = []
    for slot in range(count):
        key = stream("event", VIDEO_VERSION, *who, slot)
        strokes = _event(key, preset, slot, when, place, look, table, shot)
        front += [] if strokes is None else [strokes]
    behind = []
    if rng.random() < preset.bystander:
        walker = _stranger(rng, preset, it.ITEMS, place.pitch, look, table, shot)
        offset = np.array([rng.uniform(-0.6, 0.6) + drift, -rng.uniform(0.03, 0.2)])
        behind.append(walker.moved(offset, float(rng.uniform(0.7, 0.95)), it.ITEMS, 0))
    return Moment(error, height, drift, behind, front)


def _event(
    rng: np.random.Generator,
    preset: Preset,
    slot: int,
    when: float,
    place: Place,
    look: Look,
    table: np.ndarray,
    shot,
) -> Strokes | None:
    """What one event puts in front of the person at this moment; None before and after it."""
    base = (3 + slot) * it.ITEMS
    kind = pick(rng, KINDS)
    lasts = float(rng.uniform(0.3, 0.6))
    start = float(rng.uniform(-0.3 * lasts, 1 - 0.7 * lasts))
    side = float(rng.choice([-1, 1]))
    progress = 2 * (when - start) / lasts - 1  # -1 enters, 1 has left
    if abs(progress) > 1:
        return None
    if kind == "person":
        other = _stranger(rng, preset, base, place.pitch, look, table, shot)
        offset = np.array([0.75 * side * progress, rng.uniform(0.05, 0.2)])
        return other.moved(offset, float(rng.uniform(1.0, 1.15)), base, 0)
    if kind in ("legs", "side"):
        low = kind == "legs"
        strokes, colours = occluders.furniture(rng, low, base, look.sun)
        reach = 1.25 if low else 0.7
    else:
        strokes, reach = _panel(rng, kind, base, look.sun)
        colours = occluders.palette(rng)
    table[base : base + it.ITEMS] = colours
    return strokes.moved(np.array([reach * side * progress, 0.0]), 1.0, 0, 0)


def _panel(rng: np.random.Generator, kind: str, base: int, light: float) -> tuple[Strokes, float]:
    """A sign, an awning or a loaded cart at the height of head or trunk, and how far it passes."""
    strokes = Strokes(light)
    top, bottom = (-1.1, -0.78) if kind == "head" else (-0.86, -0.44)
    top, bottom = top + float(rng.uniform(-0.04, 0.04)), bottom + float(rng.uniform(-0.05, 0.05))
    half = float(rng.uniform(0.3, 0.55))
    strokes.box(-half, top, half, bottom, 5.0, base + occluders.MAIN, 158)
    strokes.box(-half, bottom - 0.04, half, bottom, 5.1, base + occluders.SECOND, 180)
    post = float(rng.uniform(-0.8, 0.8)) * half
    strokes.box(post - 0.012, bottom, post + 0.012, 0.4, 4.9, base + occluders.DARK, 150)
    return strokes, half + 0.25


def _stranger(
    rng: np.random.Generator,
    preset: Preset,
    base: int,
    pitch: float,
    look: Look,
    table: np.ndarray,
    shot,
) -> Strokes:
    """Somebody else, walking; colours go to their place in the table."""
    number = STRANGERS + int(rng.integers(1 << 20))
    person = make_person(preset, shot.seed, shot.domain, number)
    table[base : base + it.ITEMS] = it.palette(person)
    heading, phase = 45.0 * int(rng.integers(8)), float(rng.uniform(0, 2 * np.pi))
    pose = ps.draw_pose(rng, heading, phase + 2 * np.pi * 0.9 * shot.frame / 25.0)
    return bd.dress(person, pose, pitch, look.sun).strokes
