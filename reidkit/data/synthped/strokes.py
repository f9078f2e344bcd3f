"""Shapes to paint: tapered limbs, outlines and ellipses as polygons of equal length.

A canvas has three channels, so that one fill writes all there is to know of a pixel:
item (what it is: an index into colours), shade (light on it, 160 is neutral), part (0..7).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

CORNERS = 16
NEUTRAL = 160
_HALF = np.linspace(0, np.pi, CORNERS // 2)
_ARC = np.stack([np.cos(_HALF), np.sin(_HALF)], axis=1)  # (8, 2)
_TURN = np.arange(CORNERS) * (2 * np.pi / CORNERS)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)  # (16, 2)
# cylinders: width, offset towards the light (in radii), shade
LAYERS = ((1.0, 0.0, 118), (0.80, 0.10, 150), (0.48, 0.18, 176))


@dataclass
class Strokes:
    """Polygons with their values, collected in any order and painted from far to near.

    Attributes:
        light: direction the light comes from in the image, -1 left .. 1 right.
    """

    light: float = 0.5
    polygons: list[np.ndarray] = field(default_factory=list)
    values: list[tuple[int, int, int]] = field(default_factory=list)
    nears: list[float] = field(default_factory=list)

    def add(self, polygon: np.ndarray, near: float, item: int, part: int, shade: int) -> None:
        """One polygon (16, 2); ``near`` decides the order, larger is painted later."""
        self.polygons.append(polygon)
        self.values.append((item, shade, part))
        self.nears.append(near)

    def limb(
        self,
        a: np.ndarray,
        b: np.ndarray,
        ra: float,
        rb: float,
        near: float,
        item: int,
        part: int,
        dim: int = 0,
    ) -> None:
        """A tapered capsule from a to b, lit as a cylinder.

        Args:
            a, b: ends.  ra, rb: radii there.
            near: painting order.
            item, part: what to write.
            dim: taken from the shade (limbs on the far side).
        """
        along = b - a
        length = float(np.hypot(along[0], along[1]))
        unit = along / length if length > 1e-6 else np.array([0.0, 1.0])
        if length < abs(ra - rb):  # seen from its end
            ra = rb = max(ra, rb)
        axes = np.stack([[-unit[1], unit[0]], -unit])  # sideways, backwards
        for step, (width, shift, shade) in enumerate(LAYERS):
            offset = np.array([self.light * shift, -0.05 * shift])
            start = a + offset * ra + (width * ra) * (_ARC @ axes)
            stop = b + offset * rb - (width * rb) * (_ARC @ axes)
            self.add(np.concatenate([start, stop]), near + step * 1e-4, item, part, shade - dim)

    def outline(
        self,
        centre: np.ndarray,
        half: np.ndarray,
        near: float,
        item: int,
        part: int,
        layers: tuple = LAYERS,
    ) -> None:
        """A body of horizontal cross-sections, lit as a cylinder.

        Args:
            centre: (8, 2) middle of each cross-section, from top to bottom.
            half: (8,) its half width.
            near, item, part: as in ``limb``.
        """
        for step, (width, shift, shade) in enumerate(layers):
            middle = centre[:, 0] + self.light * shift * half
            left = np.stack([middle - width * half, centre[:, 1]], axis=1)
            right = np.stack([middle + width * half, centre[:, 1]], axis=1)
            polygon = np.concatenate([left, right[::-1]])
            self.add(polygon, near + step * 1e-4, item, part, shade)

    def ellipse(
        self,
        centre: np.ndarray,
        rx: float,
        ry: float,
        near: float,
        item: int,
        part: int,
        layers: tuple = LAYERS,
    ) -> None:
        """An upright ellipse, lit as a ball."""
        for step, (width, shift, shade) in enumerate(layers):
            middle = centre + np.array([self.light * shift * rx, -0.5 * shift * ry])
            polygon = middle + _CIRCLE * (width * np.array([rx, ry]))
            self.add(polygon, near + step * 1e-4, item, part, shade)

    def box(
        self, u0: float, v0: float, u1: float, v1: float, near: float, item: int, shade: int = 160
    ) -> None:
        """An upright rectangle of part 0."""
        t = np.linspace(0, 1, CORNERS // 2)
        left = np.stack([np.full_like(t, u0), v0 + t * (v1 - v0)], axis=1)
        right = np.stack([np.full_like(t, u1), v1 - t * (v1 - v0)], axis=1)
        self.add(np.concatenate([left, right]), near, item, 0, shade)

    def bounds(self) -> np.ndarray:
        """(u0, v0, u1, v1) of everything collected."""
        every = np.concatenate(self.polygons)
        return np.concatenate([every.min(axis=0), every.max(axis=0)])

    def moved(self, offset: np.ndarray, scale: float, items: int, part: int | None) -> Strokes:
        """A copy moved and scaled, with item numbers raised by ``items``."""
        other = Strokes(self.light)
        other.polygons = [polygon * scale + offset for polygon in self.polygons]
        other.values = [(i + items, s, p if part is None else part) for i, s, p in self.values]
        other.nears = list(self.nears)
        return other

    def paint(
        self, canvas: np.ndarray, scale: np.ndarray, origin: np.ndarray, keep_parts: frozenset[int]
    ) -> None:
        """Fill everything onto a canvas.

        Args:
            canvas: (H, W, 3) uint8, changed in place.
            scale: canvas pixels per body height, (horizontal, vertical).
            origin: (u, v) of the canvas' upper left corner.
            keep_parts: items that hide what is below them but leave its part label (bags).
        """
        if not self.polygons:
            return
        pixels = (np.stack(self.polygons) - origin) * scale - 0.5  # pixel centres at integers
        fixed = np.rint(pixels * 16).astype(np.int32)
        order = sorted(range(len(self.nears)), key=self.nears.__getitem__)
        for i in order:
            item, shade, part = self.values[i]
            if item in keep_parts:
                parts = canvas[:, :, 2].copy()
                cv2.fillConvexPoly(canvas, fixed[i], (item, shade, part), 8, 4)
                canvas[:, :, 2] = parts
            else:
                cv2.fillConvexPoly(canvas, fixed[i], (item, shade, part), 8, 4)
