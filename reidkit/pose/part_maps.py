"""Part maps in EANet's eight classes: painted from keypoints, or resized from label images.

Classes: 0 background, 1 head, 2 torso, 3 upper arm, 4 lower arm with hand, 5 upper leg, 6 lower
leg, 7 foot. Left and right share a class, so mirroring needs no relabelling.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np

PARTS = ("background", "head", "torso", "upper arm", "lower arm", "upper leg", "lower leg", "foot")
VISIBLE = 0.1  # a joint counts when its confidence is above; EANet's threshold


@dataclass(frozen=True)
class Body:
    """Widths and lengths of the painted body, in units of the person's size (see ``person_size``).

    Fitted on the truth of SynthPed's domain P by ``reidkit.pose.training.fit_body``.

    Args:
        head: radius.  neck: how far the head's centre lies above the shoulders without head joints.
        crown: how far the head's centre lies above the mean of its joints.
        torso: radius around shoulder and hip lines.  upper_arm, lower_arm: radii.
        upper_leg, lower_leg: radii.  foot: radius.
        hand: length beyond the wrist, as a fraction of the forearm.
        heel: how far the foot lies below the ankle.
        toe: how far it reaches to where the nose points.
    """

    head: float = 0.23
    neck: float = 0.32
    crown: float = 0.03
    torso: float = 0.16
    upper_arm: float = 0.11
    lower_arm: float = 0.09
    upper_leg: float = 0.15
    lower_leg: float = 0.11
    foot: float = 0.10
    hand: float = 0.35
    heel: float = 0.10
    toe: float = 0.20


BODY = Body()


def person_size(keypoints: np.ndarray, image_sizes: np.ndarray) -> np.ndarray:
    """A length in pixels by which limbs scale: shoulder to hip where both are seen.

    Without them it is estimated from the limbs that are seen, and at last from the crop's height.

    Shape:
        keypoints (N, 17, 3); image_sizes (N, 2) height, width; returns (N,), at least 1.
    """
    points, seen = keypoints[..., :2], keypoints[..., 2] > VISIBLE
    middle, has = _middles(points, seen)
    # typical proportions of a standing adult, in torso lengths
    pairs = [(5, 7, 0.55), (6, 8, 0.55), (11, 13, 0.8), (12, 14, 0.8), (13, 15, 0.75)]
    pairs.append((14, 16, 0.75))
    size = np.full(len(points), np.nan)
    torso = np.linalg.norm(middle[:, 0] - middle[:, 1], axis=-1)
    size = np.where(has[:, 0] & has[:, 1], torso, size)
    limb = np.zeros(len(points))
    for a, b, ratio in pairs:
        length = np.linalg.norm(points[:, a] - points[:, b], axis=-1) / ratio
        limb = np.maximum(limb, np.where(seen[:, a] & seen[:, b], length, 0))
    size = np.where(np.isnan(size) & (limb > 0), limb, size)
    height = image_sizes[:, 0].astype(np.float64)
    size = np.where(np.isnan(size), 0.25 * height, size)
    # a torso seen from above or mislocated must not shrink everything
    return np.clip(np.maximum(size, 0.7 * limb), 0.08 * height, 0.6 * height).clip(min=1.0)


def _middles(points: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the seen joints of shoulders and hips: (N, 2, 2), and whether any is seen: (N, 2)."""
    pairs = np.array([[5, 6], [11, 12]])
    weight = seen[:, pairs].astype(np.float64)
    total = (points[:, pairs] * weight[..., None]).sum(2)
    count = weight.sum(2)
    return total / np.maximum(count, 1)[..., None], count > 0


