"""Footage: several people at once in the frames of a camera, walking past each other and things.

Unlike crops, which are drawn around one person, a frame is painted back to front: the camera's
panorama, the people by depth, then pillars in front. What each person shows in the end is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from reidkit.synthped import body as bd
from reidkit.synthped import camera as cam
from reidkit.synthped import items as it
from reidkit.synthped import occluders, scene
from reidkit.synthped import pose as ps
from reidkit.synthped.keys import stream
from reidkit.synthped.people import make_person
from reidkit.synthped.plan import FIRST_TEST
from reidkit.synthped.presets import PRESETS, STYLES
from reidkit.synthped.shade import colour_canvas, texture_of
from reidkit.synthped.strokes import NEUTRAL, Strokes

RATE = 10  # frames per second
SIZE = (260, 448)  # height and width of a frame, pixels
SCALE = SIZE[1] / (2 * scene.REACH)  # pixels per body height in the middle of the scene
PAD = 160  # around a frame, so that people walk in from outside
OVER = 2  # drawn at twice the size and filtered down
PILLARS = 2  # of each camera
ARRIVAL = 14.0  # seconds within which everybody arrives at the first camera
TRAVEL = (15.0, 20.0)  # seconds from one camera to the next
SECONDS = 26.0  # of each recording


@dataclass(frozen=True)
class Walk:
    """One person's way past one camera.

    Attributes:
        identity: of the world.
        start: when the feet are at the edge of the scene, seconds of the recording.
        speed: body heights per second; negative: to the left.
        depth: 0 far, 1 near.
        heading: degrees, 0 towards the camera, 90 to the image's right.
        phase: of the steps at the start, radians.
    """

    identity: int
    start: float
    speed: float
    depth: float
    heading: float
    phase: float

    @property
    def scale(self) -> float:
        """Pixels per body height."""
        return SCALE * (0.85 + 0.3 * self.depth)

    def feet(self, seconds: float) -> tuple[float, float]:
        """Where they are at this moment, pixels of the frame; also far outside it."""
        way = self.speed * (seconds - self.start)
        edge = -scene.REACH - 0.3 if self.speed > 0 else scene.REACH + 0.3
        return SIZE[1] / 2 + (edge + way) * SCALE, (scene.ABOVE - 0.1 + 0.6 * self.depth) * SCALE


@dataclass(frozen=True)
class Footage:
    """A recording of one camera; frames are a pure function of the arguments.

    Args:
        camera: 1..6.
        walk: number of the scene: which people come, and when.
        people: how many walk past each camera.
        preset: name of the difficulty; whose people, cameras and textures.
        domain: "A" or "B".
        seed: of the benchmark: other people and other cameras.
    """

    camera: int
    walk: int = 0
    people: int = 12
    preset: str = "standard"
    domain: str = "A"
    seed: int = 0

    @property
    def start(self) -> float:
        """Of the recording on the common clock of all cameras, seconds."""
        return (self.camera - 1) * sum(TRAVEL) / 2

    @property
    def frames(self) -> int:
        """How many there are."""
        return round(SECONDS * RATE)

    def walks(self) -> list[Walk]:
        """Everybody's way past this camera, far ones first.

        Example:
            >>> walks = Footage(camera=2, people=3).walks()
            >>> sorted(walk.identity for walk in walks)
            [1001, 1002, 1003]
        """
        tilt = float(stream("footage tilt", self.seed, self.domain, self.camera).uniform(-50, 50))
        found = []
        for number in range(self.people):
            identity = FIRST_TEST + self.walk * self.people + number
            own = stream("footage person", self.seed, self.domain, self.walk, identity)
            arrival, pace = float(own.uniform(0, ARRIVAL)), float(own.uniform(0.65, 0.9))
            at = stream("footage", self.seed, self.domain, self.walk, identity, self.camera)
            late = sum(
                float(stream("footage way", self.seed, self.walk, identity, c).uniform(*TRAVEL))
                for c in range(1, self.camera)
            )
            way = 1 if at.random() < 0.5 else -1
            heading = 90 * way + tilt + float(at.normal(0, 10))
            depth, phase = float(at.uniform(0, 1)), float(at.uniform(0, 2 * np.pi))
            start = arrival + late - self.start
            found.append(Walk(identity, start, way * pace, depth, heading, phase))
        return sorted(found, key=lambda walk: walk.depth)

    def frame(self, number: int) -> tuple[np.ndarray, list[tuple[int, np.ndarray, float]]]:
        """One frame, and who is in it.

        Args:
            number: from 1.

        Returns:
            Pixels (260, 448, 3) uint8 RGB; of each person in it identity, box (x, y, width, height
            in pixels from 0, of the whole body, clipped to the frame) and the share of the body
            that is seen.

        Example:
            >>> image, people = Footage(camera=1, people=4).frame(60)
            >>> image.shape, all(0 <= share <= 1 for _, _, share in people)
            ((260, 448, 3), True)
        """
        preset, seconds = PRESETS[self.preset], (number - 1) / RATE
        look = cam.look(preset, self.seed, self.domain, self.camera, 0)
        canvas = _Canvas(_backdrop(look, STYLES[self.domain].scene))
        walks = [walk for walk in self.walks() if -PAD < walk.feet(seconds)[0] < SIZE[1] + PAD]
        for walk in walks:
            self._paint(canvas, walk, seconds, look)
        for pillar in range(PILLARS):
            strokes, table, place = self._pillar(pillar, look)
            canvas.paint(strokes, table, place, SCALE, _nobody(preset), None, -1 - pillar)
        image = np.ascontiguousarray(canvas.image[PAD:-PAD, PAD:-PAD])
        camera = replace(
            look, resolution=look.resolution * SIZE[0] / SCALE, blur=look.blur * SCALE / SIZE[0]
        )
        noise = stream("footage noise", self.seed, self.domain, self.camera, number)
        exposed = cam.expose(image, camera, self.start + seconds, noise)
        return exposed, canvas.people([walk.identity for walk in walks])

    def _paint(self, canvas: _Canvas, walk: Walk, seconds: float, look: cam.Look) -> None:
        preset = PRESETS[self.preset]
        place = cam.place(preset, self.seed, self.domain, self.camera)
        person = make_person(preset, self.seed, self.domain, walk.identity)
        rng = stream("footage pose", self.seed, self.domain, walk.identity, self.camera)
        steps = walk.phase + 2 * np.pi * 1.2 * abs(walk.speed) * (seconds - walk.start)
        body = bd.dress(person, ps.draw_pose(rng, walk.heading, steps), place.pitch, look.sun)
        table = np.zeros((it.ITEMS, 3), np.uint8)
        table[:] = it.palette(person)
        worn = texture_of(person, body, self.seed, self.domain)
        canvas.paint(
            body.strokes, table, walk.feet(seconds), walk.scale, person, worn, walk.identity
        )

    def _pillar(
        self, number: int, look: cam.Look
    ) -> tuple[Strokes, np.ndarray, tuple[float, float]]:
        """Something as high as a person and wider, in front of everybody."""
        rng = stream("footage pillar", self.seed, self.domain, self.camera, number)
        strokes, half = Strokes(look.sun), float(rng.uniform(0.3, 0.5))
        strokes.box(-half, -1.35, half, 0.1, 5.0, occluders.MAIN + 1, 158)
        strokes.box(-half, -1.4, half, -1.3, 5.1, occluders.SECOND + 1, 180)
        strokes.box(-0.7 * half, -1.1, 0.7 * half, -0.4, 5.1, occluders.SECOND + 1, 150)
        table = np.zeros((it.ITEMS + 1, 3), np.uint8)
        table[1:] = occluders.palette(rng)
        middle = (number + 0.5 + float(rng.uniform(-0.25, 0.25))) / PILLARS
        return strokes, table, (middle * SIZE[1], (scene.ABOVE + 0.6) * SCALE)


class _Canvas:
    """A frame with a margin, and whom each of its pixels shows."""

    def __init__(self, backdrop: np.ndarray):
        self.image = backdrop.copy()
        self.owner = np.zeros(backdrop.shape[:2], np.int32)
        self.whole: dict[int, int] = {}  # pixels of the whole body
        self.boxes: dict[int, np.ndarray] = {}

    def paint(self, strokes, table, feet, scale, person, worn, number) -> None:
        """Paint strokes with the feet at a place of the frame; pixels of items become ``number``'s.

        Args:
            strokes: in body heights.
            table: colours by item.
            feet: x and y, pixels of the frame.
            scale: pixels per body height.
            person, worn: see ``colour_canvas``.
            number: an identity, or below 0 for things.
        """
        u0, v0, u1, v1 = strokes.bounds()
        x0, y0 = int(feet[0] + u0 * scale) - 2 + PAD, int(feet[1] + v0 * scale) - 2 + PAD
        x1, y1 = int(feet[0] + u1 * scale) + 3 + PAD, int(feet[1] + v1 * scale) + 3 + PAD
        x0, y0 = max(x0, 0), max(y0, 0)
        x1, y1 = min(x1, self.image.shape[1]), min(y1, self.image.shape[0])
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        canvas = np.empty((OVER * (y1 - y0), OVER * (x1 - x0), 3), np.uint8)
        canvas[:] = (0, NEUTRAL, 0)
        origin = (np.array([x0, y0]) - PAD - feet) / scale
        strokes.paint(canvas, np.full(2, OVER * scale), origin, frozenset())
        units = tuple(
            origin[axis] + (np.arange(canvas.shape[1 - axis]) + 0.5) / (OVER * scale)
            for axis in (0, 1)
        )
        folds = stream("footage folds", number & 0xFFFFFFFF)
        part = self.image[y0:y1, x0:x1]
        part[:] = colour_canvas(canvas, units, table, person, part.copy(), folds, worn)
        shown = canvas[::OVER, ::OVER, 0] > 0
        self.owner[y0:y1, x0:x1][shown] = number
        self.whole[number] = int(shown.sum())
        self.boxes[number] = np.array([x0 + 2 - PAD, y0 + 2 - PAD, x1 - 3 - PAD, y1 - 3 - PAD])

    def people(self, identities: list[int]) -> list[tuple[int, np.ndarray, float]]:
        """See ``Footage.frame``."""
        seen = self.owner[PAD:-PAD, PAD:-PAD]
        found = []
        for identity in identities:
            if identity not in self.boxes:
                continue
            share = float((seen == identity).sum()) / max(1, self.whole[identity])
            limits = np.array([SIZE[1], SIZE[0]])
            start = np.clip(self.boxes[identity][:2], 0, limits)
            size = np.clip(self.boxes[identity][2:], 0, limits) - start
            if (size >= 4).all():
                found.append((identity, np.concatenate([start, size]), share))
        return found


def _backdrop(look: cam.Look, kind: str) -> np.ndarray:
    """The camera's panorama at the size of a frame, with a margin."""
    small = cv2.resize(scene.panorama(look.key, kind), SIZE[::-1], interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(small, PAD, PAD, PAD, PAD, cv2.BORDER_REFLECT)


def _nobody(preset):
    """Whose patterns a thing has: nobody's, since none of its items is a garment."""
    return make_person(preset, 0, "A", 0)
