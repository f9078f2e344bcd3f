"""From a canvas of items and shades to colours: palettes, patterns, folds, background."""

from __future__ import annotations

import cv2
import numpy as np

from reidkit.data.synthped import body as bd
from reidkit.data.synthped.people import Person
from reidkit.data.synthped.strokes import NEUTRAL

Grid = tuple[np.ndarray, np.ndarray]


def colour_canvas(
    canvas: np.ndarray,
    units: Grid,
    table: np.ndarray,
    person: Person,
    behind: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Colours of a crop before the camera.

    Args:
        canvas: (H, W, 3) items, shades, parts.
        units: u as (W,) and v as (H,): where the pixels are, in body heights from the feet.
        table: (160, 3) uint8 colours by item.
        person: for the patterns.
        behind: (H, W, 3) uint8 background.
        rng: for folds.

    Shape:
        returns (H, W, 3) uint8.
    """
    items = canvas[:, :, 0]
    lookup = np.zeros((1, 256, 3), np.uint8)
    lookup[0, : len(table)] = table
    image = cv2.LUT(cv2.merge([items] * 3), lookup)
    _pattern(image, items, units, person)
    cv2.copyTo(behind, (items == 0).view(np.uint8), image)
    shade = canvas[:, :, 1].astype(np.float32) / NEUTRAL
    shade *= _folds(rng, items)
    return cv2.multiply(image, cv2.merge([shade] * 3), dtype=cv2.CV_8U)


def _folds(rng: np.random.Generator, items: np.ndarray) -> np.ndarray:
    """Slow light and dark over clothes, 1 on the background; (H, W) float32."""
    height, width = items.shape
    rough = (rng.random((16, 9), dtype=np.float32) - 0.5) * np.float32(0.32) + 1
    smooth = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.where(items == 0, np.float32(1), smooth)


def _pattern(image: np.ndarray, items: np.ndarray, units: Grid, person: Person) -> None:
    """Second colour of the upper garment, painted in place."""
    kind = person.pattern
    if kind == "plain":
        return
    member = np.zeros(256, bool)
    member[list(bd.TOP_ITEMS)] = True
    cloth = member[items]
    if not cloth.any():
        return
    u, v = units
    period = 2 * person.pattern_size
    rows, columns = (v % period) < period / 2, (u % period) < period / 2
    if kind == "stripes":
        second = np.broadcast_to(rows[:, None], items.shape)
    elif kind == "pinstripes":
        second = np.broadcast_to(((u % (0.8 * period)) < 0.3 * period)[None], items.shape)
    elif kind == "checks":
        second = rows[:, None] ^ columns[None]
    elif kind == "band":
        second = np.broadcast_to(((v > -0.74) & (v < -0.74 + 2.2 * period))[:, None], items.shape)
    elif kind == "yoke":
        second = np.broadcast_to((v < -0.71)[:, None], items.shape)
    else:  # dots
        du, dv = (u / period) % 1 - 0.5, (v / period) % 1 - 0.5
        second = (du**2)[None] + (dv**2)[:, None] < 0.09
    image[cloth & second] = person.accent
