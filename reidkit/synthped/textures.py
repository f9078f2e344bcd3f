"""Textures of an identity: prints of garments, logos, faces and hair, as maps of item numbers.

A texture says for each of its pixels which item lies there, so that colours, light and filtering
are those of flat clothes. 0 leaves what is below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from reidkit.synthped import items as it
from reidkit.synthped.body import Body
from reidkit.synthped.keys import stream
from reidkit.synthped.people import Colour, Person

SIDE = 64  # pixels of a garment's texture, which repeats
PERIOD = 0.28  # body heights that it covers
AROUND = 0.56  # body heights round the trunk: a turned person shows another piece
FACE, LOGO = 24, 24  # pixels of these textures
FACE_SIZE = (0.044, 0.056)  # half width and half height of a face [body heights]

FIRST = 240  # items 0..239 are those of all people and things on a canvas
TOP_2, TOP_3, BOTTOM_2, BOTTOM_3, HAIR_2, HAIR_3, LOGO_2, LIPS, BROWS, HOLLOWS, CHEEKS = range(
    FIRST, FIRST + 11
)
GARMENT = ("camouflage", "flowers", "plaid", "batik", "zigzag", "diagonal")


@dataclass(frozen=True)
class Textures:
    """What one identity wears and looks like, each (height, width) uint8 items.

    Attributes:
        top, bottom: of the garments; None where the person's is plain or a version 3 pattern.
        hair: strands.
        face: brows, hollows of the eyes, nose, cheeks, lips.
        front_logo, back_logo: on the garment's front and back.
    """

    top: np.ndarray | None
    bottom: np.ndarray | None
    hair: np.ndarray
    face: np.ndarray
    front_logo: np.ndarray
    back_logo: np.ndarray


@lru_cache(maxsize=512)
def make_textures(person: Person, seed: int, domain: str) -> tuple[Textures, dict[int, Colour]]:
    """The textures of a person, and the colours of their items.

    Args:
        person: for ``texture``, its number, the kinds of print, and its colours.
        seed: of the benchmark.
        domain: "A", "B" or "P".
    """
    rng = stream("textures", seed, domain, person.texture)
    top, bottom = person.pattern, person.bottom_pattern
    textures = Textures(
        top=_garment(rng, top, TOP_2, TOP_3) if top in GARMENT else None,
        bottom=_garment(rng, bottom, BOTTOM_2, BOTTOM_3) if bottom in GARMENT else None,
        hair=_hair(rng),
        face=_face(rng),
        front_logo=_logo(rng),
        back_logo=_logo(rng),
    )
    return textures, _colours(person, seed, domain)


def _colours(person: Person, seed: int, domain: str) -> dict[int, Colour]:
    rng = stream("texture colours", seed, domain, person.texture)
    hair, skin = np.array(person.hair, float), np.array(person.skin, float)
    dye = np.array(person.accent, float) if rng.random() < 0.15 else hair * 0.6
    second, lips = rng.uniform(0, 60, 3), skin * (0.8, 0.55, 0.55)
    table = {
        TOP_2: person.accent,
        TOP_3: person.inner,
        BOTTOM_2: np.array(person.bottom) * rng.uniform(0.5, 0.75) + second,
        BOTTOM_3: np.array(person.bottom) * 0.6 + np.array(person.shoes) * 0.4,
        HAIR_2: hair * 1.45 + 14,
        HAIR_3: dye,
        LOGO_2: person.inner,
        LIPS: lips,
        BROWS: hair * 0.8,
        HOLLOWS: skin * rng.uniform(0.62, 0.8),
        CHEEKS: np.minimum(skin * (1.04, 0.86, 0.84) + (10, 0, 0), 250),
    }
    return {item: _colour(value) for item, value in table.items()}


def _colour(value) -> Colour:
    r, g, b = (min(250, max(4, round(float(v)))) for v in value)
    return r, g, b


def _garment(rng: np.random.Generator, kind: str, second: int, third: int) -> np.ndarray:
    """One repeat of a print, (64, 64)."""
    tile = np.zeros((SIDE, SIDE), np.uint8)
    u, v = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    if kind == "camouflage":
        rough = _noise(rng, int(rng.integers(4, 8)))
        tile[rough > 0.35] = second
        tile[rough < -0.45] = third
    elif kind == "flowers":
        _flowers(rng, tile, second, third)
    elif kind == "plaid":
        for item, count in ((second, 2), (third, 1)):
            for _ in range(count):
                start, wide = int(rng.integers(SIDE)), int(rng.integers(4, 12))
                tile[(v - start) % SIDE < wide] = item
                tile[(u - start) % SIDE < wide] = item
    elif kind == "batik":
        rough = np.abs(_noise(rng, int(rng.integers(3, 6))))
        tile[rough < 0.3] = second
        tile[rough > 1.1] = third
    else:
        teeth = SIDE // int(rng.choice([2, 4]))
        bend = np.abs(u % teeth - teeth // 2) * 2 if kind == "zigzag" else u
        bands = SIDE // int(rng.choice([2, 4]))
        place = (v + bend) % bands / bands
        tile[place < rng.uniform(0.3, 0.55)] = second
        tile[place > rng.uniform(0.78, 0.92)] = third
    return tile


def _noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth noise around 0 that repeats, (64, 64) float32."""
    rough = np.tile(rng.standard_normal((cells, cells)).astype(np.float32), (3, 3))
    wide = cv2.resize(rough, (3 * SIDE, 3 * SIDE), interpolation=cv2.INTER_CUBIC)
    return wide[SIDE : 2 * SIDE, SIDE : 2 * SIDE]


