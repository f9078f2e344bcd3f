"""A painted body: from joints to capsules, with the joints that hide behind the body filled in.

Shape letters: N people, K = 17 joints. All lengths scale with a person's size in pixels.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

VISIBLE = 0.1  # a joint counts when its confidence is above; EANet's threshold
LEGS = ((11, 13, 15), (12, 14, 16))
ARMS = ((5, 7, 9), (6, 8, 10))
# limbs of a standing adult in torso lengths (shoulders to hips)
THIGH, SHIN, UPPER_ARM, FOREARM = 0.8, 0.75, 0.55, 0.5
DOWN = np.array([0.0, 1.0])


@dataclass(frozen=True)
class Body:
    """Widths and lengths of the painted body, in units of the person's size (``person_size``).

    Fitted to the true part maps of held-out people of SynthPed's domain P, with the joints that the
    shipped model finds in them: one number at a time, in ever smaller steps, while the mean IoU
    rose.

    Args:
        head: radius.  tall: how much longer it is than wide, at each end.
        lift: how far its centre lies above the mean of its joints.
        above: how far the head's centre lies above the shoulders when no head joint is seen.
        neck: radius.  throat: how far above the shoulders the neck ends.
        torso: radius around lines from shoulders to hips.  chest: how far in from the shoulder
            joints the outer lines run, as a fraction of half the shoulders' width.
        waist: how far below the hips the torso ends.
        upper_arm, lower_arm, upper_leg, lower_leg: radii.
        elbow, knee: how far upper arm and upper leg end before the joint, as a fraction.
        hand: length beyond the wrist, as a fraction of the forearm.
        ankle: how far the lower leg ends before the joint, as a fraction.
        foot: radius.  heel: how far the foot lies below the ankle, and behind it.
        toe: how far it reaches to where the person walks.
    """

    head: float = 0.105
    tall: float = 0.037
    lift: float = 0.084
    above: float = 0.350
    neck: float = 0.142
    throat: float = 0.041
    torso: float = 0.196
    chest: float = 0.366
    waist: float = 0.001
    upper_arm: float = 0.095
    lower_arm: float = 0.074
    elbow: float = 0.221
    hand: float = 0.309
    upper_leg: float = 0.171
    lower_leg: float = 0.110
    knee: float = 0.225
    ankle: float = 0.188
    foot: float = 0.106
    heel: float = 0.071
    toe: float = 0.218


BODY = Body()
# kept in label stores, so that maps painted otherwise are painted anew; raise the number with
# every change of this module's rules
PAINTER = f"capsules 2 {hashlib.sha256(repr(BODY).encode()).hexdigest()[:12]}"


class Capsule(NamedTuple):
    """One limb of N people: class, ends (N, 2) in pixels, radii (N,), and who has it (N,)."""

    part: int
    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray
    drawn: np.ndarray


def _mean(points: np.ndarray, seen: np.ndarray, joints: tuple[int, ...]) -> tuple:
    """Mean of the seen ones of some joints (N, 2), and whether there is any (N,)."""
    weight = seen[:, joints].astype(np.float64)
    count = weight.sum(1)
    total = (points[:, joints] * weight[..., None]).sum(1)
    return total / np.maximum(count, 1)[:, None], count > 0


def _where(condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(condition[:, None], a, b)


def person_size(points: np.ndarray, seen: np.ndarray, height: np.ndarray) -> np.ndarray:
    """A length in pixels by which limbs scale: shoulders to hips where both are seen.

    Otherwise it is estimated from the limbs that are seen, and at last from the crop's height.

    Shape:
        points (N, 17, 2); seen (N, 17) bool; height (N,) of the crops; returns (N,), at least 1.
    """
    shoulders, has_s = _mean(points, seen, (5, 6))
    hips, has_h = _mean(points, seen, (11, 12))
    limb = np.zeros(len(points))
    ratios = ((THIGH, SHIN), (THIGH, SHIN), (UPPER_ARM, FOREARM), (UPPER_ARM, FOREARM))
    for (a, b, c), (upper, lower) in zip((*LEGS, *ARMS), ratios, strict=True):
        for i, j, ratio in ((a, b, upper), (b, c, lower)):
            length = np.linalg.norm(points[:, i] - points[:, j], axis=-1) / ratio
            limb = np.maximum(limb, np.where(seen[:, i] & seen[:, j], length, 0))
    torso = np.abs(shoulders[:, 1] - hips[:, 1])
    for a, b in ((5, 11), (6, 12)):
        length = np.linalg.norm(points[:, a] - points[:, b], axis=-1)
        torso = np.where(seen[:, a] & seen[:, b], np.maximum(torso, length), torso)
    size = np.where(has_s & has_h, torso, np.where(limb > 0, limb, 0.25 * height))
    # a torso that was mislocated must not shrink everything
    return np.clip(np.maximum(size, 0.7 * limb), 0.08 * height, 0.7 * height).clip(min=1.0)


def fill_in(
    points: np.ndarray, seen: np.ndarray, size: np.ndarray, height: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Joints that must be there although they are not seen, for painting only.

    A hidden shoulder lies opposite to the other one, seen from the head; a hidden hip beside the
    other one as the shoulders are; hips lie below shoulders (and the other way round); a middle
    joint between its neighbours; a leg that would end below the crop goes on downwards. A leg that
    would end inside the crop is hidden by something and stays out.

    Shape:
        points (N, 17, 2); seen (N, 17); size, height (N,); returns points and known, alike.
    """
    points, known = points.copy(), seen.copy()

    def put(joint: int, place: np.ndarray, where: np.ndarray) -> None:
        where = where & ~known[:, joint]
        points[where, joint] = place[where]
        known[where, joint] = True

    step = size[:, None] * DOWN
    _pairs(points, known, size, put)
    shoulders, has_s = _mean(points, known, (5, 6))
    hips, has_h = _mean(points, known, (11, 12))
    knees, has_k = _mean(points, known, (13, 14))
    guess = _where(has_k, shoulders + 0.56 * (knees - shoulders), shoulders + step)
    for side in (0, 1):
        put(11 + side, guess + 0.75 * (points[:, 5 + side] - shoulders), has_s & ~has_h)
        put(5 + side, points[:, 11 + side] - step, has_h & ~has_s)
    for root, middle, end in (*LEGS, *ARMS):
        between = points[:, root] + 0.52 * (points[:, end] - points[:, root])
        put(middle, between, known[:, root] & known[:, end])
    for hip, knee, ankle in LEGS:
        below = points[:, hip] + THIGH * step
        put(knee, below, known[:, hip] & (below[:, 1] > 0.97 * height))
        thigh = points[:, knee] - points[:, hip]
        along = thigh / np.maximum(np.linalg.norm(thigh, axis=-1), 1e-6)[:, None] * size[:, None]
        below = points[:, knee] + SHIN * 0.5 * (along + step)
        put(ankle, below, known[:, knee] & (below[:, 1] > 0.97 * height))
    return points, known


