"""Who a person is: body, skin, hair, garments, shoes, bag; the same under every camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from reidkit.synthped.keys import pick, stream
from reidkit.synthped.presets import STYLES, Preset

Colour = tuple[int, int, int]

BASE: dict[str, Colour] = {
    "black": (34, 34, 38),
    "charcoal": (66, 68, 74),
    "grey": (132, 134, 138),
    "white": (226, 226, 222),
    "cream": (214, 200, 172),
    "navy": (38, 48, 88),
    "denim": (72, 98, 142),
    "sky": (140, 180, 216),
    "red": (184, 42, 44),
    "burgundy": (108, 34, 50),
    "pink": (216, 138, 156),
    "orange": (216, 120, 44),
    "yellow": (222, 190, 66),
    "olive": (98, 100, 58),
    "green": (52, 120, 76),
    "mint": (150, 204, 180),
    "brown": (106, 76, 54),
    "khaki": (170, 150, 112),
    "purple": (104, 66, 128),
    "teal": (36, 116, 126),
}
TOPS = {
    "A": dict(
        black=5, white=5, grey=4, red=3, navy=3, sky=2, green=2, yellow=2, pink=2, charcoal=2
    ),
    "B": dict(
        black=5, charcoal=4, denim=3, cream=3, burgundy=3, teal=2, white=2, olive=2, orange=2
    ),
}
TOPS["P"] = dict.fromkeys(BASE, 1)
BOTTOMS = {
    "A": dict(black=6, navy=5, denim=4, grey=3, khaki=3, white=1, charcoal=2),
    "B": dict(black=5, charcoal=5, denim=4, brown=3, olive=3, cream=2, navy=2),
}
BOTTOMS["P"] = dict.fromkeys(BASE, 1)
SHOES = dict(black=6, white=4, grey=2, brown=3, red=1, navy=1, yellow=0.4)
BAGS = dict(black=5, brown=3, navy=2, red=2, grey=2, khaki=2, pink=1, green=1)
SKINS: tuple[Colour, ...] = (
    (236, 196, 170),
    (222, 176, 146),
    (198, 148, 114),
    (164, 114, 82),
    (112, 76, 56),
    (84, 58, 46),
)
HAIRS: tuple[Colour, ...] = (
    (28, 24, 24),
    (48, 36, 30),
    (84, 58, 40),
    (128, 88, 54),
    (190, 152, 96),
    (150, 146, 144),
)


HAIR_EDGES = (0.34, 0.60, 0.77, 0.88, 0.94)  # cumulative shares of HAIRS


@dataclass(frozen=True)
class Person:
    """Everything that stays the same from camera to camera.

    Attributes:
        legs: hip height over body height, about 0.5.
        width: breadth of the body, 1 is average.
        shoulders, hips: breadth of shoulders and hips, 1 is average.
        head: size of the head, 1 is average.
        stride: largest angle of the thigh in walking [radians].
        skin, hair, top, inner, bottom, shoes, bag, accent: colours, RGB.
        hair_style: short, bald, long, bun, cap, hood.
        top_kind: tee, long, vest, jacket, coat, hoodie.
        sleeve: how far the sleeve reaches, 0 shoulder, 1 elbow, 2 wrist.
        pattern: plain, stripes, pinstripes, checks, band, dots, yoke, or a texture (``textures``).
        pattern_size: width of a stripe [person heights].
        bottom_kind: trousers, slim, shorts, skirt, long_skirt.
        hem: where shorts or skirt end, 0 hip, 1 knee, 2 ankle.
        side_stripe: a stripe down the trousers' sides.
        boots: how far shoes reach up the shin, 0..0.6.
        front_print, back_print: none, disc, block, bars, logo; seen from that side only.
        bag_kind: none, backpack, shoulder_left, shoulder_right, hand_left, hand_right.
        glasses, beard: seen from the front only.
        texture: number of the identity's textures; -1: none.
        bottom_pattern: plain or a texture.
    """

    legs: float
    width: float
    shoulders: float
    hips: float
    head: float
    stride: float
    skin: Colour
    hair: Colour
    top: Colour
    inner: Colour
    bottom: Colour
    shoes: Colour
    bag: Colour
    accent: Colour
    hair_style: str
    top_kind: str
    sleeve: float
    pattern: str
    pattern_size: float
    bottom_kind: str
    hem: float
    side_stripe: bool
    boots: float
    front_print: str
    back_print: str
    bag_kind: str
    glasses: bool
    beard: bool
    texture: int = -1
    bottom_pattern: str = "plain"


TOP_KINDS = dict(tee=7, long=5, vest=1, jacket=4, coat=2, hoodie=3)
PATTERNS = dict(plain=9, stripes=3, pinstripes=1.5, checks=2, band=2, dots=1, yoke=2)
BOTTOM_KINDS = dict(trousers=7, slim=5, shorts=4, skirt=2.5, long_skirt=1)
HAIR_STYLES = dict(short=8, bald=1, long=5, bun=2, cap=2)
PRINTS = dict(none=5, disc=1, block=1, bars=1)
# where there are textures
PRINTED = dict(
    PATTERNS, plain=6, camouflage=2, flowers=2, plaid=2, batik=2, zigzag=1.5, diagonal=1.5
)
PRINTED_BOTTOMS = dict(plain=7, camouflage=1, plaid=1.5, batik=0.8, diagonal=0.7, flowers=0.5)
LOGOS = dict(none=3, disc=0.5, block=0.5, bars=0.5, logo=4)
BAG_KINDS = dict(
    none=9, backpack=5, shoulder_left=2, shoulder_right=2, hand_left=1.5, hand_right=1.5
)
SLEEVES = dict(tee=(0.55, 0.95), long=(1.75, 1.95), vest=(0.0, 0.05), jacket=(1.85, 1.95))
SLEEVES |= dict(coat=(1.9, 1.97), hoodie=(1.85, 1.97))
HEMS = dict(trousers=(1.85, 1.95), slim=(1.75, 1.9), shorts=(0.6, 1.15), skirt=(0.7, 1.1))
HEMS |= dict(long_skirt=(1.3, 1.8))


def paint(rng: np.random.Generator, weights: Mapping[str, float], jitter: float) -> Colour:
    """A palette colour, a little off: two people's "red" is nearly the same red."""
    colour = np.array(BASE[pick(rng, weights)]) + rng.normal(0, jitter, 3)
    r, g, b = (int(v) for v in np.clip(np.rint(colour), 8, 247))
    return r, g, b


