"""Which tracklets a video domain consists of, in MARS's folders, names and tables."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reidkit.data.identities import DISTRACTOR, JUNK
from reidkit.synthped import layout
from reidkit.synthped.keys import stream
from reidkit.synthped.plan import EXTRA, FIRST_TEST, Item
from reidkit.synthped.presets import DOMAINS, PRESETS, STYLES
from reidkit.synthped.video import STEP, VIDEO_VERSION
from reidkit.synthped.world import Shot

TRAIN, TEST = "bbox_train", "bbox_test"


@dataclass(frozen=True)
class VideoSizes:
    """How many tracklets a video domain has.

    Args:
        train_ids: identities to train on.
        tracklets: of each identity, each under another camera; three in ten have one more under
            the first of these.
        test_ids: identities of query and gallery.
        queries: queries of each test identity, under different cameras.
        distractors: tracklets of identity 0 (other people, false alarms).
        junk: tracklets of identity -1 (a tracker that lost its person).
        shortest, longest: frames of a tracklet; short ones are more frequent.
    """

    train_ids: int
    tracklets: int
    test_ids: int
    queries: int
    distractors: int
    junk: int
    shortest: int = 8
    longest: int = 60


VIDEO: dict[str, VideoSizes] = {
    "easy": VideoSizes(16, 3, 10, 1, 4, 3, longest=16),
    "standard": VideoSizes(90, 4, 60, 2, 40, 20),
    "hard": VideoSizes(150, 5, 100, 2, 100, 40),
    "hard_v3": VideoSizes(150, 5, 100, 2, 100, 40),
}


@dataclass(frozen=True)
class Track:
    """One tracklet.

    Attributes:
        name: identity in the file names; 0 distractor, -1 junk.
        person: identity of the world.
        camera: 1..6.
        number: of the tracklet within ``name``, from 1.
        round: how often the person was under this camera before.
        length: frames.
        kind: see ``Shot``.
        query: it is one of the queries.
    """

    name: int
    person: int
    camera: int
    number: int
    round: int
    length: int
    kind: str = "person"
    query: bool = False

    def frame(self, index: int) -> str:
        """Path of one frame, ``index`` from 0: ``0065/0065C1T0002F016.jpg``."""
        label = "00-1" if self.name == JUNK else f"{self.name:04d}"
        return f"{label}/{label}C{self.camera}T{self.number:04d}F{index + 1:03d}.jpg"


def tracks(preset: str, domain: str, seed: int = 0) -> tuple[list[Track], list[Track]]:
    """All training and all test tracklets, each list in the order of its table.

    Example:
        >>> train, test = tracks("easy", "A")
        >>> train[0].frame(0)[:7], test[0].name, sum(track.query for track in test)
        ('0001/00', -1, 10)
    """
    sizes, cameras = VIDEO[preset], PRESETS[preset].cameras
    key = (VIDEO_VERSION, seed, domain)
    train, test = [], []
    for identity in range(1, sizes.train_ids + 1):
        train += _person(identity, sizes, cameras, key, 0)
    for identity in range(FIRST_TEST, FIRST_TEST + sizes.test_ids):
        test += _person(identity, sizes, cameras, key, sizes.queries)
    rng = stream("video others", *key)
    for number in range(sizes.distractors):
        kind = "empty" if rng.random() < 0.25 else "person"
        camera = int(rng.integers(cameras)) + 1
        length = _length(rng, sizes)
        test.append(Track(DISTRACTOR, EXTRA + number, camera, number + 1, 0, length, kind))
    for number in range(sizes.junk):
        person = FIRST_TEST + int(rng.integers(sizes.test_ids))
        camera = int(rng.integers(cameras)) + 1
        length = _length(rng, sizes)
        test.append(Track(JUNK, person, camera, number + 1, 9, length, "junk"))
    return sorted(train, key=_place), sorted(test, key=_place)


def _place(track: Track) -> str:
    return track.frame(0)


def _person(
    identity: int, sizes: VideoSizes, cameras: int, key: tuple, queries: int
) -> list[Track]:
    rng = stream("video person", *key, identity)
    seen = (rng.permutation(cameras) + 1)[: sizes.tracklets].tolist()
    again = rng.random() < 0.3
    places = [(camera, 0) for camera in seen] + [(seen[0], 1)] * again
    return [
        Track(identity, identity, camera, i + 1, rounds, _length(rng, sizes), query=i < queries)
        for i, (camera, rounds) in enumerate(places)
    ]


def _length(rng: np.random.Generator, sizes: VideoSizes) -> int:
    return sizes.shortest + round((sizes.longest - sizes.shortest) * float(rng.beta(1.1, 2.3)))


def check_names(preset: str, domain: str, style: str | None = None) -> None:
    """Refuse what no video domain is named by.

    Raises:
        ValueError: unknown preset, domain or style.
    """
    allowed: tuple = (
        ("preset", preset, VIDEO),
        ("domain", domain, DOMAINS),
        ("style", style, STYLES),
    )
    for option, value, names in allowed:
        if value not in names and not (option == "style" and value is None):
            raise ValueError(
                f"SynthPed video: {option} must be one of {tuple(names)}, got {value!r}"
            )


def contents(preset: str, domain: str, seed: int = 0, style: str | None = None) -> layout.Contents:
    """Everything a video domain's folder holds.

    Args:
        preset: name of the difficulty.
        domain: "A", "B" or "P".
        seed: of the benchmark.
        style: whose cameras render it.

    Raises:
        ValueError: unknown preset, domain or style.
    """
    check_names(preset, domain, style)
    items: list[Item] = []
    tables: dict[str, bytes] = {}
    for sub, part, rows in zip(
        (TRAIN, TEST), ("train", "test"), tracks(preset, domain, seed), strict=True
    ):
        frames = [track.frame(i) for track in rows for i in range(track.length)]
        shots = [
            _shot(track, i, preset, domain, seed, style)
            for track in rows
            for i in range(track.length)
        ]
        items += [Item(f"{sub}/{n}", shot) for n, shot in zip(frames, shots, strict=True)]
        lines = "".join(f"{name.partition('/')[2]}\n" for name in frames)
        tables[f"info/{part}_name.txt"] = lines.encode()
        ends = np.cumsum([track.length for track in rows])
        starts = ends - [track.length for track in rows] + 1  # 1-based and inclusive
        people = [[track.name, track.camera] for track in rows]
        table = np.column_stack([starts, ends, people]).astype(np.int32)
        tables[f"info/tracks_{part}_info.mat"] = _mat(f"track_{part}_info", table)
        if part == "test":
            chosen = np.flatnonzero([track.query for track in rows])[None] + 1
            tables["info/query_IDX.mat"] = _mat("query_IDX", chosen.astype(np.int32))
    made_of = dict(preset=preset, domain=domain, seed=seed, style=style, video=VIDEO_VERSION)
    return layout.Contents(sorted(items, key=lambda item: item.path), made_of, tables)


def _shot(track: Track, index: int, preset: str, domain: str, seed: int, style: str | None) -> Shot:
    where = (domain, track.person, track.camera, track.round, STEP * index)
    return Shot(*where, preset, seed, style, track.kind, track.length)


def _mat(name: str, table: np.ndarray) -> bytes:
    """A MATLAB file without the time of day in its header."""
    from scipy.io import savemat  # as dear as a tenth of torch, and few render videos

    file = io.BytesIO()
    savemat(file, {name: table})
    data = bytearray(file.getvalue())
    data[:116] = b"MATLAB 5.0 MAT-file, SynthPed".ljust(116)
    return bytes(data)


def video_folder(
    data_root: str | Path, preset: str, domain: str, seed: int = 0, style: str | None = None
) -> Path:
    """Where a video domain lies: ``data_root/synthped/v3-standard/A_video1``."""
    pictures = layout.domain_folder(data_root, preset, domain, seed, style)
    return pictures.with_name(f"{pictures.name}_video{VIDEO_VERSION}")
