"""Which crops a domain consists of, and what their files are called."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidkit.synthped import clock
from reidkit.synthped.keys import stream
from reidkit.synthped.presets import PRESETS, Preset, Sizes
from reidkit.synthped.world import Shot

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
PART_LABELS = "bounding_box_train_part_labels"
FIRST_TEST = 1001  # training identities are 1.., test identities start here
EXTRA = 500_000  # people of the distractors


@dataclass(frozen=True)
class Item:
    """One file to write.

    Attributes:
        path: relative, forward slashes.
        shot: what it shows.
    """

    path: str
    shot: Shot


def plan(preset: str, domain: str, seed: int = 0, style: str | None = None) -> list[Item]:
    """All crops of a domain, sorted by path.

    Args:
        preset: name of the difficulty.
        domain: "A", "B" or "P".
        seed: of the benchmark.
        style: whose cameras render it; names do not depend on it.

    Example:
        >>> items = plan("easy", "A")
        >>> items[0].path.split("/")[0], len(items) == len({item.path for item in items})
        ('bounding_box_test', True)
    """
    options = PRESETS[preset]
    sizes = options.pose_sizes if domain == "P" else options.sizes
    rows: list[
        tuple[str, int, int, int, int, str]
    ] = []  # folder, name, person, camera, track, kind
    for identity, cameras in enumerate(train_views(preset, domain, seed), 1):
        for camera in cameras:
            rows += [
                (TRAIN, identity, identity, camera, t, "person") for t in range(sizes.train_tracks)
            ]
    rows += _test_rows(options, sizes, domain, seed)
    rows += _other_rows(options, sizes, domain, seed)
    items = [_item(preset, domain, seed, style, row, det) for det, row in enumerate(rows)]
    items.sort(key=lambda item: item.path)
    return items


def train_views(preset: str, domain: str, seed: int = 0) -> list[tuple[int, ...]]:
    """Cameras under which each training identity is seen, identity 1 first.

    Example:
        >>> sorted({len(cameras) for cameras in train_views("few_shot", "A")})
        [3, 4]
    """
    options = PRESETS[preset]
    sizes, cameras = options.pose_sizes if domain == "P" else options.sizes, options.cameras
    every = tuple(range(1, cameras + 1))
    if not sizes.views:
        return [every] * sizes.train_ids
    chosen = []
    for identity in range(1, sizes.train_ids + 1):
        rng = stream("views", seed, domain, identity)
        count = min(cameras, sizes.views + int(rng.integers(2)))
        chosen.append(tuple(sorted(int(c) + 1 for c in rng.permutation(cameras)[:count])))
    return chosen


def _test_rows(options: Preset, sizes: Sizes, domain: str, seed: int) -> list:
    rows = []
    held_out = domain == "P"  # the pose model's held-out people: half query, half gallery
    for identity in range(FIRST_TEST, FIRST_TEST + sizes.test_ids):
        order = stream("queries", seed, domain, identity).permutation(options.cameras) + 1
        asked = [int(camera) for camera in order[: sizes.queries]]
        rows += [(QUERY, identity, identity, camera, 0, "person") for camera in asked]
        for camera in range(1, options.cameras + 1):
            if held_out and camera in asked:
                continue
            first = 1 if camera in asked else 0
            rows += [
                (GALLERY, identity, identity, camera, first + t, "person")
                for t in range(sizes.gallery_tracks)
            ]
    return rows


def _other_rows(options: Preset, sizes: Sizes, domain: str, seed: int) -> list:
    rng = stream("others", seed, domain)
    rows = []
    for number in range(sizes.distractors):
        camera = int(rng.integers(options.cameras)) + 1
        kind = "empty" if rng.random() < 0.25 else "junk" if rng.random() < 0.4 else "person"
        rows.append((GALLERY, 0, EXTRA + number, camera, 0, kind))
    rounds: dict[tuple[int, int], int] = {}
    for _ in range(sizes.junk):
        identity = FIRST_TEST + int(rng.integers(sizes.test_ids))
        camera = int(rng.integers(options.cameras)) + 1
        track = rounds[identity, camera] = rounds.get((identity, camera), 4) + 1
        rows.append((GALLERY, -1, identity, camera, track, "junk"))
    return rows


def _item(preset: str, domain: str, seed: int, style: str | None, row: tuple, det: int) -> Item:
    folder, name, person, camera, track, kind = row
    shot = Shot(domain, person, camera, track, 0, preset, seed, style, kind)
    time = clock.seconds(PRESETS[preset], seed, domain, person, camera, track, 0)
    label = f"{name:04d}" if name >= 0 else "-1"
    frame = int(np.floor(time * clock.RATE))
    return Item(f"{folder}/{label}_c{camera}s1_{frame:06d}_{det % 100:02d}.jpg", shot)


def folder_name(preset: str, domain: str, seed: int = 0, style: str | None = None) -> str:
    """Folder of a domain below the data root, without its version: "standard/A_style_B"."""
    plain = preset.removesuffix(f"_v{PRESETS[preset].version}")  # the version stands before it
    own = plain if seed == 0 else f"{plain}-seed{seed}"
    return f"{own}/{domain}" + (f"_style_{style}" if style not in (None, domain) else "")
