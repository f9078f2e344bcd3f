"""Part maps in EANet's eight classes: painted from keypoints, or resized from label images.

Classes: 0 background, 1 head, 2 torso, 3 upper arm, 4 lower arm with hand, 5 upper leg, 6 lower
leg, 7 foot. Left and right share a class, so mirroring needs no relabelling.
"""

from __future__ import annotations

import cv2
import numpy as np

from reidkit.pose.body import BODY, VISIBLE, Body, capsules

PARTS = ("background", "head", "torso", "upper arm", "lower arm", "upper leg", "lower leg", "foot")


def paint_part_maps(
    keypoints: np.ndarray,
    image_sizes: np.ndarray,
    size: tuple[int, int] = (48, 16),
    body: Body = BODY,
) -> np.ndarray:
    """Part maps of N people at once: limb capsules, painted legs first and arms last.

    Joints count when their confidence is above 0.1; what the body itself hides is filled in, see
    ``reidkit.pose.body.fill_in``. Each cell gets the class at its centre.

    Args:
        keypoints: COCO joints, x and y in crop pixels from the upper left corner, confidence.
        image_sizes: height and width of each crop in pixels.
        size: (h, w) of the maps.
        body: widths of the limbs.

    Shape:
        keypoints (N, 17, 3); image_sizes (N, 2); returns (N, h, w) uint8 in 0..7.

    Raises:
        ValueError: shapes that do not fit together.

    Example:
        >>> paint_part_maps(np.zeros((1, 17, 3)), np.array([[128, 64]])).any()
        np.False_
    """
    keypoints = np.asarray(keypoints, dtype=np.float64)
    image_sizes = np.asarray(image_sizes)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (17, 3):
        raise ValueError(f"keypoints must be (N, 17, 3), got {keypoints.shape}")
    if image_sizes.shape != (len(keypoints), 2):
        raise ValueError(f"image_sizes must be ({len(keypoints)}, 2), got {image_sizes.shape}")
    maps = np.zeros((len(keypoints), *size), dtype=np.uint8)
    for start in range(0, len(keypoints), 256):  # bounds memory
        rows = slice(start, start + 256)
        maps[rows] = _paint(keypoints[rows], image_sizes[rows], size, body)
    return maps


def _paint(
    keypoints: np.ndarray, image_sizes: np.ndarray, size: tuple[int, int], body: Body
) -> np.ndarray:
    h, w = size
    cell = (image_sizes / np.array([h, w])).astype(np.float32)  # crop pixels per cell
    y = (np.arange(h, dtype=np.float32) + 0.5) * cell[:, :1]  # centres of the cells
    x = (np.arange(w, dtype=np.float32) + 0.5) * cell[:, 1:]
    seen = keypoints[..., 2] > VISIBLE
    points = np.where(seen[..., None], keypoints[..., :2], 0.0)
    maps = np.zeros((len(keypoints), h, w), dtype=np.uint8)
    for limb in capsules(points, seen, image_sizes[:, 0].astype(np.float64), body):
        rows = np.flatnonzero(limb.drawn)
        if len(rows):
            a, b, radius = limb.start[rows], limb.end[rows], limb.radius[rows]
            maps[rows] = np.where(
                _inside(x[rows], y[rows], a, b, radius), np.uint8(limb.part), maps[rows]
            )
    return maps


def _inside(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, radius: np.ndarray
) -> np.ndarray:
    """Cells within the radius of the segment a-b: (n, h, w) bool."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    along = b - a
    length = np.maximum((along**2).sum(1), 1e-6)
    dx, dy = x - a[:, :1], y - a[:, 1:]
    t = dx[:, None, :] * (along[:, 0] / length)[:, None, None]
    t = np.clip(t + dy[:, :, None] * (along[:, 1] / length)[:, None, None], 0, 1)
    ex = dx[:, None, :] - t * along[:, 0, None, None]
    ey = dy[:, :, None] - t * along[:, 1, None, None]
    return ex * ex + ey * ey <= (radius.astype(np.float32) ** 2)[:, None, None]


def resize_part_labels(
    labels: np.ndarray, size: tuple[int, int], bilinear: bool = False
) -> np.ndarray:
    """Resize a label image to training size.

    Args:
        labels: classes 0..7 at any resolution.
        size: (h, w) wanted.
        bilinear: the released code of EANet interpolates class numbers, because its nearest flag
            stands in the wrong place; True reproduces that. It invents classes: between 0 and 7
            lies 4.

    Shape:
        labels (H, W) uint8; returns (h, w) uint8.

    Raises:
        ValueError: labels that are not (H, W), or hold a class above 7.

    Source:
        EANet's code; nearest is OpenCV's, which samples row floor(y H / h) and column
        floor(x W / w), without half-pixel centring.

    Example:
        >>> edge = np.array([[0, 7]], dtype=np.uint8)
        >>> resize_part_labels(edge, (1, 1)), resize_part_labels(edge, (1, 1), bilinear=True)
        (array([[0]], dtype=uint8), array([[4]], dtype=uint8))
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or 0 in labels.shape:
        raise ValueError(f"part labels must be (H, W), got {labels.shape}")
    if labels.max() >= len(PARTS) or labels.min() < 0:
        raise ValueError(f"part labels must be 0..7, found {int(labels.max())}")
    labels = labels.astype(np.uint8)
    if bilinear:
        return cv2.resize(labels, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    rows = np.minimum((np.arange(size[0]) * labels.shape[0]) // size[0], labels.shape[0] - 1)
    columns = np.minimum((np.arange(size[1]) * labels.shape[1]) // size[1], labels.shape[1] - 1)
    return np.ascontiguousarray(labels[rows[:, None], columns])
