"""Every strength of SynthPed in one place: how many, how hard, and how the domains differ.

All lengths are in person heights (h) unless a unit is named; ``sd`` is a standard deviation.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

VERSION = 3
"""Part of every random key. Rules that are added later draw from streams of their own, so that
presets of earlier versions keep their bytes (``Preset.version``)."""

DOMAINS = ("A", "B", "P")


@dataclass(frozen=True)
class Sizes:
    """How many crops a domain has.

    Args:
        train_ids: identities to train on.
        train_tracks: crops of each of them under each camera.
        test_ids: identities of query and gallery.
        queries: queries of each test identity, each under another camera.
        gallery_tracks: gallery crops of each test identity under each camera.
        distractors: gallery crops of identity 0 (other people, false alarms).
        junk: gallery crops of identity -1 (hopeless boxes of test people).
        views: cameras under which each training identity is seen, this many or one more; 0 is all.
    """

    train_ids: int
    train_tracks: int
    test_ids: int
    queries: int
    gallery_tracks: int
    distractors: int
    junk: int
    views: int = 0


@dataclass(frozen=True)
class Preset:
    """The knobs of one difficulty.

    Args:
        sizes: domains A and B.
        pose_sizes: domain P.
        cameras: cameras per domain, 1..6.
        edge_v: sd of the error of a box's upper and lower edge [h].
        edge_h: sd of the error of its left and right edge [h].
        camera_shift: sd of a camera's own vertical box shift [h].
        occluded: fraction of crops with something in front of the person.
        occluded_low: of these, the fraction covered from about the hips down.
        bystander: fraction of crops with another person behind.
        phase: amplitude of the walking phase, 0 (one phase) to 1 (any).
        turn: sd of the heading around the nearest of the eight views [degrees].
        same_view: probability that a person shows a camera that camera's usual view.
        twins: fraction of identities that differ from another one in one garment only.
        palette_jitter: sd of a garment's colour around its palette entry [0..255].
        gain: sd of a camera's colour gains [log].
        light: amplitude of the change of light over the day [log].
        gamma: sd of a camera's gamma [log].
        contrast: sd of a camera's contrast [log].
        blur: mean of a camera's blur, sd of the Gaussian [pixels of a 128-pixel crop].
        noise: mean of a camera's noise, sd [0..255].
        resolution: smallest height of a person in the camera's own pixels.
        quality: lowest JPEG quality of a camera, 0..100 (the highest is 95).
        shuffle_time: True takes away the link between camera clock and travel time.
        version: of the rules; part of the folder's name. Version 4 has the people, cameras and
            boxes of version 3 and adds the knobs below.
        crowds: number of crowds in which people arrive; 0: alone or in pairs, and round after
            round (version 3). See ``clock``.
        textures: prints, logos, faces and hair are textures of each identity.
        shadow: fraction of crops across which the edge of a shadow runs.
    """

    sizes: Sizes
    pose_sizes: Sizes
    cameras: int = 6
    edge_v: float = 0.12
    edge_h: float = 0.045
    camera_shift: float = 0.03
    occluded: float = 0.22
    occluded_low: float = 0.6
    bystander: float = 0.15
    phase: float = 1.0
    turn: float = 9.0
    same_view: float = 0.35
    twins: float = 0.2
    palette_jitter: float = 7.0
    gain: float = 0.09
    light: float = 0.12
    gamma: float = 0.10
    contrast: float = 0.10
    blur: float = 0.5
    noise: float = 4.0
    resolution: float = 70.0
    quality: int = 70
    shuffle_time: bool = False
    version: int = 3
    crowds: int = 0
    textures: bool = False
    shadow: float = 0.0

    def knobs(self) -> dict[str, Any]:
        """All options by name, for a manifest; of version 3 those that it had."""
        table = asdict(self)
        if self.version < 4:
            for name in ("version", "crowds", "textures", "shadow"):
                del table[name]
            for sizes in (table["sizes"], table["pose_sizes"]):
                del sizes["views"]
        return table


STANDARD = Preset(
    sizes=Sizes(90, 2, 75, 3, 2, 120, 40),
    pose_sizes=Sizes(300, 1, 50, 3, 1, 0, 0),
)

EASY = replace(
    STANDARD,
    sizes=Sizes(24, 2, 20, 2, 1, 10, 4),
    pose_sizes=Sizes(30, 1, 6, 2, 1, 0, 0),
    cameras=4,
    edge_v=0.03,
    edge_h=0.02,
    camera_shift=0.01,
    occluded=0.08,
    bystander=0.05,
    twins=0.0,
    gain=0.04,
    light=0.05,
    gamma=0.04,
    contrast=0.05,
    noise=2.0,
    resolution=100.0,
    quality=85,
)

HARD_3 = replace(
    STANDARD,
    sizes=Sizes(200, 2, 150, 3, 2, 300, 80),
    edge_v=0.15,
    edge_h=0.06,
    camera_shift=0.04,
    occluded=0.3,
    bystander=0.25,
    twins=0.3,
    gain=0.14,
    light=0.2,
    noise=6.0,
    resolution=56.0,
    quality=55,
)

PRESETS: dict[str, Preset] = {
    # as easy, with so few people that a test can render it: a hundred crops in each domain
    "tiny": replace(
        EASY,
        sizes=Sizes(12, 2, 8, 1, 1, 4, 1),
        pose_sizes=Sizes(12, 1, 4, 1, 1, 0, 0),
        cameras=3,
    ),
    # learned in a minute: few people, tight boxes, gentle cameras
    "easy": EASY,
    # the default, and what the published tables are made on
    "standard": STANDARD,
    # the people, cameras and boxes of "standard", who arrive in crowds
    "crowds": replace(STANDARD, version=4, crowds=10),
    # many people, three or four crops of each to train on
    "few_shot": replace(
        STANDARD,
        sizes=Sizes(300, 1, 75, 3, 2, 120, 40, views=3),
        version=4,
        crowds=10,
    ),
    # more people, worse boxes and cameras; clothes, faces and hair have textures
    "hard": replace(
        HARD_3,
        sizes=Sizes(300, 1, 150, 3, 2, 300, 80),
        edge_v=0.17,
        edge_h=0.07,
        camera_shift=0.05,
        light=0.24,
        contrast=0.14,
        version=4,
        crowds=20,
        textures=True,
        shadow=0.35,
    ),
    # "hard" of version 3: flat colours, fewer people
    "hard_v3": HARD_3,
}


@dataclass(frozen=True)
class Style:
    """What all cameras of a domain have in common.

    Args:
        gains: colour gains, red, green, blue.
        lightness: added to the log of the light.
        saturation: 1 leaves colours as they are, 0 makes grey.
        scene: palette of the background: "campus", "street", or "any" (a random one per camera).
        clothes: palette of the people: "A", "B" or "P".
        many_looks: True draws a fresh camera for every few people (training of the pose model).
    """

    gains: tuple[float, float, float]
    lightness: float
    saturation: float
    scene: str
    clothes: str
    many_looks: bool = False


STYLES: dict[str, Style] = {
    "A": Style((1.06, 1.0, 0.92), 0.05, 1.0, "campus", "A"),
    "B": Style((0.93, 1.0, 1.10), -0.04, 0.88, "street", "B"),
    "P": Style((1.0, 1.0, 1.0), 0.0, 0.95, "any", "P", many_looks=True),
}
