"""From a person and a pose to strokes: the dressed body and its joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidkit.synthped import items as it
from reidkit.synthped import pose as ps
from reidkit.synthped.head import add_bag, add_head
from reidkit.synthped.people import Person
from reidkit.synthped.strokes import Strokes
from reidkit.synthped.view import View


@dataclass
class Body:
    """A posed, dressed person in the image frame.

    Attributes:
        strokes: to paint.
        joints: (17, 2) COCO joints, body heights.
        near: (17,) nearness of the joints.
        facing: (17,) nearness below which a joint is on the far side of the body.
        logo: (2,) middle of the logo that is seen, body heights; None: none is.
        heading: of the trunk; ``face``: of the face [radians].
    """

    strokes: Strokes
    joints: np.ndarray
    near: np.ndarray
    facing: np.ndarray
    logo: np.ndarray | None
    heading: float
    face: float


def dress(person: Person, pose: ps.Pose, pitch: float, light: float) -> Body:
    """Build the strokes of one person.

    Args:
        person, pose: who and how.
        pitch: camera looking down [degrees].
        light: where the light comes from, -1 left .. 1 right.
    """
    points = ps.skeleton(person, pose)
    flat, near = ps.project(points, pose.heading, pitch)
    view = View(person, pose, points, flat, near, Strokes(light), np.deg2rad(pose.heading))
    for side in (0, 1):
        _leg(view, side)
        _arm(view, side)
    _trunk(view)
    logo = _front_and_back(view)
    add_head(view)
    add_bag(view)
    facing = np.full(17, -np.inf)
    facing[: ps.EAR] = near[ps.HEAD] - 0.01
    facing[ps.EAR : ps.SHOULDER] = near[ps.HEAD] - 0.02
    facing[ps.SHOULDER : ps.ELBOW] = near[ps.CHEST] - 0.07
    facing[ps.HIP : ps.KNEE] = near[ps.PELVIS] - 0.038
    face = float(np.deg2rad(pose.heading + pose.head_turn))
    heading = float(np.deg2rad(pose.heading))
    return Body(view.strokes, flat[:17], near[:17], facing, logo, heading, face)


def _arm(view: View, side: int) -> None:
    person, add = view.person, view.strokes.limb
    s, e, w, h = (j + side for j in (ps.SHOULDER, ps.ELBOW, ps.WRIST, ps.HAND))
    near = float(view.near[e] + 0.02 * view.near[s] + 0.3 * (view.near[s] - view.near[ps.CHEST]))
    dim, t = view.far(ps.SHOULDER, side), view.thick
    low = near + 0.01 + 0.5 * float(view.near[w] - view.near[e])
    top = view.span(s, e, 0.1, 1.0)[0]
    add(top, view.flat[e], 0.027 * t, 0.022 * t, near, it.ARM_U + side, it.UPPER_ARM, dim)
    add(view.flat[e], view.flat[w], 0.023 * t, 0.016 * t, low, it.ARM_L + side, it.LOWER_ARM, dim)
    add(view.flat[w], view.flat[h], 0.016, 0.019, low, it.ARM_L + side, it.LOWER_ARM, dim)
    fit = {"coat": 1.3, "jacket": 1.25, "hoodie": 1.25, "long": 1.1}.get(person.top_kind, 1.14)
    reach = person.sleeve
    if reach > 0.08:
        a, b = view.span(s, e, 0.06, max(0.22, min(reach, 1.0)))
        rb = (0.0235 if reach >= 1 else 0.027) * t * fit
        add(a, b, 0.0285 * t * fit, rb, near + 0.002, it.SLEEVE_U + side, it.UPPER_ARM, dim)
    if reach > 1:
        a, b = view.span(e, w, 0.0, reach - 1)
        add(
            a,
            b,
            0.0245 * t * fit,
            0.02 * t * fit,
            low + 0.002,
            it.SLEEVE_L + side,
            it.LOWER_ARM,
            dim,
        )


def _leg(view: View, side: int) -> None:
    person, add = view.person, view.strokes.limb
    hip, k, a = (j + side for j in (ps.HIP, ps.KNEE, ps.ANKLE))
    t, dim = view.thick, view.far(ps.HIP, side)
    near = float(0.5 * view.near[hip] + 0.1 * view.near[k]) - 0.04
    low = near + 0.001
    toe, heel = view.flat[ps.TOE + side], view.flat[ps.HEEL + side]
    add(
        view.flat[hip], view.flat[k], 0.050 * t, 0.033 * t, near, it.LEG_U + side, it.UPPER_LEG, dim
    )
    add(view.flat[k], view.flat[a], 0.033 * t, 0.019, low, it.LEG_L + side, it.LOWER_LEG, dim)
    add(heel, toe, 0.021, 0.016, low + 0.001, it.SHOE + side, it.FOOT, dim)
    if person.boots:
        top = view.flat[a] + person.boots * (view.flat[k] - view.flat[a])
        add(top, view.flat[a], 0.03 * t, 0.023, low + 0.0005, it.SHOE + side, it.LOWER_LEG, dim)
    if "skirt" in person.bottom_kind:
        return
    fit = {"trousers": 1.16, "slim": 1.0, "shorts": 1.25}[person.bottom_kind]
    end = view.span(hip, k, 0.0, min(person.hem, 1.0))[1]
    rb = (0.034 if person.hem >= 1 else 0.044) * t * fit
    add(view.flat[hip], end, 0.053 * t, rb, near + 0.0004, it.CLOTH_U + side, it.UPPER_LEG, dim)
    if person.hem > 1:
        end = view.span(k, a, 0.0, person.hem - 1)[1]
        rb = 0.028 * t if person.bottom_kind == "trousers" else 0.021 * t
        item = it.CLOTH_L + side
        add(view.flat[k], end, 0.034 * t * fit, rb * fit, low + 0.0007, item, it.LOWER_LEG, dim)
    if person.side_stripe and dim == 0 and abs(view.sin) > 0.3:
        end = view.span(hip, k, 0.0, min(person.hem, 1.0))[1]
        start = view.flat[hip] + [0, 0.03]
        add(start, end, 0.008, 0.007, near + 0.0008, it.STRIPE_I, it.UPPER_LEG)
        if person.hem > 1.2:
            stop = view.span(k, a, 0.0, person.hem - 1.05)[1]
            add(view.flat[k], stop, 0.007, 0.006, low + 0.0012, it.STRIPE_I, it.LOWER_LEG)


def _trunk(view: View) -> None:
    person, deep = view.person, view.depth
    loose = {"coat": 1.16, "jacket": 1.12, "hoodie": 1.14}.get(person.top_kind, 1.03)
    broad = 0.105 * person.shoulders * person.width**0.6
    waist = 0.082 * person.width * (0.92 if person.hips > 1.02 else 1.05)
    hip = 0.092 * person.hips * person.width**0.8
    shape = (
        (-0.15, 0.040, 0.45 * deep),
        (-0.05, broad * 0.8, 0.78 * deep),
        (0.06, broad * 1.0, 0.92 * deep),
        (0.3, broad * 0.95 * loose, 1.08 * deep * loose),
        (0.62, waist * loose, 0.98 * deep * loose),
        (1.0, hip * loose, 1.12 * deep * loose),
        (1.14, hip * 0.94 * loose, 1.0 * deep * loose),
    )
    add = view.strokes.outline
    add(
        *view.sections(((0.8, waist, deep), (1.0, hip, 1.1 * deep), (1.2, hip, deep))),
        -0.03,
        it.BOTTOM_I,
        it.TORSO,
    )
    add(*view.sections(shape), 0.0, it.TOP_I, it.TORSO)
    if person.top_kind == "coat":
        low = 1.55 + 0.35 * (person.pattern_size - 0.018) / 0.027
        rows = ((1.0, hip * loose, 1.12 * deep * loose), (low, hip * 1.22, 1.5 * deep))
        add(*_over_knees(view, *view.sections(rows)), -0.005, it.TAIL_I, it.UPPER_LEG)
    if "skirt" in person.bottom_kind:
        low = 1 + person.hem * 0.245 / 0.315
        flare = 1.5 if person.bottom_kind == "skirt" else 1.3
        top = ((0.92, hip, 1.1 * deep), (1.1, hip * 1.04, 1.2 * deep))
        skirt = (*top, (low, hip * flare, 1.55 * deep))
        add(*_over_knees(view, *view.sections(skirt)), -0.012, it.SKIRT_I, it.UPPER_LEG)


def _over_knees(view: View, centre: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A skirt as wide as the legs under it."""
    hip, knees = view.flat[ps.PELVIS], view.flat[ps.KNEE : ps.KNEE + 2]
    depth = np.clip((centre[:, 1] - hip[1]) / (knees[:, 1].max() - hip[1]), 0, 1.15)
    edges = knees[:, 0] - hip[0]
    left = np.minimum(centre[:, 0] - half, centre[:, 0] + depth * (edges.min() - 0.03))
    right = np.maximum(centre[:, 0] + half, centre[:, 0] + depth * (edges.max() + 0.03))
    return np.stack([(left + right) / 2, centre[:, 1]], axis=1), (right - left) / 2