def _pairs(points: np.ndarray, known: np.ndarray, size: np.ndarray, put) -> None:
    """Both shoulders and both hips, where one of them is seen."""
    axis, has_axis = _axis(points, known)
    both = known[:, 5] & known[:, 6]
    for here, there in ((5, 6), (6, 5)):
        one = known[:, here] & ~both
        opposite = points[:, here].copy()  # from the side both lie at the same place
        shift = np.clip(2 * (axis - opposite[:, 0]), -0.9 * size, 0.9 * size)
        opposite[:, 0] += np.where(has_axis, shift, 0.0)
        put(there, opposite, one)
    across = (points[:, 6] - points[:, 5]) * [1, 0]
    shoulders, both = known[:, 5] & known[:, 6], known[:, 11] & known[:, 12]
    for here, there, sign in ((11, 12, 0.6), (12, 11, -0.6)):
        beside = _where(shoulders, points[:, here] + sign * across, points[:, here])
        put(there, beside, known[:, here] & ~both)


def _axis(points: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle of the body from left to right (N,), and whether it is known.

    Of elbows or hips that are both seen, else of the head, else of wrists or knees.
    """
    head, has_head = _mean(points, known, (0, 1, 2, 3, 4))
    x, has = np.zeros(len(points)), np.zeros(len(points), dtype=bool)
    for pair in ((7, 8), (11, 12), None, (9, 10), (13, 14)):
        if pair is None:
            middle, there = head[:, 0], has_head
        else:
            middle, there = points[:, pair, 0].mean(1), known[:, pair].all(1)
        x = np.where(has, x, middle)
        has = has | there
    return x, has


def capsules(
    points: np.ndarray, seen: np.ndarray, height: np.ndarray, body: Body = BODY
) -> list[Capsule]:
    """All limbs in painting order: legs, torso, head, arms.

    Shape:
        points (N, 17, 2) in pixels; seen (N, 17) bool; height (N,) of the crops in pixels.
    """
    size = person_size(points, seen, height)
    ahead = _walking(points, seen, size)
    points, known = fill_in(points, seen, size, height)
    step = size[:, None] * DOWN
    capsules: list[Capsule] = []

    def add(part: int, a: np.ndarray, b: np.ndarray, radius: float, drawn: np.ndarray) -> None:
        capsules.append(Capsule(part, a, b, radius * size, drawn))

    def before(joint: int, start: int, part: float) -> np.ndarray:
        return points[:, joint] + part * (points[:, start] - points[:, joint])

    for hip, knee, ankle in LEGS:
        thigh, shin = known[:, hip] & known[:, knee], known[:, knee] & known[:, ankle]
        add(5, points[:, hip], before(knee, hip, body.knee), body.upper_leg, thigh)
        add(6, points[:, knee], before(ankle, knee, body.ankle), body.lower_leg, shin)
        sole = points[:, ankle] + body.heel * (step - size[:, None] * ahead)
        toe = sole + body.toe * size[:, None] * ahead
        add(7, sole, toe, body.foot, known[:, ankle])
    _add_torso(points, known, step, body, add)
    _add_head(points, known, step, body, add)
    for shoulder, elbow, wrist in ARMS:
        upper = known[:, shoulder] & known[:, elbow]
        add(3, points[:, shoulder], before(elbow, shoulder, body.elbow), body.upper_arm, upper)
        hand = points[:, wrist] + body.hand * (points[:, wrist] - points[:, elbow])
        add(4, points[:, elbow], hand, body.lower_arm, known[:, elbow] & known[:, wrist])
    return capsules


def _walking(points: np.ndarray, seen: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Where the toes point, (N, 2): sideways as far as the person is seen from the side.

    The side is where the face lies from the ears or shoulders, and where the knees bend to.
    """
    width = np.abs(points[:, 5, 0] - points[:, 6, 0]) / (0.55 * size)
    side = np.where(seen[:, 5] & seen[:, 6], np.clip(1 - width, 0, 1), 1.0)
    ears, has_ears = _mean(points, seen, (3, 4))
    shoulders, has_shoulders = _mean(points, seen, (5, 6))
    face, has_face = _mean(points, seen, (0, 1, 2))
    back = np.where(has_ears, ears[:, 0], shoulders[:, 0])
    known = has_face & (has_ears | has_shoulders)
    lean = np.where(known, (face[:, 0] - back) / (0.15 * size), 0.0)
    for hip, knee, ankle in LEGS:
        bend = points[:, knee, 0] - 0.5 * (points[:, hip, 0] + points[:, ankle, 0])
        lean = lean + np.where(seen[:, [hip, knee, ankle]].all(1), bend / (0.1 * size), 0.0)
    x = side * np.tanh(lean)
    return np.stack([x, 0.3 * (1 - np.abs(x))], axis=1)


def _add_torso(points: np.ndarray, known: np.ndarray, step: np.ndarray, body: Body, add) -> None:
    drawn = known[:, 5] & known[:, 6] & known[:, 11] & known[:, 12]
    top, bottom = points[:, [5, 6]], points[:, [11, 12]] + body.waist * step[:, None]
    for t in (body.chest / 2, 0.25, 0.5, 0.75, 1 - body.chest / 2):
        a = top[:, 0] + (top[:, 1] - top[:, 0]) * t + body.torso * step * 0.8
        add(2, a, bottom[:, 0] + (bottom[:, 1] - bottom[:, 0]) * t, body.torso, drawn)


def _add_head(points: np.ndarray, known: np.ndarray, step: np.ndarray, body: Body, add) -> None:
    """An oval about the ears (the face where none is seen), and the neck down to the shoulders."""
    ears, has_ears = _mean(points, known, (3, 4))
    face, has_face = _mean(points, known, (0, 1, 2))
    shoulders, has_shoulders = _mean(points, known, (5, 6))
    centre = _where(has_ears & has_face, 0.75 * ears + 0.25 * face, _where(has_ears, ears, face))
    seen = has_ears | has_face
    # a single ear is at the head's side or middle; the shoulders tell which
    one = (known[:, 3] ^ known[:, 4]) & has_shoulders
    centre[:, 0] = np.where(one, 0.5 * (centre[:, 0] + shoulders[:, 0]), centre[:, 0])
    centre = _where(seen, centre - body.lift * step, shoulders - body.above * step)
    throat = shoulders - body.throat * step
    add(1, centre, throat, body.neck, (seen | has_shoulders) & has_shoulders)
    tall = body.tall * step
    add(1, centre - tall, centre + tall, body.head, seen | has_shoulders)
