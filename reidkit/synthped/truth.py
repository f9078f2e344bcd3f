"""What is known of a crop because it was drawn: joint flags, part maps, visible shares."""

from __future__ import annotations

import cv2
import numpy as np

from reidkit.synthped import body as bd
from reidkit.synthped import items as it
from reidkit.synthped import pose as ps

MAP = (96, 32)  # rows, columns of the part maps in truth.npz


def joint_flags(
    canvas: np.ndarray, body: bd.Body, origin: np.ndarray, scale: np.ndarray, over: int
) -> np.ndarray:
    """Joints in crop pixels with COCO flags.

    Args:
        canvas: (over * H, over * W, 3) items, shades, parts of the crop.
        body: whose joints.
        origin: (u, v) of the crop's corner [body heights].
        scale: canvas pixels per body height, (horizontal, vertical).
        over: canvas pixels per crop pixel.

    Shape:
        returns (17, 3) float32.
    """
    place = (body.joints - origin) * scale
    height, width = canvas.shape[:2]
    inside = ((place >= 0) & (place < [width, height])).all(axis=1)
    joints = np.concatenate([place / over, np.zeros((17, 1))], axis=1)
    x, y = np.clip(place.astype(int), 0, [width - 1, height - 1]).T
    visible = ALLOWED[np.arange(17), canvas[y, x, 0]] & (body.near > body.facing)
    joints[:, 2] = np.where(inside, np.where(visible, 2, 1), 0)
    return joints.astype(np.float32)


def _allowed() -> np.ndarray:
    """(17, 256) bool: items through which an annotator still calls a joint visible."""
    head = {it.SKIN_I, it.HAIR_I, it.EYES_I, it.CAP_I, it.NECK_I}
    trunk = {it.TOP_I, it.INNER_I, it.PRINT_I, it.STRAP_I, it.NECK_I}
    table = np.zeros((17, 256), bool)
    for joint in range(17):
        side = 1 - joint % 2  # odd numbers are left
        arm = {i + side for i in (it.ARM_U, it.ARM_L, it.SLEEVE_U, it.SLEEVE_L)}
        legs = (it.LEG_U, it.LEG_L, it.CLOTH_U, it.CLOTH_L, it.SHOE)
        leg = {i + side for i in legs} | {it.SKIRT_I, it.TAIL_I, it.STRIPE_I}
        if joint < ps.SHOULDER:
            allowed = head | {it.HOOD_I}
        elif joint < ps.ELBOW:
            allowed = arm | trunk | {it.HAIR_I}
        elif joint < ps.HIP:
            allowed = arm
        elif joint < ps.KNEE:
            allowed = leg | trunk | {it.BOTTOM_I}
        else:
            allowed = leg
        table[joint, list(allowed)] = True
    table[:, 0] = table[:, it.ITEMS : 2 * it.ITEMS] = True  # what is behind covers nothing
    return table


ALLOWED = _allowed()


def sample_parts(parts: np.ndarray) -> np.ndarray:
    """Part labels at the fixed size of the truth file, each cell its middle pixel.

    Shape:
        parts (h, w) uint8 -> (96, 32) uint8.
    """
    rows = ((np.arange(MAP[0]) + 0.5) * parts.shape[0] / MAP[0]).astype(int)
    columns = ((np.arange(MAP[1]) + 0.5) * parts.shape[1] / MAP[1]).astype(int)
    return parts[np.ix_(rows, columns)]


def count_parts(canvas: np.ndarray) -> np.ndarray:
    """Pixels of each part on a canvas, (8,) float64."""
    counts = cv2.calcHist([canvas], [2], None, [8], [0, 8])
    return counts.ravel().astype(np.float64)


def visible_parts(canvas: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Share of each part's silhouette that is seen in the crop.

    Args:
        canvas: (h, w, 3) of the crop, occluders painted.
        whole: (8,) pixels of each part before cropping and without occluders.

    Shape:
        returns (8,) float32; [0] is the share of background in the crop.
    """
    seen = count_parts(canvas)
    share = np.where(whole > 0, seen / np.maximum(whole, 1), 0.0)
    share[0] = seen[0] / seen.sum()
    return share.astype(np.float32)
