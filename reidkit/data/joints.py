"""COCO's 17 joints as numbers out of files of others: every value is looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from reidkit.errors import UserError

JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
HALF_PIXEL = 0.5  # from COCO's places, whose whole numbers are centres of pixels, to ours
# what networks call confidence is the height of their heat, which passes 0 and 1 by a little
OVERSHOOT = (-0.1, 1.5)
_ABSENT = "a joint that was not found is written 0, 0, 0"


def numbers(values: Any, count: int, what: str, where: str) -> np.ndarray:
    """Exactly so many finite numbers of a list.

    Args:
        values: out of the file.
        count: how many there must be.
        what: they are, as in "keypoints".
        where: they stand: file and entry, for messages.

    Shape:
        returns (count,) float64.

    Raises:
        UserError: no list, another number of values, text, null, NaN or infinity.

    Example:
        >>> numbers([1, 2.5], 2, "size", "a.json: image 3")
        array([1. , 2.5])
        >>> numbers([1, None], 2, "size", "a.json: image 3")
        Traceback (most recent call last):
        reidkit.errors.UserError: a.json: image 3: size[1] is None; expected a finite number
    """
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if not isinstance(values, (list, tuple)):
        raise UserError(f"{where}: {what} is {_short(values)}; expected a list of {count} numbers")
    if len(values) != count:
        raise UserError(f"{where}: {what} has {len(values)} numbers, expected {count}")
    for place, value in enumerate(values):
        if type(value) not in (int, float) or not _is_finite(value):
            hint = f"; {_ABSENT}" if "keypoints" in what else ""
            raise UserError(
                f"{where}: {what}[{place}] is {_short(value)}; expected a finite number{hint}"
            )
    return np.array(values, dtype=np.float64)


def _is_finite(value: int | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def confidences(values: np.ndarray, where: str, limits: tuple[float, float] = OVERSHOOT) -> Any:
    """Confidences of 17 joints, cut to [0, 1].

    Args:
        values: finite numbers.
        where: they stand, for messages.
        limits: least and largest value that is taken, before the cut.

    Shape:
        values (17,); returns the same.

    Raises:
        UserError: a value beyond the limits.
    """
    joint = int(np.argmax(np.maximum(limits[0] - values, values - limits[1])))  # the worst
    if not limits[0] <= values[joint] <= limits[1]:
        raise UserError(
            f"{where}: confidence of {JOINTS[joint]} is {values[joint]:g}; expected a number from "
            "0 to 1"
        )
    return np.clip(values, 0, 1)


def refuse_far_joints(joints: np.ndarray, size: Sequence[float] | np.ndarray, where: str) -> None:
    """Refuse joints that cannot belong to an image: further outside than it is long.

    Networks and people do put joints outside an image that cuts a person off.

    Args:
        joints: x, y in pixels, confidence or flag; only those above 0 are looked at.
        size: height and width of the image in pixels.
        where: they stand, for messages.

    Shape:
        joints (17, 3).

    Raises:
        UserError: the first such joint, with its place.
    """
    height, width = float(size[0]), float(size[1])
    margin = max(height, width)
    seen = joints[:, 2] > 0
    least, most = -margin, np.array([width, height]) + margin
    wrong = np.flatnonzero(seen & ((joints[:, :2] < least) | (joints[:, :2] > most)).any(1))
    if len(wrong):
        joint = int(wrong[0])
        x, y = joints[joint, :2]
        raise UserError(
            f"{where}: {JOINTS[joint]} is at x={x:g}, y={y:g}, far outside the image of "
            f"{width:g}x{height:g} pixels; joints are counted in pixels of the image itself"
        )
