"""What a camera does to a picture: where it stands, its colours, and how badly it sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from reidkit.synthped.keys import stream
from reidkit.synthped.presets import STYLES, Preset

DAY = 3600.0  # seconds in which the light goes through one period


@dataclass(frozen=True)
class Place:
    """Where a camera of a domain stands; decides joints and boxes, so no style changes it.

    Attributes:
        pitch: looking down [degrees].
        heading: the direction people usually walk there, one of eight [degrees].
        shift: vertical error that its detector makes with every box [body heights].
        height: usual height of a box [pixels].
    """

    pitch: float
    heading: float
    shift: float
    height: float


@dataclass(frozen=True)
class Look:
    """How a camera renders; the part that ``style`` exchanges.

    Attributes:
        key: of the background, see ``scene``.
        gains: colour gains, RGB.
        lightness: log of the light's mean; ``light``: its amplitude; ``hour``: its phase [radians].
        gamma, contrast, saturation: 1 changes nothing.
        blur: sd of the Gaussian [pixels of a 128-pixel crop].
        noise: sd [0..255].
        resolution: height of a box in the camera's own pixels.
        quality: of JPEG, 0..100.
        sun: where the light comes from, -1 left .. 1 right.
    """

    key: tuple
    gains: tuple[float, float, float]
    lightness: float
    light: float
    hour: float
    gamma: float
    contrast: float
    saturation: float
    blur: float
    noise: float
    resolution: float
    quality: int
    sun: float


@lru_cache(maxsize=256)
def place(preset: Preset, seed: int, domain: str, camera: int) -> Place:
    """Where camera 1..6 of a domain stands."""
    rng = stream("place", seed, domain, camera)
    return Place(
        pitch=float(rng.uniform(2, 16)),
        heading=45.0 * int(rng.integers(8)),
        shift=float(rng.normal(0, preset.camera_shift)),
        height=float(rng.uniform(104, 150)),
    )


@lru_cache(maxsize=256)
def look(preset: Preset, seed: int, style: str, camera: int, group: int) -> Look:
    """The look of camera 1..6 under a domain's style.

    Args:
        group: 0; other numbers are further cameras of the same kind (domain P).
    """
    rng = stream("look", seed, style, camera, group)
    common = STYLES[style]
    own = np.exp(rng.normal(0, preset.gain, 3))
    r, g, b = (float(v) for v in np.array(common.gains) * own / own.mean())
    return Look(
        key=(seed, style, camera, group),
        gains=(r, g, b),
        lightness=common.lightness + float(rng.normal(0, 0.5 * preset.light)),
        light=preset.light,
        hour=float(rng.uniform(0, 2 * np.pi)),
        gamma=float(np.exp(rng.normal(0, preset.gamma))),
        contrast=float(np.exp(rng.normal(0, preset.contrast))),
        saturation=common.saturation * float(np.exp(rng.normal(0, 0.1))),
        blur=float(rng.uniform(0.3, 1.7)) * preset.blur,
        noise=float(rng.uniform(0.4, 1.6)) * preset.noise,
        resolution=float(rng.uniform(preset.resolution, preset.resolution + 60)),
        quality=int(rng.integers(preset.quality, 96)),
        sun=float(rng.uniform(-1, 1)),
    )


def expose(image: np.ndarray, look: Look, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Optics, sensor and colour of a camera.

    Args:
        image: (H, W, 3) uint8 RGB at the crop's size.
        look: of the camera.
        seconds: on the camera's clock; the light follows it.
        rng: for noise.

    Shape:
        returns (H, W, 3) uint8.
    """
    height, width = image.shape[:2]
    if look.resolution < height:
        small = (max(8, round(width * look.resolution / height)), max(16, round(look.resolution)))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    sigma = look.blur * height / 128
    if sigma > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    light = look.lightness + look.light * np.sin(2 * np.pi * seconds / DAY + look.hour)
    seen = cv2.LUT(image, _curves(look, float(light)))
    grey = (1 - look.saturation) * np.array([0.299, 0.587, 0.114])
    mix = (look.saturation * np.eye(3) + grey).astype(np.float32)
    pixels = cv2.transform(seen.astype(np.float32), mix)
    noise = np.float32(look.noise) * _noise(rng, height, width)
    return cv2.add(pixels, noise, dtype=cv2.CV_8U)  # rounds and saturates


def _curves(look: Look, light: float) -> np.ndarray:
    """One tone curve per colour, (1, 256, 3) uint8."""
    level = np.arange(256)[:, None] / 255.0 * np.array(look.gains) * np.exp(light)
    level = np.clip(level, 0, None) ** look.gamma
    level = 0.45 + look.contrast * (level - 0.45)
    return np.clip(np.rint(255 * level), 0, 255).astype(np.uint8)[None]


TILE = 448


@lru_cache(maxsize=1)
def _noise_tile() -> np.ndarray:
    """Noise of sd 1, half of it common to the three colours; (448, 448, 3) float32."""
    draws = stream("noise").standard_normal((TILE, TILE, 4), dtype=np.float32)
    return np.float32(0.71) * (draws[..., :3] + draws[..., 3:])


def _noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A random window of the noise, (H, W, 3) float32."""
    y, x = (int(rng.integers(TILE - side + 1)) for side in (height, width))
    return _noise_tile()[y : y + height, x : x + width]
