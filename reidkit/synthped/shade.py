"""From a canvas of items and shades to colours: palettes, patterns, folds, background."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from reidkit.synthped import items as it
from reidkit.synthped.people import Person
from reidkit.synthped.strokes import NEUTRAL

Grid = tuple[np.ndarray, np.ndarray]


PATTERN_I = it.HOOD_I + 1  # the pattern's second colour


def colour_canvas(
    canvas: np.ndarray,
    units: Grid,
    table: np.ndarray,
    person: Person,
    behind: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Colours of a crop before the camera, filtered down to its size.

    Args:
        canvas: (over * H, over * W, 3) items, shades, parts.
        units: u and v of the canvas' columns and rows, in body heights from the feet.
        table: (M, 3) uint8 colours by item; item 0 is the background.
        person: for the patterns.
        behind: (H, W, 3) uint8 background.
        rng: for folds.

    Shape:
        returns (H, W, 3) uint8.
    """
    size = behind.shape[1::-1]
    items, shades, _ = cv2.split(canvas)
    items = _patterned(items, units, person)
    lookup = np.zeros((1, 256, 3), np.uint8)
    lookup[0, : len(table)] = table
    lookup[0, PATTERN_I] = person.accent
    lookup[0, 0] = 0
    bare = np.full((1, 256), 0, np.uint8)
    bare[0, 0] = 255
    drawn: Any = cv2.LUT(cv2.merge([items] * 3), lookup)
    drawn = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    open_ = cv2.resize(cv2.LUT(items, bare), size, interpolation=cv2.INTER_AREA)
    shade = cv2.resize(shades, size, interpolation=cv2.INTER_AREA)
    share = open_.astype(np.float32) * np.float32(1 / 255)
    light = shade.astype(np.float32) * np.float32(1 / NEUTRAL)
    # three equal channels: contiguous products are several times faster than broadcast ones
    drawn *= cv2.merge([_folds(rng, size)] * 3)
    drawn += behind * cv2.merge([share] * 3)
    drawn *= cv2.merge([light] * 3)
    drawn += np.float32(0.5)
    return np.minimum(drawn, 255, out=drawn).astype(np.uint8)


def _folds(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Slow light and dark over what is drawn; (H, W) float32 around 1."""
    rough = (rng.random((16, 9), dtype=np.float32) - 0.5) * np.float32(0.32) + 1
    return cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC)


def _patterned(items: np.ndarray, units: Grid, person: Person) -> np.ndarray:
    """The items with the upper garment's second colour as an item of its own."""
    if person.pattern == "plain":
        return items
    cloth = np.zeros((1, 256), np.uint8)
    cloth[0, list(it.TOP_ITEMS)] = 1
    second = _second(person.pattern, 2 * person.pattern_size, units)
    mask = cv2.LUT(items, cloth) * second
    return np.where(mask, np.uint8(PATTERN_I), items)


def _second(kind: str, period: float, units: Grid) -> np.ndarray:
    """Where a pattern has its second colour: bool, broadcasts to (H, W)."""
    u, v = units[0][None], units[1][:, None]
    if kind == "stripes":
        return (v % period) < period / 2
    if kind == "pinstripes":
        return (u % (0.8 * period)) < 0.3 * period
    if kind == "checks":
        return ((v % period) < period / 2) ^ ((u % period) < period / 2)
    if kind == "band":
        return (v > -0.74) & (v < -0.74 + 2.2 * period)
    if kind == "yoke":
        return v < -0.71
    du, dv = (u / period) % 1 - 0.5, (v / period) % 1 - 0.5
    return du**2 + dv**2 < 0.09  # dots