def _flowers(rng: np.random.Generator, tile: np.ndarray, second: int, third: int) -> None:
    petals, reach = int(rng.integers(4, 7)), float(rng.uniform(3.0, 6.5))
    count = int(rng.integers(5, 10))
    turns = np.arange(petals) * 2 * np.pi / petals
    ring = np.rint(reach * np.stack([np.cos(turns), np.sin(turns)], axis=1)).astype(int)
    for x, y in rng.integers(0, SIDE, (count, 2)).tolist():
        for at in _repeats(x, y, 2 * reach):
            for leaf in (ring + at).tolist():
                cv2.circle(tile, leaf, round(0.55 * reach), second, -1)
            cv2.circle(tile, at, round(0.5 * reach), third, -1)


def _repeats(x: int, y: int, reach: float) -> list[tuple[int, int]]:
    """A place and those of its repeats from which something of this reach is seen."""
    places = [(x + a, y + b) for a in (-SIDE, 0, SIDE) for b in (-SIDE, 0, SIDE)]
    return [place for place in places if all(-reach < c < SIDE + reach for c in place)]


def _hair(rng: np.random.Generator) -> np.ndarray:
    """Strands, wavy or straight, (64, 64)."""
    strands = rng.standard_normal((1, int(rng.integers(8, 22)))).astype(np.float32)
    rows = cv2.resize(strands, (SIDE, 1), interpolation=cv2.INTER_CUBIC)
    wave = float(rng.uniform(0, 6)) * np.sin(
        np.arange(SIDE) * 2 * np.pi / SIDE * rng.integers(1, 4)
    )
    columns = (np.arange(SIDE)[None] + wave[:, None]).astype(int) % SIDE
    rough = rows[0][columns]
    tile = np.zeros((SIDE, SIDE), np.uint8)
    tile[rough > rng.uniform(0.2, 0.9)] = HAIR_2
    tile[rough < -rng.uniform(0.3, 1.0)] = HAIR_3
    return tile


def _face(rng: np.random.Generator) -> np.ndarray:
    """What a face has where the identity has it, (24, 24)."""
    tile, middle = np.zeros((FACE, FACE), np.uint8), FACE / 2
    apart, high = float(rng.uniform(4, 6.5)), float(rng.uniform(7, 10))
    if rng.random() < 0.6:
        for side in (-1, 1):
            cheek = (round(middle + side * 6.5), 16)
            cv2.circle(tile, cheek, int(rng.integers(2, 4)), CHEEKS, -1)
    for side in (-1, 1):
        eye = round(middle + side * apart)
        cv2.ellipse(tile, (eye, round(high + 2)), (3, 2), 0, 0, 360, HOLLOWS, -1)
        brow = int(rng.integers(1, 3))
        lift = int(rng.integers(-1, 2))
        a, b = (eye - side * 3, round(high - 1)), (eye + side * 3, round(high - 1 - lift))
        cv2.line(tile, a, b, BROWS, brow)
    cv2.line(tile, (12, round(high + 2)), (12, 15), HOLLOWS, int(rng.integers(1, 4)))
    wide = int(rng.integers(2, 6))
    mouth = int(rng.integers(18, 21))
    cv2.line(tile, (12 - wide, mouth), (11 + wide, mouth), LIPS, int(rng.integers(1, 3)))
    return tile


