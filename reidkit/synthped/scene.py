"""Backgrounds: every camera has one wide picture of its own; crops are windows of it."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from reidkit.synthped.keys import stream

PIXELS = 144  # per body height
REACH = 2.4  # body heights to the left and right of the middle
ABOVE, BELOW = 2.0, 0.8  # body heights above and below the feet's usual place

GROUNDS = {
    "campus": ((168, 164, 152), (150, 148, 144), (132, 140, 112), (186, 172, 150)),
    "street": ((108, 108, 112), (88, 90, 96), (128, 122, 118), (142, 138, 140)),
}
WALLS = {
    "campus": ((196, 186, 166), (172, 156, 130), (120, 142, 98), (206, 204, 198), (156, 122, 96)),
    "street": ((104, 84, 76), (130, 132, 140), (78, 84, 96), (152, 140, 128), (60, 66, 72)),
}
THINGS = {
    "campus": ((70, 102, 58), (92, 122, 70), (120, 92, 66), (160, 160, 164), (198, 80, 60)),
    "street": ((48, 52, 60), (140, 30, 34), (40, 70, 120), (180, 182, 186), (90, 70, 56)),
}


def colours(style: str, key: tuple, table: dict) -> list[tuple[int, int, int]]:
    """The scene palette of a camera; "any" mixes both kinds."""
    if style in table:
        return list(table[style])
    rng = stream("scene palette", *key)
    both = [c for name in sorted(table) for c in table[name]]
    mixed = [tuple(int(v) for v in np.clip(np.add(c, rng.normal(0, 25, 3)), 5, 250)) for c in both]
    order = rng.permutation(len(mixed))
    return [mixed[i] for i in order]


@lru_cache(maxsize=24)
def panorama(key: tuple, style: str) -> np.ndarray:
    """The wide picture of one camera, (403, 691, 3) uint8 RGB.

    Args:
        key: of the camera's look.
        style: kind of scene, "campus", "street" or "any".
    """
    rng = stream("panorama", *key)
    height, width = round((ABOVE + BELOW) * PIXELS), round(2 * REACH * PIXELS)
    horizon = round((ABOVE - rng.uniform(0.25, 0.75)) * PIXELS)
    image = np.empty((height, width, 3), np.uint8)
    walls, grounds = colours(style, key, WALLS), colours(style, key, GROUNDS)
    _wall(image[:horizon], rng, walls)
    _ground(image[horizon:], rng, grounds)
    _things(image, horizon, rng, colours(style, key, THINGS))
    image = _grain(image, rng)
    return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.6, 1.8)))


def window(image: np.ndarray, origin: np.ndarray, scale: np.ndarray, size: tuple, shift: float):
    """The part of a panorama behind a crop.

    Args:
        image: of ``panorama``.
        origin: (u, v) of the crop's upper left corner, body heights from the feet.
        scale: crop pixels per body height.
        size: (height, width) of the crop.
        shift: where the person stands in the scene, body heights from its middle.
    """
    zoom = PIXELS / np.broadcast_to(scale, 2)
    u0 = (origin[0] + shift + REACH) * PIXELS
    v0 = (origin[1] + ABOVE) * PIXELS
    matrix = np.array([[zoom[0], 0, u0], [0, zoom[1], v0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)


def _choice(rng: np.random.Generator, options: list) -> tuple[int, int, int]:
    base = np.array(options[int(rng.integers(len(options)))]) + rng.normal(0, 8, 3)
    r, g, b = (int(v) for v in np.clip(base, 5, 250))
    return r, g, b


def _shade(colour: tuple, factor: float) -> tuple[int, int, int]:
    r, g, b = (int(min(255, max(0, c * factor))) for c in colour)
    return r, g, b


def _wall(image: np.ndarray, rng: np.random.Generator, walls: list) -> None:
    height, width = image.shape[:2]
    x = 0
    while x < width:
        step = int(rng.integers(70, 260))
        colour = _choice(rng, walls)
        image[:, x : x + step] = colour
        kind = rng.integers(4)
        if kind == 0:  # windows
            w, h = int(rng.integers(18, 40)), int(rng.integers(30, 60))
            glass = _shade(colour, float(rng.uniform(0.45, 0.8)))
            for left in range(x + 8, min(x + step, width) - w, w + int(rng.integers(8, 22))):
                for top in range(int(rng.integers(0, 20)), height - h, h + 16):
                    cv2.rectangle(image, (left, top), (left + w, top + h), glass, -1)
        elif kind == 1:  # courses of brick or panels
            for top in range(0, height, int(rng.integers(9, 40))):
                cv2.line(image, (x, top), (x + step, top), _shade(colour, 0.86), 2)
        elif kind == 2:  # door or dark entrance
            left = x + int(rng.integers(0, max(1, step - 40)))
            top = max(0, height - int(rng.integers(110, 200)))
            dark = _shade(colour, float(rng.uniform(0.3, 0.6)))
            cv2.rectangle(image, (left, top), (left + int(rng.integers(30, 60)), height), dark, -1)
        cv2.line(image, (x, 0), (x, height), _shade(colour, 0.7), 2)
        x += step


def _ground(image: np.ndarray, rng: np.random.Generator, grounds: list) -> None:
    height, width = image.shape[:2]
    colour = _choice(rng, grounds)
    image[:] = colour
    kind = rng.integers(3)
    if kind == 0:  # paving in perspective
        for row in np.cumsum(np.linspace(6, 30, 14)):
            cv2.line(image, (0, int(row)), (width, int(row)), _shade(colour, 0.88), 1)
        for start in range(-width, 2 * width, 60):
            middle = width // 2 + (start - width // 2) // 2
            cv2.line(image, (middle, 0), (start, height), _shade(colour, 0.9), 1)
    elif kind == 1:  # a second surface beyond a kerb
        kerb = int(rng.integers(8, max(9, height // 2)))
        image[:kerb] = _choice(rng, grounds)
        image[kerb : kerb + 5] = _shade(colour, 1.25)
    else:  # markings
        for _ in range(int(rng.integers(1, 4))):
            x = int(rng.integers(-100, width))
            far = int(rng.integers(-150, 150))
            cv2.line(image, (x + far, 0), (x, height), _shade(colour, 1.4), int(rng.integers(3, 9)))
    ramp = np.linspace(0.9, 1.08, height)[:, None, None]
    image[:] = np.clip(image * ramp, 0, 255).astype(np.uint8)


def _things(image: np.ndarray, horizon: int, rng: np.random.Generator, things: list) -> None:
    width = image.shape[1]
    for _ in range(int(rng.integers(5, 12))):
        x, colour = int(rng.integers(0, width)), _choice(rng, things)
        foot = horizon + int(rng.integers(-6, 40))
        kind = rng.integers(4)
        if kind == 0:  # pole or trunk
            cv2.rectangle(image, (x, 0), (x + int(rng.integers(4, 12)), foot), colour, -1)
        elif kind == 1:  # bush or crown
            for _ in range(14):
                at = (x + int(rng.normal(0, 22)), foot - 20 + int(rng.normal(0, 18)))
                tone = _shade(colour, float(rng.uniform(0.75, 1.2)))
                cv2.circle(image, at, int(rng.integers(6, 18)), tone, -1)
        elif kind == 2:  # parked car
            long, high = int(rng.integers(90, 150)), int(rng.integers(40, 60))
            cv2.rectangle(image, (x, foot - high), (x + long, foot - 8), colour, -1)
            roof = (x + long // 2, foot - high)
            cv2.ellipse(image, roof, (long // 3, high // 2), 0, 180, 360, _shade(colour, 0.6), -1)
            for wheel in (x + long // 5, x + 4 * long // 5):
                cv2.circle(image, (wheel, foot - 8), 11, (24, 24, 26), -1)
        else:  # bin, box, sign
            w, h = int(rng.integers(14, 40)), int(rng.integers(24, 80))
            cv2.rectangle(image, (x, foot - h), (x + w, foot), colour, -1)
            cv2.rectangle(image, (x, foot - h), (x + w, foot - h + 5), _shade(colour, 1.3), -1)


def _grain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    total = np.zeros((height, width), np.float32)
    for cell, amount in ((4, 5.0), (22, 7.0), (110, 12.0)):
        rough = rng.standard_normal((height // cell + 2, width // cell + 2)).astype(np.float32)
        total += amount * cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(image + total[..., None], 0, 255).astype(np.uint8)
