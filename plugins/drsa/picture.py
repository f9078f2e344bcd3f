"""Where the parts look, and which frames count for them, as one sheet.

Shapes: B tracklets, N frames, K parts, H W pixels, h w cells.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reidkit.viz.canvas import SOFT, Canvas, Colour, fit

COLOURS: tuple[Colour, ...] = (
    (230, 75, 60),
    (60, 130, 225),
    (245, 175, 40),
    (50, 165, 90),
    (165, 90, 200),
    (20, 170, 170),
    (225, 110, 170),
    (120, 120, 60),
)
TILE = (96, 48)  # height, width of a frame
BAR, GAP, LABEL, HEAD, MARGIN = 16, 4, 44, 60, 16
SHOWN = 8  # frames of a tracklet at most


def attention_sheet(path: str | Path, frames: NDArray, maps: NDArray, weights: NDArray) -> None:
    """Draw the frames of some tracklets, each part's map on them, and its weights beneath.

    Each map is drawn relative to its own largest cell; the number beneath is the part's weight for
    that frame, of which the bar shows the share; the weights of a part add up to 1 over the frames.

    Args:
        path: of the PNG file.
        frames: RGB images.
        maps: attention maps.
        weights: temporal weights.

    Shape:
        frames (B, N, H, W, 3) uint8, maps (B, N, K, h, w), weights (B, N, K).

    Raises:
        ValueError: no tracklets, or shapes that do not fit.
    """
    if not len(frames) or maps.shape[:3] != weights.shape or frames.shape[:2] != maps.shape[:2]:
        raise ValueError(
            f"attention_sheet: frames {frames.shape}, maps {maps.shape}, weights {weights.shape}"
        )
    count, parts = min(frames.shape[1], SHOWN), maps.shape[2]
    step = (TILE[0] + BAR + GAP, TILE[1] + GAP)
    block = LABEL + count * step[1] + 2 * GAP
    height = HEAD + TILE[0] + 2 * GAP + parts * step[0] + MARGIN
    sheet = Canvas(max(2 * MARGIN + len(frames) * block, 640), height)
    sheet.text(MARGIN, 8, "Spatial attention of each part, temporal weights beneath", 16, bold=True)
    note = "Each block is a tracklet. A part's weights add up to 1 over all frames"
    note += "." if count == frames.shape[1] else f", of which {count} are shown."
    sheet.text(MARGIN, 32, note, colour=SOFT)
    for number in range(len(frames)):
        chosen = np.linspace(0, frames.shape[1] - 1, count).round().astype(int)
        left = MARGIN + number * block
        part = (frames[number, chosen], maps[number, chosen], weights[number, chosen])
        _tracklet(sheet, left, *part)
    sheet.save(path)


def _tracklet(sheet: Canvas, left: int, frames: NDArray, maps: NDArray, weights: NDArray) -> None:
    """One block: the frames, then a row per part."""
    step = (TILE[0] + BAR + GAP, TILE[1] + GAP)
    strongest = max(float(weights.max()), 1e-6)
    for column, frame in enumerate(frames):
        x = left + LABEL + column * step[1]
        sheet.image(x, HEAD, fit(frame, *TILE))
        for part in range(maps.shape[1]):
            colour = COLOURS[part % len(COLOURS)]
            y = HEAD + TILE[0] + 2 * GAP + part * step[0]
            sheet.image(x, y, _lit(frame, maps[column, part], colour))
            share = float(weights[column, part])
            sheet.image(x, y + TILE[0] + 1, _bar(share / strongest, colour))
            sheet.text(x + 1, y + TILE[0] + 3, f"{share:.2f}", size=9)
    for part in range(maps.shape[1]):
        y = HEAD + TILE[0] + 2 * GAP + part * step[0]
        colour = COLOURS[part % len(COLOURS)]
        sheet.text(left, y + TILE[0] // 2, f"part {part + 1}", size=11, colour=colour, bold=True)


def _lit(frame: NDArray, weights: NDArray, colour: Colour) -> NDArray[np.uint8]:
    """The frame in dark grey, lit in the part's colour where it looks."""
    small = fit(frame, *TILE)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    heat = (weights / max(float(weights.max()), 1e-12)).astype(np.float32)
    heat = cv2.resize(heat, TILE[::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    tint = np.asarray(colour, np.float32) * (0.4 + 0.6 * grey / 255)
    lit = 0.75 * tint + 0.25 * small
    return ((1 - heat) * 0.5 * grey + heat * lit).clip(0, 255).astype(np.uint8)


def _bar(share: float, colour: Colour) -> NDArray[np.uint8]:
    """A weight as a bar, relative to the largest of the tracklet."""
    out = np.full((BAR - 2, TILE[1], 3), 243, np.uint8)
    pale = [round(0.45 * c + 0.55 * 255) for c in colour]
    out[:, : max(1, round(share * TILE[1]))] = pale
    return out