def _logo(rng: np.random.Generator) -> np.ndarray:
    """An emblem, two signs, or a roundel with a device, (24, 24); the cloth shows between."""
    kind = int(rng.integers(3))
    tile = np.full((LOGO, LOGO), it.TOP_I, np.uint8)
    if kind == 0:
        half = rng.random((6, 3)) < 0.55
        emblem = np.concatenate([half, half[:, ::-1]], axis=1)
        inks = np.where(rng.random((6, 1)) < 0.5, it.PRINT_I, LOGO_2)
        small = np.where(emblem, inks, it.TOP_I).astype(np.uint8)
        return cv2.resize(small, (LOGO, LOGO), interpolation=cv2.INTER_NEAREST)
    letters = "ABCDEFGHKLMNPRSTUVXYZ0123456789"
    if kind == 1:
        for place in (0, 11):
            sign = letters[int(rng.integers(len(letters)))]
            cv2.putText(tile, sign, (place, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.75, it.PRINT_I, 3)
        return tile
    cv2.circle(tile, (12, 12), 11, it.PRINT_I, -1)
    corners = int(rng.integers(3, 7))
    turn = np.arange(corners) * 2 * np.pi / corners + rng.uniform(0, 1)
    device = 12 + 8 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    cv2.fillPoly(tile, [np.rint(device).astype(np.int32)], LOGO_2)
    return tile


def textured(
    items: np.ndarray,
    units: tuple[np.ndarray, np.ndarray],
    person: Person,
    body: Body,
    textures: Textures,
) -> np.ndarray:
    """The items of a canvas with an identity's textures over its clothes, hair and face.

    Args:
        items: (H, W) uint8.
        units: u and v of the columns and rows, in body heights from the feet.
        person, body: of whom.
        textures: of that person.
    """
    turned = units[0] + AROUND * body.heading / (2 * np.pi)
    rows, columns = (np.floor(x * (SIDE / PERIOD)).astype(int) for x in (units[1], turned))
    nose, hips = body.joints[0, 1], body.joints[11, 1]
    for tile, wanted, reach, fine in (
        (textures.top, it.TOP_ITEMS, (-1.2, hips + 0.4), 1),
        (textures.bottom, it.BOTTOM_ITEMS, (hips - 0.15, 0.1), 1),
        (textures.hair, (it.HAIR_I,), (nose - 0.12, nose + 0.2), 2),
    ):
        if tile is None:
            continue
        where = slice(*np.searchsorted(units[1], reach))
        if where.start < where.stop:
            down, across = rows[where] * fine % SIDE, columns * fine % SIDE
            _lay(items[where], tile[down].take(across, axis=1), wanted)
    if np.cos(body.face) > 0.05:
        wide = FACE_SIZE[0] * person.head * max(0.35, float(np.cos(body.face)))
        at, half = body.joints[0] + [0, 0.004], np.array([wide, FACE_SIZE[1] * person.head])
        _stamp(items, textures.face, units, at, half, it.SKIN_I)
    if body.logo is not None:
        front = np.cos(body.heading) > 0
        half = it.LOGO_HALF * np.array([abs(np.cos(body.heading)), 1.0])
        tile = textures.front_logo if front else textures.back_logo
        _stamp(items, tile, units, body.logo, half, it.PRINT_I)
    return items


def _lay(items: np.ndarray, drawn: np.ndarray, wanted: tuple[int, ...]) -> None:
    """Write ``drawn`` where ``items`` are the wanted ones and it is not 0."""
    cloth = np.zeros((1, 256), np.uint8)
    cloth[0, list(wanted)] = 255
    cv2.copyTo(
        drawn,
        cv2.bitwise_and(cv2.LUT(items, cloth), np.where(drawn > 0, np.uint8(255), np.uint8(0))),
        items,
    )


def _stamp(
    items: np.ndarray,
    tile: np.ndarray,
    units: tuple[np.ndarray, np.ndarray],
    middle: np.ndarray,
    half: np.ndarray,
    wanted: int,
) -> None:
    """A texture laid once, over one place."""
    windows = []
    for x, at, reach, side in zip(units, middle, half, tile.shape[::-1], strict=True):
        start, stop = np.searchsorted(x, (at - reach, at + reach))
        place = np.clip((x[start:stop] - at + reach) / (2 * reach) * side, 0, side - 1)
        windows.append((slice(start, stop), place.astype(int)))
    (columns, across), (rows, down) = windows
    piece = items[rows, columns]
    if piece.size:
        _lay(piece, np.ascontiguousarray(tile[down][:, across]), (wanted,))
