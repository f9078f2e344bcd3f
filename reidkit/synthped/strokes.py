"""Shapes to paint: tapered limbs, outlines and ellipses as polygons of equal length.

A canvas has three channels, so that one fill writes all there is to know of a pixel:
item (what it is: an index into colours), shade (light on it, 160 is neutral), part (0..7).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np

CORNERS = 16
NEUTRAL = 160
_HALF = np.linspace(0, np.pi, CORNERS // 2)
_ARC = np.stack([np.cos(_HALF), np.sin(_HALF)], axis=1)  # (8, 2)
_TURN = np.arange(CORNERS) * (2 * np.pi / CORNERS)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)  # (16, 2)
# cylinders: width, offset towards the light (in radii), shade
LAYERS = ((1.0, 0.0, 126), (0.80, 0.10, 152), (0.48, 0.18, 172))


@dataclass
class Strokes:
    """Polygons with their values, collected in any order and painted from far to near.

    Attributes:
        light: direction the light comes from in the image, -1 left .. 1 right.
    """

    light: float = 0.5
    polygons: list[np.ndarray | None] = field(default_factory=list)
    values: list[tuple[int, int, int]] = field(default_factory=list)
    nears: list[float] = field(default_factory=list)
    limbs: list[tuple] = field(default_factory=list)
    _array: np.ndarray | None = None

    def add(self, polygon: np.ndarray, near: float, item: int, part: int, shade: int) -> None:
        """One polygon (16, 2); ``near`` decides the order, larger is painted later."""
        self.polygons.append(polygon)
        self.values.append((item, shade, part))
        self.nears.append(near)

    def _extend(
        self,
        polygons: list[np.ndarray | None],
        near: float,
        item: int,
        part: int,
        layers: tuple,
        dim: int = 0,
    ) -> None:
        """The polygons of all layers of one shape."""
        self.polygons.extend(polygons)
        self.values.extend([(item, shade - dim, part) for _, _, shade in layers])
        self.nears.extend([near] * len(layers))

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
        self.limbs.append((a[0], a[1], b[0], b[1], ra, rb))
        self._extend([None] * len(LAYERS), near, item, part, LAYERS, dim)

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
        width, shift = _columns(layers)
        middle = centre[:, 0] + self.light * shift * half
        polygons = np.empty((len(layers), CORNERS, 2))
        polygons[:, : CORNERS // 2, 0] = middle - width * half
        polygons[:, CORNERS // 2 :, 0] = (middle + width * half)[:, ::-1]
        polygons[:, : CORNERS // 2, 1] = centre[:, 1]
        polygons[:, CORNERS // 2 :, 1] = centre[::-1, 1]
        self._extend(list(polygons), near, item, part, layers)

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
        """An upright ellipse, lit as a ball.

        Args:
            centre: (2,) its middle.
            rx, ry: half its width and half its height.
            near, item, part: as in ``limb``.
            layers: (width, shift, shade) of each polygon that is painted, outside to inside.
        """
        width, shift = _columns(layers)
        polygons = np.empty((len(layers), CORNERS, 2))
        polygons[..., 0] = centre[0] + self.light * shift * rx + _CIRCLE[:, 0] * (width * rx)
        polygons[..., 1] = centre[1] + -0.5 * shift * ry + _CIRCLE[:, 1] * (width * ry)
        self._extend(list(polygons), near, item, part, layers)

    def box(
        self, u0: float, v0: float, u1: float, v1: float, near: float, item: int, shade: int = 160
    ) -> None:
        """An upright rectangle of part 0."""
        t = np.linspace(0, 1, CORNERS // 2)
        left = np.stack([np.full_like(t, u0), v0 + t * (v1 - v0)], axis=1)
        right = np.stack([np.full_like(t, u1), v1 - t * (v1 - v0)], axis=1)
        self.add(np.concatenate([left, right]), near, item, 0, shade)

    def shapes(self) -> np.ndarray:
        """All polygons, (N, 16, 2) body heights; limbs are worked out here, all at once."""
        if self.limbs:
            limbs = iter(capsules(np.array(self.limbs), self.light).reshape(-1, CORNERS, 2))
            self.polygons = [next(limbs) if p is None else p for p in self.polygons]
            self.limbs = []
        if self._array is None or len(self._array) != len(self.polygons):
            self._array = np.array(self.polygons)
        return self._array

    def bounds(self) -> np.ndarray:
        """(u0, v0, u1, v1) of everything collected."""
        # rows in one piece: the smallest of each row is found several times faster
        every = np.ascontiguousarray(self.shapes().reshape(-1, 2).T)
        return np.concatenate([every.min(axis=1), every.max(axis=1)])

    def moved(self, offset: np.ndarray, scale: float, items: int, part: int) -> Strokes:
        """A copy moved and scaled, with item numbers raised by ``items`` and one part label."""
        other = Strokes(self.light)
        other.polygons = list(self.shapes() * scale + offset)
        other.values = [(item + items, shade, part) for item, shade, _ in self.values]
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
        pixels = (self.shapes() - origin) * scale - 0.5  # pixel centres at integers
        fixed = np.rint(pixels * 16).astype(np.int32)
        order = sorted(range(len(self.nears)), key=self.nears.__getitem__)
        for i in order:
            item, shade, part = self.values[i]
            if item not in keep_parts:
                cv2.fillConvexPoly(canvas, fixed[i], (item, shade, part), 8, 4)
                continue
            (x0, y0), (x1, y1) = fixed[i].min(axis=0) // 16, fixed[i].max(axis=0) // 16 + 2
            below = canvas[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0), 2]
            kept = below.copy()
            cv2.fillConvexPoly(canvas, fixed[i], (item, shade, part), 8, 4)
            below[:] = kept


@lru_cache(maxsize=16)
def _columns(layers: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Widths and shifts of layers, (layers, 1) each."""
    width, shift, _ = np.array(layers).T[..., None]
    return width, shift


def capsules(limbs: np.ndarray, light: float) -> np.ndarray:
    """Outlines of tapered limbs in the layers that light them.

    Args:
        limbs: (L, 6) ends a and b and the radii there.
        light: as in ``Strokes``.

    Shape:
        returns (L, 3, 16, 2).
    """
    a, b, radii = limbs[:, :2], limbs[:, 2:4], limbs[:, 4:6]
    along = b - a
    length = np.hypot(along[:, 0], along[:, 1])
    flat = length < 1e-6
    unit = np.where(flat[:, None], [0.0, 1.0], along / np.where(flat, 1, length)[:, None])
    on_end = length < np.abs(radii[:, 0] - radii[:, 1])  # seen from its end: a ball
    radii = np.where(on_end[:, None], radii.max(axis=1, keepdims=True), radii)
    side = np.stack([-unit[:, 1], unit[:, 0]], axis=1)
    arc = _ARC[None, :, :1] * side[:, None] - _ARC[None, :, 1:] * unit[:, None]  # (L, 8, 2)
    layers = np.array([layer[:2] for layer in LAYERS])
    lit = layers[:, 1:] * np.array([light, -0.05])  # (3, 2)
    ends = []
    for end, radius, sign in ((a, radii[:, 0], 1), (b, radii[:, 1], -1)):
        middle = end[:, None] + radius[:, None, None] * lit[None]  # (L, 3, 2)
        wide = radius[:, None] * layers[None, :, 0] * sign  # (L, 3)
        ends.append(middle[:, :, None] + wide[:, :, None, None] * arc[:, None])
    return np.concatenate(ends, axis=2)
