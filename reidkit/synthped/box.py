"""The detector's box: how far it is off, where it lies, and how many pixels it has."""

from __future__ import annotations

import numpy as np

from reidkit.synthped import camera as cam
from reidkit.synthped.presets import Preset

MARGIN = 0.03  # of a perfect box around the person [body heights]


def error(rng: np.random.Generator, preset: Preset, place: cam.Place, kind: str) -> np.ndarray:
    """Errors of the left, upper, right and lower edge [body heights]."""
    sd = np.array([preset.edge_h, preset.edge_v, preset.edge_h, preset.edge_v])
    off = sd * np.clip(rng.standard_normal(4), -2.2, 2.2)
    off[[1, 3]] += place.shift
    if kind == "junk":  # a detector's false alarm beside or across the person
        off[[0, 2]] += rng.choice([-1, 1]) * rng.uniform(0.15, 0.3)
        off[[1, 3]] += rng.choice([-1, 1]) * rng.uniform(0.3, 0.6)
    return off


def edges(bounds: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Left, upper, right and lower edge [body heights].

    Args:
        bounds: of the person, in the same order.
        off: errors of the edges; see ``error``.
    """
    u0, v0, u1, v1 = bounds
    middle, half = (u0 + u1) / 2, max((u1 - u0) / 2 + MARGIN, 0.19)
    box = np.array([middle - half, v0 - MARGIN, middle + half, v1 + MARGIN]) + off
    if box[3] - box[1] < 0.45:  # never less than this is called a person
        centre = (box[1] + box[3]) / 2
        box[1], box[3] = centre - 0.225, centre + 0.225
    if box[2] - box[0] < 0.22:
        centre = (box[0] + box[2]) / 2
        box[0], box[2] = centre - 0.11, centre + 0.11
    return box


def pixels(box: np.ndarray, height: float) -> tuple[int, int]:
    """Height and width in pixels: 80..176 high, as broad as its shape asks for."""
    high = min(max(round(height * (box[3] - box[1])), 80), 176)
    wide = round(high * (box[2] - box[0]) / (box[3] - box[1]))
    return high, min(max(wide, 28), high)
