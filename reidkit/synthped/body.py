"""From a person and a pose to strokes: the dressed body, its joints and its part labels.

Part classes are EANet's: 0 background, 1 head, 2 torso, 3 upper arm, 4 lower arm and hand,
5 upper leg, 6 lower leg, 7 foot. Clothes count as the limb they cover; bags cover without
taking the label of the body behind them, and are background beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidkit.synthped import pose as ps
from reidkit.synthped.people import Person
from reidkit.synthped.strokes import Strokes

HEAD, TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG, LOWER_LEG, FOOT = range(1, 8)
PART_NAMES = (
    "background",
    "head",
    "torso",
    "upper arm",
    "lower arm",
    "upper leg",
    "lower leg",
    "foot",
)

# items: what a pixel shows; left, right where there are two
NECK_I, SKIN_I, HAIR_I, EYES_I, TOP_I, INNER_I, PRINT_I, TAIL_I = range(1, 9)
BOTTOM_I, SKIRT_I, BAG_I, STRAP_I, CAP_I, HOOD_I = range(9, 15)
ARM_U, ARM_L, SLEEVE_U, SLEEVE_L, LEG_U, LEG_L, CLOTH_U, CLOTH_L, SHOE = range(16, 34, 2)
STRIPE_I = 34
ITEMS = 40  # items of one person; others on the canvas start at multiples of it
TOP_ITEMS = (TOP_I, TAIL_I, SLEEVE_U, SLEEVE_U + 1, SLEEVE_L, SLEEVE_L + 1)
BOTTOM_ITEMS = (BOTTOM_I, SKIRT_I, CLOTH_U, CLOTH_U + 1, CLOTH_L, CLOTH_L + 1)
BAG_ITEMS = frozenset({BAG_I, STRAP_I})
FLAT = ((1.0, 0.0, 160),)
PRINT_ROWS: dict[str, tuple] = {"block": ((0.22, 0.5),), "bars": ((0.18, 0.26), (0.34, 0.42))}
PRINT_LAYERS = ((1.0, 0.0, 168),)


@dataclass
class Body:
    """A posed, dressed person in the image frame.

    Attributes:
        strokes: to paint.
        joints: (17, 2) COCO joints, body heights.
        near: (17,) nearness of the joints.
        facing: (17,) nearness below which a joint is on the far side of the body.
    """

    strokes: Strokes
    joints: np.ndarray
    near: np.ndarray
    facing: np.ndarray


def palette(person: Person) -> np.ndarray:
    """Colours (40, 3) uint8 by item number."""
    table = np.zeros((ITEMS, 3), np.uint8)
    table[[NECK_I, SKIN_I]] = person.skin
    table[HAIR_I] = person.hair
    table[EYES_I] = (38, 30, 30)
    table[list(TOP_ITEMS)] = person.top
    table[INNER_I] = person.inner
    table[HOOD_I] = person.top
    table[[PRINT_I, CAP_I, STRIPE_I]] = person.accent
    table[list(BOTTOM_ITEMS)] = person.bottom
    table[BAG_I] = person.bag
    table[STRAP_I] = [int(0.8 * c) for c in person.bag]
    table[ARM_U : ARM_L + 2] = person.skin
    table[LEG_U : LEG_L + 2] = person.skin
    table[[SHOE, SHOE + 1]] = person.shoes
    return table


def dress(person: Person, pose: ps.Pose, pitch: float, light: float) -> Body:
    """Build the strokes of one person.

    Args:
        person, pose: who and how.
        pitch: camera looking down [degrees].
        light: where the light comes from, -1 left .. 1 right.
    """
    points = ps.skeleton(person, pose)
    flat, near = ps.project(points, pose.heading, pitch)
    view = _View(person, pose, points, flat, near, Strokes(light), np.deg2rad(pose.heading))
    for side in (0, 1):
        view.leg(side)
        view.arm(side)
    view.trunk()
    view.front_and_back()
    view.head()
    view.bag()
    facing = np.full(17, -np.inf)
    facing[: ps.EAR] = near[ps.HEAD] - 0.01
    facing[ps.EAR : ps.SHOULDER] = near[ps.HEAD] - 0.02
    facing[ps.SHOULDER : ps.ELBOW] = near[ps.CHEST] - 0.07
    facing[ps.HIP : ps.KNEE] = near[ps.PELVIS] - 0.038
    return Body(view.strokes, flat[:17], near[:17], facing)


class _View:
    """One person from one side; every method adds strokes."""

    def __init__(self, person, pose, points, flat, near, strokes, turn):
        self.person: Person = person
        self.pose: ps.Pose = pose
        self.points, self.flat, self.near = points, flat, near
        self.strokes: Strokes = strokes
        self.cos, self.sin = float(np.cos(turn)), float(np.sin(turn))
        self.thick = person.width**0.8
        self.depth = 0.066 * person.width  # half thickness of the chest

    def wide(self, across: float, deep: float) -> float:
        """Half width in the image of an elliptic cross-section."""
        return float(np.hypot(across * self.cos, deep * self.sin))

    def span(self, a: int, b: int, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
        """Piece of the limb from joint a to joint b."""
        along = self.flat[b] - self.flat[a]
        return self.flat[a] + start * along, self.flat[a] + stop * along

    def far(self, joint: int, side: int) -> int:
        """Shade taken from a limb on the side away from the camera."""
        return 24 if self.near[joint + side] < self.near[joint + 1 - side] - 0.03 else 0

    def arm(self, side: int) -> None:
        person, add = self.person, self.strokes.limb
        s, e, w, h = (j + side for j in (ps.SHOULDER, ps.ELBOW, ps.WRIST, ps.HAND))
        near = float(
            self.near[e] + 0.02 * self.near[s] + 0.3 * (self.near[s] - self.near[ps.CHEST])
        )
        dim, t = self.far(ps.SHOULDER, side), self.thick
        low = near + 0.01 + 0.5 * float(self.near[w] - self.near[e])
        top = self.span(s, e, 0.1, 1.0)[0]
        add(top, self.flat[e], 0.027 * t, 0.022 * t, near, ARM_U + side, UPPER_ARM, dim)
        add(self.flat[e], self.flat[w], 0.023 * t, 0.016 * t, low, ARM_L + side, LOWER_ARM, dim)
        add(self.flat[w], self.flat[h], 0.016, 0.019, low, ARM_L + side, LOWER_ARM, dim)
        fit = {"coat": 1.3, "jacket": 1.25, "hoodie": 1.25, "long": 1.1}.get(person.top_kind, 1.14)
        reach = person.sleeve
        if reach > 0.08:
            a, b = self.span(s, e, 0.06, max(0.22, min(reach, 1.0)))
            rb = (0.0235 if reach >= 1 else 0.027) * t * fit
            add(a, b, 0.0285 * t * fit, rb, near + 0.002, SLEEVE_U + side, UPPER_ARM, dim)
        if reach > 1:
            a, b = self.span(e, w, 0.0, reach - 1)
            add(
                a, b, 0.0245 * t * fit, 0.02 * t * fit, low + 0.002, SLEEVE_L + side, LOWER_ARM, dim
            )

    def leg(self, side: int) -> None:
        person, add = self.person, self.strokes.limb
        hip, k, a = (j + side for j in (ps.HIP, ps.KNEE, ps.ANKLE))
        t, dim = self.thick, self.far(ps.HIP, side)
        near = float(0.5 * self.near[hip] + 0.1 * self.near[k]) - 0.04
        low = near + 0.001
        toe, heel = self.flat[ps.TOE + side], self.flat[ps.HEEL + side]
        add(self.flat[hip], self.flat[k], 0.050 * t, 0.033 * t, near, LEG_U + side, UPPER_LEG, dim)
        add(self.flat[k], self.flat[a], 0.033 * t, 0.019, low, LEG_L + side, LOWER_LEG, dim)
        add(heel, toe, 0.021, 0.016, low + 0.001, SHOE + side, FOOT, dim)
        if person.boots:
            top = self.flat[a] + person.boots * (self.flat[k] - self.flat[a])
            add(top, self.flat[a], 0.03 * t, 0.023, low + 0.0005, SHOE + side, LOWER_LEG, dim)
        if "skirt" in person.bottom_kind:
            return
        fit = {"trousers": 1.16, "slim": 1.0, "shorts": 1.25}[person.bottom_kind]
        end = self.span(hip, k, 0.0, min(person.hem, 1.0))[1]
        rb = (0.034 if person.hem >= 1 else 0.044) * t * fit
        add(self.flat[hip], end, 0.053 * t, rb, near + 0.0004, CLOTH_U + side, UPPER_LEG, dim)
        if person.hem > 1:
            end = self.span(k, a, 0.0, person.hem - 1)[1]
            rb = 0.028 * t if person.bottom_kind == "trousers" else 0.021 * t
            item = CLOTH_L + side
            add(self.flat[k], end, 0.034 * t * fit, rb * fit, low + 0.0007, item, LOWER_LEG, dim)
        if person.side_stripe and dim == 0 and abs(self.sin) > 0.3:
            end = self.span(hip, k, 0.0, min(person.hem, 1.0))[1]
            start = self.flat[hip] + [0, 0.03]
            add(start, end, 0.008, 0.007, near + 0.0008, STRIPE_I, UPPER_LEG)
            if person.hem > 1.2:
                stop = self.span(k, a, 0.0, person.hem - 1.05)[1]
                add(self.flat[k], stop, 0.007, 0.006, low + 0.0012, STRIPE_I, LOWER_LEG)

    def sections(self, rows: tuple) -> tuple[np.ndarray, np.ndarray]:
        """Cross-sections (share of the way from chest to pelvis, across, deep) to image shape."""
        table = np.array(rows)
        share = np.linspace(table[0, 0], table[-1, 0], 8)
        across = np.interp(share, table[:, 0], table[:, 1])
        deep = np.interp(share, table[:, 0], table[:, 2])
        top, bottom = self.flat[ps.CHEST], self.flat[ps.PELVIS]
        centre = top + share[:, None] * (bottom - top)
        return centre, np.hypot(across * self.cos, deep * self.sin)

    def trunk(self) -> None:
        person, deep = self.person, self.depth
        loose = {"coat": 1.16, "jacket": 1.12, "hoodie": 1.14}.get(person.top_kind, 1.03)
        broad = 0.105 * person.shoulders * person.width**0.6
        waist = 0.082 * person.width * (0.92 if person.hips > 1.02 else 1.05)
        hip = 0.092 * person.hips * person.width**0.8
        self.shape = (
            (-0.15, 0.040, 0.45 * deep),
            (-0.05, broad * 0.8, 0.78 * deep),
            (0.06, broad * 1.0, 0.92 * deep),
            (0.3, broad * 0.95 * loose, 1.08 * deep * loose),
            (0.62, waist * loose, 0.98 * deep * loose),
            (1.0, hip * loose, 1.12 * deep * loose),
            (1.14, hip * 0.94 * loose, 1.0 * deep * loose),
        )
        add = self.strokes.outline
        add(
            *self.sections(((0.8, waist, deep), (1.0, hip, 1.1 * deep), (1.2, hip, deep))),
            -0.03,
            BOTTOM_I,
            TORSO,
        )
        add(*self.sections(self.shape), 0.0, TOP_I, TORSO)
        if person.top_kind == "coat":
            low = 1.55 + 0.35 * (person.pattern_size - 0.018) / 0.027
            rows = ((1.0, hip * loose, 1.12 * deep * loose), (low, hip * 1.22, 1.5 * deep))
            add(*self.over_knees(*self.sections(rows)), -0.005, TAIL_I, UPPER_LEG)
        if "skirt" in person.bottom_kind:
            low = 1 + person.hem * 0.245 / 0.315
            flare = 1.5 if person.bottom_kind == "skirt" else 1.3
            top = ((0.92, hip, 1.1 * deep), (1.1, hip * 1.04, 1.2 * deep))
            skirt = (*top, (low, hip * flare, 1.55 * deep))
            add(*self.over_knees(*self.sections(skirt)), -0.012, SKIRT_I, UPPER_LEG)

    def over_knees(self, centre: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A skirt as wide as the legs under it."""
        hip, knees = self.flat[ps.PELVIS], self.flat[ps.KNEE : ps.KNEE + 2]
        depth = np.clip((centre[:, 1] - hip[1]) / (knees[:, 1].max() - hip[1]), 0, 1.15)
        edges = knees[:, 0] - hip[0]
        left = np.minimum(centre[:, 0] - half, centre[:, 0] + depth * (edges.min() - 0.03))
        right = np.maximum(centre[:, 0] + half, centre[:, 0] + depth * (edges.max() + 0.03))
        return np.stack([(left + right) / 2, centre[:, 1]], axis=1), (right - left) / 2

    def front_and_back(self) -> None:
        """Prints, the open front of a jacket, seen from their side only."""
        person, strokes = self.person, self.strokes
        facing = self.cos
        if person.top_kind in ("jacket", "coat") and facing > 0.15:
            rows = tuple((s, 0.028 + 0.012 * s, 0.0) for s in (-0.1, 0.5, 1.1))
            centre, half = self.sections(rows)
            centre = centre + [self.sin * self.depth * 1.0, 0]
            strokes.outline(centre, half, 0.004, INNER_I, TORSO, FLAT)
            return
        kind = person.front_print if facing > 0 else person.back_print
        if kind == "none" or abs(facing) < 0.35:
            return
        shift = self.sin * self.depth * (0.9 if facing > 0 else -0.9)
        centre = self.flat[ps.CHEST] * 0.66 + self.flat[ps.PELVIS] * 0.34 + [shift, 0]
        across = 0.052 * abs(facing)
        if kind == "disc":
            strokes.ellipse(centre, across, 0.05, 0.004, PRINT_I, TORSO, PRINT_LAYERS)
        for start, stop in PRINT_ROWS.get(kind, ()):
            section = ((start, 0.07, 0.0), (stop, 0.07, 0.0))
            middle, half = self.sections(section)
            strokes.outline(middle + [shift, 0], half, 0.004, PRINT_I, TORSO, PRINT_LAYERS)

    def head(self) -> None:
        from reidkit.synthped.head import add_head

        add_head(self)

    def bag(self) -> None:
        from reidkit.synthped.head import add_bag

        add_bag(self)