def _clothes(
    rng: np.random.Generator, palette: str, jitter: float, textures: bool
) -> dict[str, Any]:
    top_kind, bottom_kind = pick(rng, TOP_KINDS), pick(rng, BOTTOM_KINDS)
    accents = {name: 1.0 for name in TOPS[palette]}
    return dict(
        top=paint(rng, TOPS[palette], jitter),
        inner=paint(rng, accents, jitter),
        bottom=paint(rng, BOTTOMS[palette], jitter),
        shoes=paint(rng, SHOES, jitter),
        bag=paint(rng, BAGS, jitter),
        accent=paint(rng, accents, jitter),
        top_kind=top_kind,
        sleeve=float(rng.uniform(*SLEEVES[top_kind])),
        pattern=pick(rng, PRINTED if textures else PATTERNS),
        pattern_size=float(rng.uniform(0.018, 0.045)),
        bottom_kind=bottom_kind,
        hem=float(rng.uniform(*HEMS[bottom_kind])),
        side_stripe=bool(rng.random() < 0.15),
        boots=float(rng.uniform(0.25, 0.6)) if rng.random() < 0.15 else 0.0,
        front_print=pick(rng, LOGOS if textures else PRINTS),
        back_print=pick(rng, LOGOS if textures else PRINTS),
        bag_kind=pick(rng, BAG_KINDS),
    )