def _front_and_back(view: View) -> np.ndarray | None:
    """Prints, the open front of a jacket, seen from their side only; the place of a logo."""
    person, strokes = view.person, view.strokes
    facing = view.cos
    if person.top_kind in ("jacket", "coat") and facing > 0.15:
        rows = tuple((s, 0.028 + 0.012 * s, 0.0) for s in (-0.1, 0.5, 1.1))
        centre, half = view.sections(rows)
        centre = centre + [view.sin * view.depth * 1.0, 0]
        strokes.outline(centre, half, 0.004, it.INNER_I, it.TORSO, it.FLAT)
        return None
    kind = person.front_print if facing > 0 else person.back_print
    if kind == "none" or abs(facing) < 0.35:
        return None
    shift = view.sin * view.depth * (0.9 if facing > 0 else -0.9)
    centre = view.flat[ps.CHEST] * 0.66 + view.flat[ps.PELVIS] * 0.34 + [shift, 0]
    across = 0.052 * abs(facing)
    if kind == "disc":
        strokes.ellipse(centre, across, 0.05, 0.004, it.PRINT_I, it.TORSO, it.PRINT_LAYERS)
    for start, stop in it.PRINT_ROWS.get(kind, ()):
        section = ((start, 0.07, 0.0), (stop, 0.07, 0.0))
        middle, half = view.sections(section)
        strokes.outline(middle + [shift, 0], half, 0.004, it.PRINT_I, it.TORSO, it.PRINT_LAYERS)
    if kind == "logo":
        square = np.stack(
            [np.full(8, centre[0]), centre[1] + np.linspace(-1, 1, 8) * it.LOGO_HALF], 1
        )
        half = np.full(8, it.LOGO_HALF * abs(facing))
        strokes.outline(square, half, 0.004, it.PRINT_I, it.TORSO, it.PRINT_LAYERS)
        return centre
    return None
