"""The contact sheet: what the eye has to believe."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from reidkit.synthped.plan import EXTRA, FIRST_TEST
from reidkit.synthped.presets import PRESETS
from reidkit.synthped.world import Crop, Shot, render
from reidkit.utils.io import atomic_write

CELL = (144, 72)  # height, width of a crop on the sheet
COLUMNS = 12
PART_COLOURS = np.array(
    [
        (0, 0, 0),
        (240, 200, 60),
        (220, 70, 70),
        (90, 200, 90),
        (60, 150, 240),
        (200, 90, 220),
        (70, 220, 210),
        (250, 140, 40),
    ],
    np.uint8,
)
BONES: tuple[tuple[int, int], ...] = (
    (5, 7),
    (7, 9),
    (6, 8),
    (8, 10),
    (5, 6),
    (11, 12),
    (5, 11),
    (6, 12),
)
BONES += ((11, 13), (13, 15), (12, 14), (14, 16), (0, 1), (0, 2), (1, 3), (2, 4))
FLAG_COLOURS = {2: (80, 255, 80), 1: (255, 190, 40)}


def write_sheet(path: str | Path, preset: str = "standard", seed: int = 0) -> Path:
    """Render and write the contact sheet of a preset as one PNG.

    Rows: people of A and of B, two crops under each camera; A's people in B's style; the eight
    headings; a walk; occluded crops; part maps with joints (green visible, orange covered);
    identities that differ in one garment; distractors and junk; people of P.

    Args:
        path: of the PNG.
        preset, seed: of the benchmark.

    Example:
        >>> import tempfile
        >>> write_sheet(Path(tempfile.mkdtemp()) / "sheet.png", "easy").stat().st_size > 10_000
        True
    """
    rows: list[tuple[str, list[np.ndarray]]] = []
    for domain in "AB":
        for identity in (2, 9, 16, 23):
            rows.append((f"{domain} person {identity}", _cameras(domain, identity, preset, seed)))
    rows.append(("A person 9 in B's style", _cameras("A", 9, preset, seed, style="B")))
    rows.append(("headings 0..330", _headings(preset, seed)))
    rows.append(("a walk, every third frame", _walk(preset, seed)))
    hidden = _occluded(preset, seed)
    rows.append(("occluded", [crop.image for crop in hidden]))
    rows.append(("their part maps and joints", [overlay(crop) for crop in hidden]))
    rows.append(("pairs that differ in one garment", _twins(preset, seed)))
    rows.append(("distractors and junk", _others(preset, seed)))
    rows.append(("P: people for the pose model", _pose_people(preset, seed)))
    sheet = np.concatenate([_row(title, crops) for title, crops in rows])
    data = cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes()
    with atomic_write(path) as file:
        file.write(data)
    return Path(path)


def overlay(crop: Crop) -> np.ndarray:
    """A crop with its part map and joints painted on it, (288, 144, 3) uint8 RGB."""
    height, width = 2 * CELL[0], 2 * CELL[1]
    image = cv2.resize(crop.image, (width, height), interpolation=cv2.INTER_CUBIC)
    parts = cv2.resize(crop.parts, (width, height), interpolation=cv2.INTER_NEAREST)
    mixed = cv2.addWeighted(image, 0.5, PART_COLOURS[parts], 0.5, 0)
    image = np.where((parts > 0)[..., None], mixed, image)
    scale = np.array([width / crop.image.shape[1], height / crop.image.shape[0]])
    place = np.rint(crop.joints[:, :2] * scale).astype(int)
    for a, b in BONES:
        if min(crop.joints[a, 2], crop.joints[b, 2]) > 0:
            cv2.line(image, place[a].tolist(), place[b].tolist(), (255, 255, 255), 1, cv2.LINE_AA)
    for (x, y), flag in zip(place.tolist(), crop.joints[:, 2], strict=True):
        if flag > 0:
            cv2.circle(image, (x, y), 4, FLAG_COLOURS[int(flag)], -1, cv2.LINE_AA)
    return image


def _row(title: str, crops: list[np.ndarray]) -> np.ndarray:
    size = CELL[::-1]
    cells = [cv2.resize(crop, size, interpolation=cv2.INTER_AREA) for crop in crops[:COLUMNS]]
    cells += [np.full((*CELL, 3), 255, np.uint8)] * (COLUMNS - len(cells))
    body = np.concatenate(cells, axis=1)
    head = np.full((16, body.shape[1], 3), 255, np.uint8)
    cv2.putText(head, title, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return np.concatenate([head, body])


def _cameras(
    domain: str, identity: int, preset: str, seed: int, style: str | None = None
) -> list[np.ndarray]:
    count = PRESETS[preset].cameras
    return [
        render(Shot(domain, identity, camera, track, 0, preset, seed, style)).image
        for camera in range(1, count + 1)
        for track in range(COLUMNS // count)
    ]


def _shots(preset: str, seed: int, domain: str = "A") -> list[Shot]:
    count = PRESETS[preset].cameras
    return [Shot(domain, n, n % count + 1, 0, 0, preset, seed) for n in range(40, 160)]


def _headings(preset: str, seed: int) -> list[np.ndarray]:
    """One person from all sides: the crops whose headings are nearest to twelve directions."""
    count = PRESETS[preset].cameras
    crops = [
        render(Shot("A", 5, n % count + 1, n // count, 0, preset, seed)) for n in range(8 * count)
    ]
    angles = np.array([crop.heading for crop in crops])
    images = []
    for wanted in np.arange(0, 360, 360 / COLUMNS):
        away = np.abs((angles - wanted + 180) % 360 - 180)
        images.append(
            crops[int((away + 90 * np.array([c.occluded for c in crops])).argmin())].image
        )
    return images


def _walk(preset: str, seed: int) -> list[np.ndarray]:
    return [render(Shot("A", 12, 2, 1, 3 * n, preset, seed)).image for n in range(COLUMNS)]


def _occluded(preset: str, seed: int) -> list[Crop]:
    crops = [render(shot) for shot in _shots(preset, seed)]
    hidden = [crop for crop in crops if crop.occluded]
    return (hidden + [crop for crop in crops if not crop.occluded])[:COLUMNS]


def _twins(preset: str, seed: int) -> list[np.ndarray]:
    """Pairs next to each other: person 2k and person 2k - 1 or 2k + 1 share almost everything."""
    from reidkit.synthped.people import make_person

    options, images = PRESETS[preset], []
    for even in range(2, 400, 2):
        one, other = (make_person(options, seed, "A", n) for n in (even, even + 1))
        if one.skin == other.skin and one.legs == other.legs:
            images += [render(Shot("A", n, 1, 0, 0, preset, seed)).image for n in (even, even + 1)]
        if len(images) >= COLUMNS:
            break
    return images


def _others(preset: str, seed: int) -> list[np.ndarray]:
    kinds = ("empty", "empty", "junk", "junk", "person", "person")
    numbers = range(COLUMNS)
    return [
        render(
            Shot(
                "A",
                (EXTRA if n < 8 else FIRST_TEST) + n,
                n % PRESETS[preset].cameras + 1,
                0,
                0,
                preset,
                seed,
                None,
                kinds[n // 2] if n < 8 else "junk",
            )
        ).image
        for n in numbers
    ]


def _pose_people(preset: str, seed: int) -> list[np.ndarray]:
    return [render(shot).image for shot in _shots(preset, seed, "P")[::9]]
