"""A posed person seen from one side: the measures that every stroke is made from."""

from __future__ import annotations

import numpy as np

from reidkit.synthped import pose as ps
from reidkit.synthped.people import Person
from reidkit.synthped.strokes import Strokes


class View:
    """One person from one side, and where strokes are collected.

    Attributes:
        person, pose: who and how.
        flat: (J, 2) joints in the image, body heights.
        near: (J,) nearness of the joints.
        strokes: to which heads, limbs and clothes are added.
        cos, sin: of the heading.
        thick: of limbs, against the usual person's.
        depth: half thickness of the chest, body heights.
    """

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

    def sections(self, rows: tuple) -> tuple[np.ndarray, np.ndarray]:
        """Cross-sections (share of the way from chest to pelvis, across, deep) to image shape."""
        table = np.array(rows)
        share = np.linspace(table[0, 0], table[-1, 0], 8)
        across = np.interp(share, table[:, 0], table[:, 1])
        deep = np.interp(share, table[:, 0], table[:, 2])
        top, bottom = self.flat[ps.CHEST], self.flat[ps.PELVIS]
        centre = top + share[:, None] * (bottom - top)
        return centre, np.hypot(across * self.cos, deep * self.sin)
