"""The whole world as a pure function: one shot in, one crop with everything known of it out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from reidkit.synthped import body as bd
from reidkit.synthped import box, occluders, scene
from reidkit.synthped import camera as cam
from reidkit.synthped import items as it
from reidkit.synthped import pose as ps
from reidkit.synthped.clock import seconds
from reidkit.synthped.keys import stream
from reidkit.synthped.people import make_person, recoloured
from reidkit.synthped.presets import DOMAINS, PRESETS, STYLES, Preset
from reidkit.synthped.shade import cast_shadow, colour_canvas, texture_of
from reidkit.synthped.strokes import NEUTRAL, Strokes
from reidkit.synthped.truth import count_parts, joint_flags, sample_parts, visible_parts
from reidkit.synthped.video import SLOTS, Moment, moment

OVER = 2  # drawn at twice the size and filtered down
BASES = (it.ITEMS, 2 * it.ITEMS, 3 * it.ITEMS)  # items of bystander, occluding person, furniture
STRANGERS = 1_000_000  # first identity of bystanders


@dataclass(frozen=True)
class Shot:
    """The arguments of the world: equal shots give equal bytes.

    Args:
        domain: "A", "B" or "P": whose people, poses and boxes.
        identity: any integer >= 0.
        camera: 1..6.
        track: how many times this person was there before.
        frame: within the track, 25 per second.
        length: frames of the tracklet that this is one of, 1 and more; 0 is a single picture.
        preset: name of the difficulty.
        seed: of the benchmark.
        style: another domain whose cameras render this shot; None is the domain's own.
        kind: "person"; "junk" has a hopeless box; "empty" shows nobody.
        wearer: identity whose body and clothes are shown in this one's pose, place and box; None:
            its own.
        colours: identity whose colours, patterns and prints are on the person shown; None: their
            own. Build, hair, skin, bag and the garments' cut stay.

    Raises:
        ValueError: unknown domain, style, preset or kind; camera or numbers out of range.
    """

    domain: str
    identity: int
    camera: int
    track: int = 0
    frame: int = 0
    preset: str = "standard"
    seed: int = 0
    style: str | None = None
    kind: str = "person"
    length: int = 0
    wearer: int | None = None
    colours: int | None = None

    def __post_init__(self) -> None:
        allowed = dict(domain=DOMAINS, style=(None, *DOMAINS), preset=tuple(PRESETS))
        allowed["kind"] = ("person", "junk", "empty")
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(
                    f"Shot.{name} must be one of {values}, got {getattr(self, name)!r}"
                )
        cameras = PRESETS[self.preset].cameras
        if not 1 <= self.camera <= cameras:
            raise ValueError(f"Shot.camera must be 1..{cameras}, got {self.camera}")
        if min(self.identity, self.track, self.frame) < 0:
            raise ValueError("Shot: identity, track and frame must be >= 0")
        if self.length < 0:
            raise ValueError(f"Shot.length must be >= 0, got {self.length}")


@dataclass(frozen=True)
class Crop:
    """One rendered crop and its truth.

    Attributes:
        image: (H, W, 3) uint8 RGB, before JPEG.
        quality: of the camera's JPEG, 0..100.
        joints: (17, 3) float32: x, y in crop pixels (also where outside), COCO flag 2 visible,
            1 covered by something or by the body itself, 0 outside the crop or nobody there.
        parts: (H, W) uint8 part labels 0..7.
        part_map: (96, 32) uint8, the same at a fixed size.
        visible: (8,) float32 share of each part's silhouette that is inside the crop and not
            covered by others; 0 for a part behind the body itself; [0] is the share of background.
        box_error: (4,) float32 error of left, upper, right, lower edge [body heights].
        heading: degrees, 0 towards the camera, 90 to the image's right.
        seconds: on the cameras' clock.
        occluded: something stands in front of the person.
    """

    image: np.ndarray
    quality: int
    joints: np.ndarray
    parts: np.ndarray
    part_map: np.ndarray
    visible: np.ndarray
    box_error: np.ndarray
    heading: float
    seconds: float
    occluded: bool


def render(shot: Shot, size: tuple[int, int] | None = None) -> Crop:
    """Render one shot.

    Args:
        shot: what to render.
        size: (height, width) in pixels; by default the size that the detector's box has under
            this camera, 80..176 high.

    Example:
        >>> crop = render(Shot("A", identity=7, camera=2))
        >>> crop.image.ndim, crop.part_map.shape, bool((crop.joints[:, 2] > 0).any())
        (3, (96, 32), True)
    """
    preset, style = PRESETS[shot.preset], shot.style or shot.domain
    who = (shot.seed, shot.domain, shot.identity, shot.camera, shot.track)
    group = shot.identity // 8 % 40 + 1 if STYLES[style].many_looks else 0
    look = cam.look(preset, shot.seed, style, shot.camera, group)
    place = cam.place(preset, shot.seed, shot.domain, shot.camera)
    tracks, frames = stream("track", *who), stream("frame", *who, shot.frame)
    wearer = shot.identity if shot.wearer is None else shot.wearer
    person = make_person(preset, shot.seed, shot.domain, wearer)
    if shot.colours is not None:
        person = recoloured(person, make_person(preset, shot.seed, shot.domain, shot.colours))
    pose = _pose(tracks, preset, place, shot.frame)
    body = bd.dress(person, pose, place.pitch, look.sun)
    table = np.zeros(((3 + SLOTS) * it.ITEMS, 3), np.uint8)
    table[: it.ITEMS] = it.palette(person)
    if shot.length:
        now = moment(who, shot, preset, place, look, table)
    else:
        now = _snapshot(frames, who, preset, shot, place, look, table)
    bounds = box.edges(body.strokes.bounds(), now.error)
    size = size or box.pixels(bounds, now.height)
    layout = _Layout(body, bounds, size, shot.kind != "empty")
    layout.paint_all(now.behind, now.front)
    behind = _background(tracks, look, STYLES[style].scene, layout, size, now.drift)
    worn = texture_of(person, body, shot.seed, shot.domain)
    small = colour_canvas(layout.inner, layout.units(), table, person, behind, frames, worn)
    if preset.shadow:
        small = cast_shadow(small, stream("shadow", *who), preset.shadow)
    clock = seconds(preset, *who, shot.frame)
    return Crop(
        image=cam.expose(small, look, clock, frames),
        quality=look.quality,
        box_error=now.error.astype(np.float32),
        heading=pose.heading,
        seconds=clock,
        occluded=bool(now.front),
        **_truth(layout, body),
    )


def _snapshot(frames, who: tuple, preset: Preset, shot: Shot, place, look, table) -> Moment:
    """A single picture: a box of its own, and what stands around."""
    error = box.error(frames, preset, place, shot.kind)
    height = place.height * float(np.exp(frames.normal(0, 0.12)))
    around = _surroundings(stream("crowd", *who), preset, shot, place, look, table)
    return Moment(error, height, 0.0, *around)


def _background(
    rng, look: cam.Look, kind: str, layout: _Layout, size: tuple, drift: float
) -> np.ndarray:
    reach = scene.REACH - 0.8
    shift = float(np.clip(float(rng.uniform(-1, 1)) * reach + drift, -reach, reach))
    wide = scene.panorama(look.key, kind)
    return scene.window(wide, layout.origin, layout.scale / OVER, size, shift)


def _truth(layout: _Layout, body: bd.Body) -> dict[str, np.ndarray]:
    joints = joint_flags(layout.inner, body, layout.origin, layout.scale, OVER)
    if not layout.visible:
        joints[:, 2] = 0  # nobody stands there
    return dict(
        joints=joints,
        parts=np.ascontiguousarray(layout.inner[::OVER, ::OVER, 2]),
        part_map=sample_parts(layout.inner[:, :, 2]),
        visible=visible_parts(layout.inner, layout.whole_parts),
    )


def _pose(rng: np.random.Generator, preset: Preset, place: cam.Place, frame: int) -> ps.Pose:
    usual = rng.random() < preset.same_view
    heading = place.heading if usual else 45.0 * int(rng.integers(8))
    heading += float(rng.normal(0, preset.turn))
    phase = float(rng.uniform(0, 2 * np.pi)) * preset.phase
    pace = float(rng.uniform(0.8, 1.1))  # steps of both feet per second
    return ps.draw_pose(rng, heading, phase + 2 * np.pi * pace * frame / 25.0)


def _surroundings(crowd, preset, shot, place, look, table) -> tuple[list, list]:
    """Strokes behind and in front of the person; fills their part of the colour table."""
    behind, front = [], []
    if crowd.random() < preset.bystander:
        behind.append(_stranger(crowd, preset, shot, place, look, table, 0))
    if crowd.random() < preset.occluded:
        low = bool(crowd.random() < preset.occluded_low)
        if not low and crowd.random() < 0.4:
            front.append(_stranger(crowd, preset, shot, place, look, table, 1))
        else:
            strokes, colours = occluders.furniture(crowd, low, BASES[2], look.sun)
            table[BASES[2] : BASES[2] + it.ITEMS] = colours
            front.append(strokes)
    return behind, front


def _stranger(crowd, preset, shot, place, look, table, where: int) -> Strokes:
    """Another person, behind (where 0) or in front (1)."""
    number = STRANGERS + int(crowd.integers(1 << 20))
    person = make_person(preset, shot.seed, shot.domain, number)
    pose = ps.draw_pose(crowd, 45.0 * int(crowd.integers(8)), float(crowd.uniform(0, 6.28)))
    other = bd.dress(person, pose, place.pitch, look.sun)
    base = BASES[where]
    table[base : base + it.ITEMS] = it.palette(person)
    side = float(crowd.choice([-1, 1]))
    if where == 0:
        offset = np.array([side * crowd.uniform(0.2, 0.5), -crowd.uniform(0.03, 0.2)])
        return other.strokes.moved(offset, float(crowd.uniform(0.7, 0.95)), base, 0)
    offset = np.array([side * crowd.uniform(0.12, 0.3), crowd.uniform(0.05, 0.2)])
    return other.strokes.moved(offset, float(crowd.uniform(1.0, 1.15)), base, 0)


class _Layout:
    """The canvas of one crop: the crop itself and enough around it for the whole body."""

    def __init__(self, body: bd.Body, box: np.ndarray, size: tuple[int, int], visible: bool):
        self.body, self.visible = body, visible
        self.grid = (OVER * size[0], OVER * size[1])
        self.scale = np.array([self.grid[1] / (box[2] - box[0]), self.grid[0] / (box[3] - box[1])])
        self.origin = box[:2]
        whole = body.strokes.bounds()
        before = np.ceil(np.clip((box[:2] - whole[:2]) * self.scale, 0, None)).astype(int)
        after = np.ceil(np.clip((whole[2:] - box[2:]) * self.scale, 0, None)).astype(int)
        width, height = self.grid[1] + before[0] + after[0], self.grid[0] + before[1] + after[1]
        self.canvas = np.empty((height, width, 3), np.uint8)
        cv2.rectangle(self.canvas, (0, 0), (int(width), int(height)), (0, NEUTRAL, 0), -1)
        self.outer_origin = self.origin - before / self.scale
        x, y = before
        self.inner = self.canvas[y : y + self.grid[0], x : x + self.grid[1]]

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the crop's columns and rows are, in body heights from the feet."""
        u = self.origin[0] + (np.arange(self.grid[1]) + 0.5) / self.scale[0]
        return u, self.origin[1] + (np.arange(self.grid[0]) + 0.5) / self.scale[1]

    def _paint(self, strokes: Strokes, bags: frozenset[int] = frozenset()) -> None:
        strokes.paint(self.canvas, self.scale, self.outer_origin, bags)

    def paint_all(self, behind: list[Strokes], front: list[Strokes]) -> None:
        for strokes in behind:
            self._paint(strokes)
        if self.visible:
            shadow = Strokes()
            for reach, shade in ((0.2, 128), (0.14, 104)):
                shadow.ellipse(np.zeros(2), reach, 0.28 * reach, 0, 0, 0, ((1.0, 0.0, shade),))
            self._paint(shadow)
            self._paint(self.body.strokes, it.BAG_ITEMS)
        self.whole_parts = count_parts(self.canvas)
        for strokes in front:
            self._paint(strokes)
