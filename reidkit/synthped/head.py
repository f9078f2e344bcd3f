"""Head, hair and bags of a dressed body."""

from __future__ import annotations

import numpy as np

from reidkit.synthped import items as it
from reidkit.synthped import pose as ps
from reidkit.synthped.view import View

BALL = ((1.0, 0.0, 128), (0.82, 0.12, 152), (0.5, 0.2, 172))


def add_head(view: View) -> None:
    """Neck, hair from behind, face from the front, cap, glasses, beard."""
    person, strokes = view.person, view.strokes
    size = person.head
    turn = np.deg2rad(view.pose.heading + view.pose.head_turn)
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    centre, chest = view.flat[ps.HEAD], view.flat[ps.CHEST]
    near = 0.05 + 0.2 * view.cos * 0.1
    neck = 0.030 * size * view.thick**0.5
    strokes.limb(
        chest + [0, 0.005], centre + [0, 0.03], neck, neck * 0.9, 0.012, it.NECK_I, it.HEAD
    )
    rx, ry = 0.044 * size, 0.062 * size
    if person.hair_style in ("long", "bun"):
        _long_hair(view, centre, sin, cos, size)
    skull = 1.0 if person.hair_style == "bald" else 1.1
    item = it.SKIN_I if person.hair_style == "bald" else it.HAIR_I
    if person.hair_style == "hood":
        item, skull = it.HOOD_I, 1.24
    back = centre + [-sin * 0.012 * size, -0.004 * size]
    round_head = rx * float(np.hypot(1.0, 0.28 * sin)) * skull
    strokes.ellipse(back, round_head, ry * skull, near, item, it.HEAD, BALL)
    if cos > -0.72:
        share = float(np.clip(0.5 + 0.55 * cos, 0.16, 1.0))
        face = centre + [sin * 0.018 * size * (1 if cos > 0 else 0.9), 0.012 * size]
        if cos < 0.3:
            face = face + [sin * 0.012 * size, 0]
        strokes.ellipse(
            face, rx * max(share, 0.3) * 0.93, ry * 0.84, near + 0.01, it.SKIN_I, it.HEAD, BALL
        )
        _face(view, cos, size, near + 0.02)
    if person.hair_style == "cap":
        crown = centre + [0, -0.026 * size]
        strokes.ellipse(crown, rx * 1.14, ry * 0.62, near + 0.03, it.CAP_I, it.HEAD, BALL)
        peak = crown + [sin * 0.055 * size, 0.022 * size]
        if cos > -0.4:
            strokes.limb(crown + [0, 0.02], peak, 0.014, 0.011, near + 0.031, it.CAP_I, it.HEAD, 20)


def _long_hair(view: View, centre: np.ndarray, sin: float, cos: float, size: float) -> None:
    strokes, long = view.strokes, view.person.hair_style == "long"
    behind = centre + [-sin * 0.03 * size, 0.0]
    order = 0.02 if cos > 0.25 else 0.045
    if long:
        end = behind + [-sin * 0.012, 0.105 * size]
        strokes.limb(behind, end, 0.048 * size, 0.040 * size, order, it.HAIR_I, it.HEAD)
    else:
        knot = centre + [-sin * 0.055 * size, -0.032 * size]
        strokes.ellipse(knot, 0.024 * size, 0.024 * size, order, it.HAIR_I, it.HEAD, BALL)


def _face(view: View, cos: float, size: float, near: float) -> None:
    if cos < 0.05:
        return
    strokes, person = view.strokes, view.person
    for side in (0, 1):
        eye = view.flat[ps.EYE + side]
        radius = 0.0105 if person.glasses else 0.0065
        strokes.ellipse(eye, radius * size, 0.8 * radius * size, near, it.EYES_I, it.HEAD, it.FLAT)
    if person.glasses:
        a, b = view.flat[ps.EYE], view.flat[ps.EYE + 1]
        strokes.limb(a, b, 0.0035, 0.0035, near, it.EYES_I, it.HEAD)
    if person.beard:
        chin = view.flat[ps.NOSE] + [0, 0.036 * size]
        strokes.ellipse(
            chin, 0.03 * size * max(cos, 0.4), 0.02 * size, near, it.HAIR_I, it.HEAD, BALL
        )


def add_bag(view: View) -> None:
    """Backpack, shoulder bag or handbag; covers the body but keeps its part label."""
    kind = view.person.bag_kind
    if kind == "backpack":
        _backpack(view)
    elif kind.startswith("shoulder"):
        _shoulder_bag(view, 0 if kind.endswith("left") else 1)
    elif kind.startswith("hand"):
        side = 0 if kind.endswith("left") else 1
        hand = view.flat[ps.HAND + side]
        near = float(view.near[ps.HAND + side]) + 0.03
        across = view.wide(0.035, 0.07)
        rows = np.stack([np.full(8, hand[0]), hand[1] + np.linspace(0.03, 0.14, 8)], axis=1)
        view.strokes.outline(rows, np.linspace(0.7, 1.0, 8) * across, near, it.BAG_I, 0)
        view.strokes.limb(hand, hand + [0, 0.04], 0.008, 0.008, near - 0.001, it.STRAP_I, 0)


def _backpack(view: View) -> None:
    strokes = view.strokes
    rows = ((0.06, 0.062, 0.05), (0.3, 0.078, 0.062), (0.72, 0.08, 0.065), (0.82, 0.07, 0.055))
    centre, half = view.sections(rows)
    deep = view.depth + 0.045
    offset = [-view.sin * deep, 0.0]
    near = 0.2 if view.cos < -0.1 else -0.3
    if abs(view.cos) <= 0.35:
        near = 0.02
    strokes.outline(centre + offset, half, near, it.BAG_I, 0)
    if view.cos > -0.1:
        for side in (0, 1):
            shoulder = view.flat[ps.SHOULDER + side] * 0.62 + view.flat[ps.CHEST] * 0.38
            front = [view.sin * view.depth * 0.9, 0.0]
            top = shoulder + front + [0, -0.012]
            hip = view.flat[ps.HIP + side] * 0.55 + view.flat[ps.SHOULDER + side] * 0.45
            strokes.limb(top, hip + front, 0.0125, 0.011, 0.006, it.STRAP_I, 0)


def _shoulder_bag(view: View, side: int) -> None:
    strokes = view.strokes
    hip = view.flat[ps.HIP + side]
    out = hip + (hip - view.flat[ps.PELVIS]) * 0.9
    near = float(2.2 * view.near[ps.HIP + side]) + (
        0.03 if view.near[ps.HIP + side] > -0.02 else -0.2
    )
    across = view.wide(0.03, 0.075)
    rows = np.stack([np.full(8, out[0]), out[1] + np.linspace(-0.05, 0.075, 8)], axis=1)
    strokes.outline(rows, np.full(8, across), near, it.BAG_I, 0)
    shoulder = view.flat[ps.SHOULDER + 1 - side]
    strokes.limb(shoulder + [0, -0.01], out + [0, -0.04], 0.009, 0.009, 0.007, it.STRAP_I, 0)