def _capsules(
    points: np.ndarray, seen: np.ndarray, size: np.ndarray, body: Body
) -> list[tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """All capsules in painting order: class, starts (N, 2), ends (N, 2), radii (N,), drawn (N,)."""
    found: list = []

    def add(part: int, a: np.ndarray, b: np.ndarray, radius: float, drawn: np.ndarray) -> None:
        found.append((part, a, b, radius * size, drawn))

    down = np.array([0.0, 1.0]) * size[:, None]
    facing = _facing(points, seen)[:, None] * np.array([1.0, 0.0]) * size[:, None]
    for hip, knee, ankle in ((11, 13, 15), (12, 14, 16)):
        add(7, points[:, ankle] + body.heel * down, points[:, ankle] + body.heel * down
            + body.toe * facing, body.foot, seen[:, ankle])  # fmt: skip
        add(6, points[:, knee], points[:, ankle], body.lower_leg, seen[:, knee] & seen[:, ankle])
        add(5, points[:, hip], points[:, knee], body.upper_leg, seen[:, hip] & seen[:, knee])
    _torso(points, seen, body, add)
    _head(points, seen, down, body, add)
    for shoulder, elbow, wrist in ((5, 7, 9), (6, 8, 10)):
        hand = points[:, wrist] + body.hand * (points[:, wrist] - points[:, elbow])
        add(3, points[:, shoulder], points[:, elbow], body.upper_arm,
            seen[:, shoulder] & seen[:, elbow])  # fmt: skip
        add(4, points[:, elbow], hand, body.lower_arm, seen[:, elbow] & seen[:, wrist])
    return found


def _facing(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Where the nose points, -1 left .. 1 right, in units of the head's width; 0 if unknown."""
    ears = seen[:, 3:5].astype(np.float64)
    x = (points[:, 3:5, 0] * ears).sum(1) / np.maximum(ears.sum(1), 1)
    width = np.linalg.norm(points[:, 0] - points[:, 3:5].mean(1), axis=-1) + 1e-6
    known = seen[:, 0] & (ears.sum(1) > 0)
    return np.where(known, np.clip((points[:, 0, 0] - x) / width, -1, 1), 0.0)


def _torso(points: np.ndarray, seen: np.ndarray, body: Body, add) -> None:
    """Capsules from points along the shoulder line to the same points along the hip line."""
    ends = []
    for left, right in ((5, 6), (11, 12)):  # one hidden joint of a pair is replaced by the other
        a = np.where(seen[:, left, None], points[:, left], points[:, right])
        b = np.where(seen[:, right, None], points[:, right], points[:, left])
        ends.append((a, b, seen[:, left] | seen[:, right]))
    (sa, sb, shoulders), (ha, hb, hips) = ends
    for t in (0.0, 0.25, 0.5, 0.75, 1.0):
        # pulled in by the radius's worth of flesh that shoulders do not have
        add(2, sa + (sb - sa) * t, ha + (hb - ha) * t, body.torso, shoulders & hips)


def _head(points: np.ndarray, seen: np.ndarray, down: np.ndarray, body: Body, add) -> None:
    """One disc around the head's joints, or above the shoulders when none is seen."""
    weight = seen[:, :5].astype(np.float64)
    known = weight.sum(1) > 0
    centre = (points[:, :5] * weight[..., None]).sum(1) / np.maximum(weight.sum(1), 1)[:, None]
    middle, has = _middles(points, seen)
    centre = np.where(known[:, None], centre - body.crown * down, middle[:, 0] - body.neck * down)
    add(1, centre, centre, body.head, known | has[:, 0])


def paint_part_maps(
    keypoints: np.ndarray,
    image_sizes: np.ndarray,
    size: tuple[int, int] = (48, 16),
    body: Body = BODY,
) -> np.ndarray:
    """Part maps of N people at once: limb capsules, painted legs first and arms last.

    A limb is painted when both its joints have a confidence above 0.1. Cells outside the crop do
    not exist, so joints outside it do no harm.

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
    scale = person_size(keypoints, image_sizes)
    maps = np.zeros((len(keypoints), h, w), dtype=np.uint8)
    for part, a, b, radius, drawn in _capsules(keypoints[..., :2], seen, scale, body):
        rows = np.flatnonzero(drawn)
        if len(rows):
            inside = _inside(x[rows], y[rows], a[rows], b[rows], radius[rows])
            maps[rows] = np.where(inside, np.uint8(part), maps[rows])
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


BODY_FIELDS = tuple(field.name for field in fields(Body))
