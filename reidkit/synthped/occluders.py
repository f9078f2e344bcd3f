"""What stands in front of people: street furniture, plants, cars, other people."""

from __future__ import annotations

import numpy as np

from reidkit.synthped import items as it
from reidkit.synthped.keys import pick
from reidkit.synthped.strokes import LAYERS, Strokes

LOW = dict(wall=2, bench=2, bush=2, car=2)
OTHER = dict(pole=2, bin=1.5, sign=1, wall=1, bush=1)
COLOURS: tuple[tuple[int, int, int], ...] = (
    (92, 96, 100),
    (148, 140, 126),
    (70, 96, 60),
    (60, 50, 44),
    (150, 46, 44),
)
COLOURS += ((46, 66, 104), (188, 188, 184), (40, 42, 46), (190, 150, 60))
MAIN, SECOND, DARK = 0, 1, 2  # items after the base


def palette(rng: np.random.Generator, bush: bool = False) -> np.ndarray:
    """Colours (40, 3) uint8 of one occluder's items."""
    base = np.array((64, 96, 56) if bush else COLOURS[int(rng.integers(len(COLOURS)))], float)
    base += rng.normal(0, 12, 3)
    table = np.zeros((it.ITEMS, 3))
    table[MAIN], table[SECOND], table[DARK] = base, base * rng.uniform(0.6, 1.35), base * 0.35
    return np.clip(table, 4, 250).astype(np.uint8)


def furniture(
    rng: np.random.Generator, low: bool, base: int, light: float
) -> tuple[Strokes, np.ndarray]:
    """One thing in front of the person.

    Args:
        low: True covers from about the hips down, across the whole crop.
        base: number of its first item.
        light: as in ``Strokes``.

    Returns:
        strokes in the person's image frame, and the palette of its items.
    """
    kind = pick(rng, LOW if low else OTHER)
    strokes = Strokes(light)
    top = float(-rng.uniform(0.28, 0.58)) if low else float(-rng.uniform(0.2, 0.75))
    side = float(rng.uniform(-0.16, 0.16))
    {"wall": _wall, "bench": _bench, "bush": _bush, "car": _car, "pole": _pole, "bin": _bin}.get(
        kind, _sign
    )(strokes, rng, top, side, base, low)
    return strokes, palette(rng, kind == "bush")


def _wall(strokes, rng, top, side, base, low):
    left, right = (-1.0, 1.0) if low else ((-1.0, side) if rng.random() < 0.5 else (side, 1.0))
    strokes.box(left, top, right, 1.0, 5.0, base + MAIN, 150)
    strokes.box(left, top, right, top + 0.03, 5.1, base + SECOND, 185)
    for row in np.arange(top + 0.12, 0.3, 0.14):
        strokes.box(left, row, right, row + 0.01, 5.1, base + MAIN, 122)


def _bench(strokes, rng, top, side, base, low):
    for step in range(5):
        row = top + 0.085 * step
        strokes.box(-1.0, row, 1.0, row + 0.062, 5.0, base + MAIN, 165 - 8 * step)
    for post in (-0.42 + side, 0.3 + side):
        strokes.box(post, top - 0.02, post + 0.04, 0.3, 5.1, base + DARK, 150)


def _bush(strokes, rng, top, side, base, low):
    reach = 0.5 if low else 0.16
    for _ in range(34):
        middle = np.array([side + rng.uniform(-reach, reach), rng.uniform(top + 0.06, 0.12)])
        radius, item = float(rng.uniform(0.04, 0.1)), base + int(rng.integers(2))
        layers = ((1.0, 0.0, int(rng.integers(105, 150))), (0.6, 0.2, int(rng.integers(140, 190))))
        strokes.ellipse(middle, radius, radius * 0.9, 5.0 + 0.01 * middle[1], item, 0, layers)


def _car(strokes, rng, top, side, base, low):
    rows = np.linspace(top, 0.02, 8)
    middle = np.stack([np.full(8, side), rows], axis=1)
    strokes.outline(middle, np.linspace(0.55, 0.72, 8), 5.0, base + MAIN, 0, ((1.0, 0.0, 160),))
    strokes.box(-0.9, top + 0.03, 0.9, top + 0.05, 5.1, base + MAIN, 200)
    strokes.box(-0.9, top + 0.2, 0.9, top + 0.215, 5.1, base + DARK, 160)
    strokes.box(-1.0, 0.0, 1.0, 0.6, 4.9, base + DARK, 110)
    for wheel in (side - 0.3, side + 0.34):
        strokes.ellipse(np.array([wheel, -0.02]), 0.1, 0.1, 5.2, base + DARK, 0)


def _pole(strokes, rng, top, side, base, low):
    radius = float(rng.uniform(0.022, 0.055))
    a, b = np.array([side * 0.7, -1.8]), np.array([side * 0.7, 0.6])
    strokes.limb(a, b, radius, radius, 5.0, base + MAIN, 0)


def _bin(strokes, rng, top, side, base, low):
    rows = np.stack([np.full(8, side), np.linspace(top * 0.8, 0.06, 8)], axis=1)
    half = float(rng.uniform(0.1, 0.19))
    strokes.outline(rows, np.linspace(1.05, 0.92, 8) * half, 5.0, base + MAIN, 0, LAYERS)
    strokes.box(
        side - half * 1.1, top * 0.8 - 0.02, side + half * 1.1, top * 0.8 + 0.02, 5.1, base + SECOND
    )


def _sign(strokes, rng, top, side, base, low):
    middle = float(rng.uniform(-0.85, -0.35))
    half = float(rng.uniform(0.09, 0.2))
    strokes.box(side - 0.015, middle, side + 0.015, 0.3, 5.0, base + DARK, 160)
    strokes.box(side - half, middle - half, side + half, middle + half, 5.1, base + MAIN, 170)
    strokes.box(
        side - half * 0.7, middle - half * 0.4, side + half * 0.7, middle, 5.2, base + SECOND, 175
    )