def _fresh(preset: Preset, seed: int, domain: str, identity: int) -> Person:
    rng = stream("person", seed, domain, identity)
    hair_style = pick(rng, HAIR_STYLES)
    clothes = _clothes(rng, STYLES[domain].clothes, preset.palette_jitter, preset.textures)
    if preset.textures:
        clothes["texture"] = identity
        own = stream("bottom pattern", seed, domain, identity)
        clothes["bottom_pattern"] = pick(own, PRINTED_BOTTOMS)
    if clothes["top_kind"] == "hoodie" and rng.random() < 0.35:
        hair_style = "hood"
    long_hair = hair_style in ("long", "bun")
    return Person(
        legs=_between(rng.normal(0.505, 0.018), 0.46, 0.55),
        width=_between(rng.lognormal(0.0, 0.13), 0.78, 1.38),
        shoulders=_between(rng.normal(0.93 if long_hair else 1.04, 0.06), 0.8, 1.2),
        hips=_between(rng.normal(1.08 if long_hair else 0.97, 0.06), 0.85, 1.25),
        head=_between(rng.normal(1.0, 0.05), 0.88, 1.14),
        stride=float(rng.uniform(0.26, 0.46)),
        skin=SKINS[int(rng.integers(len(SKINS)))],
        hair=HAIRS[int(np.searchsorted(HAIR_EDGES, rng.random()))],
        hair_style=hair_style,
        glasses=bool(rng.random() < 0.15),
        beard=bool(not long_hair and rng.random() < 0.2),
        **clothes,
    )


def _between(value: float, low: float, high: float) -> float:
    return float(min(max(value, low), high))


ONE_GARMENT: tuple[tuple[str, ...], ...] = (
    ("top",),
    ("pattern", "accent"),
    ("bottom",),
    ("bottom_kind", "hem"),
    ("shoes", "boots"),
    ("bag_kind", "bag"),
    ("top_kind", "sleeve"),
)


@lru_cache(maxsize=4096)
def make_person(preset: Preset, seed: int, domain: str, identity: int) -> Person:
    """The person with this number; some are another person with one garment changed.

    Args:
        preset: for the share of such twins and the spread of colours.
        seed: of the benchmark.
        domain: "A", "B" or "P".
        identity: any integer >= 0; every number gives a person.

    Example:
        >>> from reidkit.synthped.presets import PRESETS
        >>> one = make_person(PRESETS["standard"], 0, "A", 5)
        >>> one == make_person(PRESETS["standard"], 0, "A", 5)
        True
    """
    person = _fresh(preset, seed, domain, identity)
    rng = stream("twin", seed, domain, identity)
    if identity % 2 or rng.random() >= 2 * preset.twins:
        return person
    sibling = _fresh(preset, seed, domain, identity + 1)
    fields = ONE_GARMENT[int(rng.integers(len(ONE_GARMENT)))]
    changed = {name: getattr(person, name) for name in fields}
    if "top" in fields or "bottom" in fields:  # never twice the same colour by chance
        other = np.array(getattr(sibling, fields[0]))
        if np.abs(other - np.array(changed[fields[0]])).sum() < 60:
            r, g, b = ((int(v) + 90) % 230 + 10 for v in other)
            changed[fields[0]] = (r, g, b)
    if fields == ("pattern", "accent") and changed["pattern"] == sibling.pattern:
        changed["pattern"] = "stripes" if sibling.pattern == "plain" else "plain"
    return replace(sibling, **changed)


COLOURS: tuple[str, ...] = ("top", "inner", "bottom", "shoes", "bag", "accent", "side_stripe")
COLOURS += ("pattern", "pattern_size", "front_print", "back_print", "texture", "bottom_pattern")


def recoloured(person: Person, other: Person) -> Person:
    """A person with the colours, patterns and prints of another one's garments, shoes and bag.

    Example:
        >>> from reidkit.synthped.presets import PRESETS
        >>> one, other = (make_person(PRESETS["standard"], 0, "A", n) for n in (5, 6))
        >>> both = recoloured(one, other)
        >>> both.top == other.top, both.legs == one.legs, both.top_kind == one.top_kind
        (True, True, True)
    """
    return replace(person, **{name: getattr(other, name) for name in COLOURS})
