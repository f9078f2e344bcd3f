"""How a person stands or walks: 17 COCO joints and a few helpers in three dimensions.

Person frame, in body heights: x to the person's left, y up from the ground, z forward.
Image frame, in body heights: u to the right, v down, both 0 where the person stands.
Seen from a heading of 0 the person faces the camera; 90 degrees walks to the image's right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidkit.synthped.keys import pick
from reidkit.synthped.people import Person

NOSE, EYE, EAR, SHOULDER, ELBOW, WRIST, HIP, KNEE, ANKLE = 0, 1, 3, 5, 7, 9, 11, 13, 15
# helpers beyond the 17 joints (left first where there are two)
HAND, HEEL, TOE, NECK, HEAD, PELVIS, CHEST = 17, 19, 21, 23, 24, 25, 26
POINTS = 27
GESTURES = dict(walk=10, stand=2.5, phone=1.2, pockets=1.2, folded=0.8)


@dataclass(frozen=True)
class Pose:
    """One moment of one person.

    Attributes:
        heading: 0 towards the camera, 90 to the image's right, 180 away [degrees].
        head_turn: of the head against the body [degrees].
        phase: of the step, one full cycle is 2 pi.
        gesture: walk, stand, phone, pockets, folded.
        lean: of the trunk to the front [radians].
        swing: strength of the arms' swing, about 1.
    """

    heading: float
    head_turn: float
    phase: float
    gesture: str
    lean: float
    swing: float


def draw_pose(rng: np.random.Generator, heading: float, phase: float) -> Pose:
    """A pose with the given heading [degrees] and phase [radians] and the rest by chance."""
    return Pose(
        heading=heading % 360.0,
        head_turn=float(rng.normal(0, 16)),
        phase=phase,
        gesture=pick(rng, GESTURES),
        lean=float(rng.normal(0.05, 0.035)),
        swing=float(rng.uniform(0.5, 1.25)),
    )


def skeleton(person: Person, pose: Pose) -> np.ndarray:
    """Joints and helpers in the person frame.

    Shape:
        returns (27, 3) float64: rows 0..16 COCO joints, then the helpers named in this module.
    """
    points = np.zeros((POINTS, 3))
    _legs(points, person, pose)
    hips = points[PELVIS]
    trunk = 0.815 - 0.5 + 0.5 * (0.505 - person.legs) + (0.5 - person.legs) * 0.4
    up = np.array([0.0, np.cos(pose.lean), np.sin(pose.lean)])
    points[CHEST] = hips + trunk * up
    across = 0.105 * person.shoulders * person.width**0.6
    twist = 0.0 if pose.gesture == "stand" else 0.12 * np.sin(pose.phase) * pose.swing
    for side, sign in enumerate((1, -1)):
        shoulder = [sign * across * np.cos(twist), 0.0, -sign * across * np.sin(twist)]
        points[SHOULDER + side] = points[CHEST] + shoulder
        _arm(points, person, pose, side, sign)
    _head(points, person, pose, up)
    return points


def _legs(points: np.ndarray, person: Person, pose: Pose) -> None:
    thigh, shin, ankle = 0.245 / 0.505 * person.legs, 0.225 / 0.505 * person.legs, 0.04
    still = pose.gesture == "stand"
    stride = 0.06 if still else person.stride
    half_hip = 0.05 * person.hips * person.width**0.5
    reach, feet = [], []
    for side, sign in enumerate((1, -1)):
        phase = pose.phase + (0 if side == 0 else np.pi)
        angle = stride * np.sin(phase) + 0.04
        bend = 0.06 + (0.15 if still else 1.75 * stride) * max(0.0, np.cos(phase + 0.35))
        knee = thigh * np.array([sign * 0.015, -np.cos(angle), np.sin(angle)])
        lower = angle - bend
        foot = knee + shin * np.array([sign * 0.01, -np.cos(lower), np.sin(lower)])
        start = np.array([sign * half_hip, 0.0, 0.0])
        points[HIP + side], points[KNEE + side] = start, start + knee
        points[ANKLE + side] = start + foot
        tilt = lower + 0.25 * max(0.0, -lower)
        sole = np.array([sign * 0.25, np.sin(tilt) - 0.12, np.cos(tilt)])
        points[TOE + side] = points[ANKLE + side] + 0.085 * sole + [0, -0.018, 0]
        points[HEEL + side] = points[ANKLE + side] - 0.032 * sole + [0, -0.018, 0]
        reach.append(points[ANKLE + side, 1] - ankle)
        feet.append(points[TOE + side, 1] - 0.012)
    lift = -min(*reach, *feet)
    points[: PELVIS + 1, 1] += lift
    points[PELVIS] = (0.0, lift, 0.0)


def _arm(points: np.ndarray, person: Person, pose: Pose, side: int, sign: int) -> None:
    upper, lower = 0.172, 0.145
    phase = pose.phase + (np.pi if side == 0 else 0)
    amount = 0.08 if pose.gesture == "stand" else 0.75 * person.stride * pose.swing
    forward = amount * np.sin(phase) - 0.03
    bend = 0.18 + 0.5 * amount * (1 + np.sin(phase)) / 2
    out = 0.10 + 0.10 * (person.width - 0.8)
    across = 0.0
    if pose.gesture == "phone" and side == int(pose.swing > 0.9):
        forward, bend, across = 0.55, 2.15, -0.25
    elif pose.gesture == "pockets":
        forward, bend, out, across = -0.35, 0.75, 0.2, -0.3
    elif pose.gesture == "folded":
        forward, bend, across = 0.35, 1.35, -0.75
    elbow = upper * np.array([sign * np.sin(out), -np.cos(forward), np.sin(forward)])
    lifted = forward + bend
    fore = np.array([sign * (0.06 + across), -np.cos(lifted), np.sin(lifted)])
    fore /= np.linalg.norm(fore)
    points[ELBOW + side] = points[SHOULDER + side] + elbow
    points[WRIST + side] = points[ELBOW + side] + lower * fore
    points[HAND + side] = points[WRIST + side] + 0.052 * fore


def _head(points: np.ndarray, person: Person, pose: Pose, up: np.ndarray) -> None:
    size = person.head
    points[NECK] = points[CHEST] + 0.045 * up
    head = points[NECK] + 0.072 * size * up + [0, 0, 0.012]
    points[HEAD] = head
    turn = np.deg2rad(pose.head_turn)
    ahead = np.array([np.sin(turn), 0.0, np.cos(turn)])
    left = np.array([np.cos(turn), 0.0, -np.sin(turn)])
    points[NOSE] = head + size * (0.050 * ahead - [0, 0.006, 0])
    for side, sign in enumerate((1, -1)):
        points[EYE + side] = head + size * (0.041 * ahead + sign * 0.019 * left + [0, 0.010, 0])
        points[EAR + side] = head + size * (sign * 0.044 * left + [0, 0.002, 0])


def project(points: np.ndarray, heading: float, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Person frame to image frame, orthographic.

    Args:
        points: (K, 3) in the person frame.
        heading: degrees.
        pitch: how far the camera looks down [degrees].

    Shape:
        returns (K, 2) image positions and (K,) nearness: larger is closer to the camera.
    """
    turn, down = np.deg2rad(heading), np.deg2rad(pitch)
    x, y, z = points.T
    near = z * np.cos(turn) - x * np.sin(turn)
    u = x * np.cos(turn) + z * np.sin(turn)
    v = -y * np.cos(down) + near * np.sin(down)
    return np.stack([u, v], axis=1), near
