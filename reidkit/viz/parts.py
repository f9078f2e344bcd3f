"""Part labels as pictures: crops with joints, part map and region masks side by side.

Shape letters: N crops, H W pixels, h w label cells, R regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reidkit.viz.canvas import SOFT, Canvas, Colour, fit

Pixels = NDArray[np.uint8]

PARTS: tuple[tuple[str, Colour], ...] = (
    ("head", (230, 75, 60)),
    ("torso", (60, 120, 215)),
    ("upper arm", (245, 175, 40)),
    ("lower arm", (250, 230, 70)),
    ("upper leg", (50, 165, 90)),
    ("lower leg", (130, 215, 130)),
    ("foot", (165, 90, 200)),
)
LEFT: Colour = (255, 150, 30)
RIGHT: Colour = (40, 190, 255)
MIDDLE: Colour = (255, 255, 255)
# limbs of the COCO skeleton, (joint, joint); odd joints are left, even ones right, 0 is the nose
LIMBS = ((5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16))
TRUNK = ((5, 6), (11, 12), (5, 11), (6, 12), (0, 1), (0, 2), (1, 3), (2, 4))
SEEN = 0.1  # confidence above which a joint counts, EANet section 3
TILE, GAP, MARGIN, HEAD = 192, 6, 16, 84


def part_sheet(
    path: str | Path,
    crops: Pixels,
    keypoints: NDArray | None,
    part_maps: NDArray | None,
    masks: NDArray | None = None,
    title: str = "Part labels",
) -> None:
    """Draw each crop plain, with its joints, with its part map, and with each region mask.

    Args:
        path: of the PNG file.
        crops: RGB images.
        keypoints: COCO joints: x, y in pixels of ``crops``, confidence; None leaves the panel out.
        part_maps: classes 0 (background) to 7 on any grid; None leaves the panel out.
        masks: region masks on any grid; regions with an empty mask are crossed out.
        title: of the sheet.

    Shape:
        crops (N, H, W, 3), keypoints (N, 17, 3), part_maps (N, h, w), masks (N, R, h, w).

    Raises:
        ValueError: no crops, or labels for another number of crops.
    """
    labels = dict(keypoints=keypoints, part_maps=part_maps, masks=masks)
    for name, value in labels.items():
        if value is not None and len(value) != len(crops):
            raise ValueError(f"part_sheet: {name} for {len(value)} crops, images of {len(crops)}")
    if not len(crops):
        raise ValueError("part_sheet needs at least one crop")
    groups = [
        _group(crop, *(None if v is None else v[i] for v in labels.values()))
        for i, crop in enumerate(crops)
    ]
    height, width = groups[0].shape[:2]
    across = max(1, min(round(1150 / (width + 3 * GAP)), len(groups)))
    down = -(-len(groups) // across)
    sheet = Canvas(
        max(2 * MARGIN + across * (width + 3 * GAP) - 3 * GAP, 860),
        HEAD + down * (height + 2 * GAP) + MARGIN - 2 * GAP,
    )
    _head(sheet, title, keypoints is not None, part_maps is not None, masks)
    for i, group in enumerate(groups):
        x = MARGIN + i % across * (width + 3 * GAP)
        sheet.image(x, HEAD + i // across * (height + 2 * GAP), group)
    sheet.save(path)


def draw_joints(crop: Pixels, keypoints: NDArray, scale: float = 4.0) -> Pixels:
    """The crop enlarged ``scale`` times with limbs and joints; unseen joints (<= 0.1) are left out.

    Shape:
        crop (H, W, 3), keypoints (17, 3) in its pixels; returns (scale * H, scale * W, 3).
    """
    larger = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    canvas = _grey(np.asarray(larger, np.uint8))
    thick = max(1, round(canvas.shape[0] / 110))
    places = np.round((keypoints[:, :2] + 0.5) * scale * 16).astype(int)  # 1/16 pixel
    seen = keypoints[:, 2] > SEEN
    for pairs, edge in ((TRUNK, None), (LIMBS, True)):
        for a, b in pairs:
            if seen[a] and seen[b]:
                colour = (LEFT if a % 2 else RIGHT) if edge else MIDDLE
                start, end = places[a].tolist(), places[b].tolist()
                cv2.line(canvas, start, end, (0, 0, 0), thick + 2, cv2.LINE_AA, shift=4)
                cv2.line(canvas, start, end, colour, thick, cv2.LINE_AA, shift=4)
    for joint in np.flatnonzero(seen):
        colour = MIDDLE if joint == 0 else LEFT if joint % 2 else RIGHT
        centre, radius = places[joint].tolist(), thick * 28
        cv2.circle(canvas, centre, radius + 14, (0, 0, 0), -1, cv2.LINE_AA, shift=4)
        cv2.circle(canvas, centre, radius, colour, -1, cv2.LINE_AA, shift=4)
    return canvas


def draw_parts(crop: Pixels, part_map: NDArray, strength: float = 0.65) -> Pixels:
    """The crop in grey under the colours of its part map.

    Shape:
        crop (H, W, 3), part_map (h, w) with classes 0..7; returns (H, W, 3).
    """
    classes = _stretch(part_map.astype(np.uint8), crop)
    table = np.zeros((256, 3), np.float32)
    table[1 : len(PARTS) + 1] = [colour for _, colour in PARTS]
    weight = strength * (classes > 0)[..., None]
    return (_grey(crop) * (1 - weight) + table[classes] * weight).astype(np.uint8)


def draw_mask(crop: Pixels, mask: NDArray) -> Pixels:
    """The crop where the mask is set, darkened elsewhere; crossed out if it is set nowhere.

    Shape:
        crop (H, W, 3), mask (h, w); returns (H, W, 3).
    """
    inside = _stretch((mask > 0).astype(np.uint8), crop)[..., None]
    out = (crop * (0.22 + 0.78 * inside)).astype(np.uint8)
    if not inside.any():
        height, width = out.shape[:2]
        for a, b in (((0, 0), (width, height)), ((width, 0), (0, height))):
            cv2.line(out, a, b, (200, 60, 60), max(1, height // 64), cv2.LINE_AA)
    return out


def _group(
    crop: Pixels, keypoints: NDArray | None, part_map: NDArray | None, masks: NDArray | None
) -> Pixels:
    """All panels of one crop in a row, (TILE, w, 3)."""
    width = round(TILE * crop.shape[1] / crop.shape[0])
    panels = [fit(crop, TILE, width)]
    if keypoints is not None:
        panels.append(fit(draw_joints(crop, keypoints), TILE, width))
    if part_map is not None:
        panels.append(fit(draw_parts(crop, part_map), TILE, width))
    if masks is not None:
        panels += _mask_columns(crop, masks, width)
    space = np.full((TILE, 2, 3), 255, np.uint8)
    return np.hstack([p for panel in panels for p in (panel, space)][:-1])


def _mask_columns(crop: Pixels, masks: NDArray, width: int) -> list[Pixels]:
    """Region masks at half size, two above each other, region 0 top left, reading across."""
    half = (TILE - 2) // 2
    small = [fit(draw_mask(crop, mask), half, width // 2) for mask in masks]
    if len(small) % 2:
        small.append(np.full_like(small[0], 255))
    rows, line = len(small) // 2, np.full((TILE - 2 * half, width // 2, 3), 255, np.uint8)
    return [np.vstack([small[i], line, small[i + rows]]) for i in range(rows)]


def _head(sheet: Canvas, title: str, joints: bool, parts: bool, masks: NDArray | None) -> None:
    panels = ["crop"] + ["joints"] * joints + ["part map"] * parts
    if masks is not None:
        panels.append(f"{masks.shape[1]} region masks in reading order, a cross where not visible")
    sheet.text(MARGIN, 8, title, size=16, bold=True)
    sheet.text(MARGIN, 32, "For each person: " + ", ".join(panels), colour=SOFT)
    entries: Sequence[tuple[str, Colour]] = [*(PARTS if parts else ())] + [
        ("left side", LEFT),
        ("right side", RIGHT),
    ] * joints
    sheet.legend(MARGIN, 54, entries)


def _grey(crop: Pixels) -> Pixels:
    """Mostly grey, so that colours drawn on it stand out."""
    grey = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)[..., None]
    return (0.35 * crop + 0.65 * grey).astype(np.uint8)


def _stretch(labels: Pixels, crop: NDArray) -> Pixels:
    """Labels on the grid of the crop, nearest cell."""
    size = crop.shape[1::-1]
    cells = np.ascontiguousarray(labels)
    return np.asarray(cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST), np.uint8)
