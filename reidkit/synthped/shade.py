"""From a canvas of items and shades to colours: palettes, patterns, folds, background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from reidkit.synthped import items as it
from reidkit.synthped.body import Body
from reidkit.synthped.people import Colour, Person
from reidkit.synthped.strokes import NEUTRAL
from reidkit.synthped.textures import GARMENT, Textures, make_textures, textured

Grid = tuple[np.ndarray, np.ndarray]


PATTERN_I = it.HOOD_I + 1  # the pattern's second colour


@dataclass(frozen=True)
class Texture:
    """The textures of the person on a canvas.

    Attributes:
        body: where they lie.
        textures: of the identity.
        colours: of their items.
    """

    body: Body
    textures: Textures
    colours: dict[int, Colour]


def texture_of(person: Person, body: Body, seed: int, domain: str) -> Texture | None:
    """What a person wears where the preset has textures."""
    if person.texture < 0:
        return None
    return Texture(body, *make_textures(person, seed, domain))


def colour_canvas(
    canvas: np.ndarray,
    units: Grid,
    table: np.ndarray,
    person: Person,
    behind: np.ndarray,
    rng: np.random.Generator,
    texture: Texture | None = None,
) -> np.ndarray:
    """Colours of a crop before the camera, filtered down to its size.

    Args:
        canvas: (over * H, over * W, 3) items, shades, parts.
        units: u and v of the canvas' columns and rows, in body heights from the feet.
        table: (M, 3) uint8 colours by item; item 0 is the background.
        person: for the patterns.
        behind: (H, W, 3) uint8 background.
        rng: for folds.
        texture: of that person; None: flat colours.

    Shape:
        returns (H, W, 3) uint8.
    """
    size = behind.shape[1::-1]
    items, shades = cv2.extractChannel(canvas, 0), cv2.extractChannel(canvas, 1)
    items = _patterned(items, units, person)
    lookup = np.zeros((3, 256), np.uint8)
    lookup[:, : len(table)] = table.T
    lookup[:, PATTERN_I] = person.accent
    lookup[:, 0] = 0
    if texture is not None:
        items = textured(items, units, person, texture.body, texture.textures)
        for item, colour in texture.colours.items():
            lookup[:, item] = colour
    bare = np.full((1, 256), 0, np.uint8)
    bare[0, 0] = 255
    # one channel at a time: a table of three and their means take OpenCV three times as long
    channels: Any = [_shrunk(cv2.LUT(items, colours), size) for colours in lookup]
    drawn: Any = cv2.merge(channels).astype(np.float32)
    open_, shade = _shrunk(cv2.LUT(items, bare), size), _shrunk(shades, size)
    share = open_.astype(np.float32) * np.float32(1 / 255)
    light = shade.astype(np.float32) * np.float32(1 / NEUTRAL)
    # three equal channels: contiguous products are several times faster than broadcast ones
    drawn *= cv2.merge([_folds(rng, size)] * 3)
    drawn += behind * cv2.merge([share] * 3)
    drawn *= cv2.merge([light] * 3)
    drawn += np.float32(0.5)
    return np.minimum(drawn, 255, out=drawn).astype(np.uint8)


def _shrunk(channel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(channel, size, interpolation=cv2.INTER_AREA)


def cast_shadow(image: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """A crop with a shadow over one side of a slanted edge, as of a building or a tree.

    Args:
        image: (H, W, 3) uint8.
        rng: of the track.
        share: of the crops that have one.
    """
    if rng.random() >= share:
        return image
    height, width = image.shape[:2]
    turn, place = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
    dark, soft = rng.uniform(0.45, 0.75), rng.uniform(0.02, 0.12)
    x = np.linspace(-0.25, 0.25, width, dtype=np.float32)[None] * np.float32(np.cos(turn))
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * np.float32(np.sin(turn))
    lit = np.clip((x + y - np.float32(place)) / np.float32(soft) + np.float32(0.5), 0, 1)
    light = np.float32(dark) + np.float32(1 - dark) * lit
    return cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_8U)


def _folds(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Slow light and dark over what is drawn; (H, W) float32 around 1."""
    rough = (rng.random((16, 9), dtype=np.float32) - 0.5) * np.float32(0.32) + 1
    return cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC)


def _patterned(items: np.ndarray, units: Grid, person: Person) -> np.ndarray:
    """The items with the upper garment's second colour as an item of its own."""
    if person.pattern == "plain" or person.pattern in GARMENT:
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
