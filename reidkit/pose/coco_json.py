"""Keypoints of crops as COCO JSON for other tools; ``reidkit.pose.formats`` reads it.

Here a crop's upper left corner is (0, 0), and pixel i reaches from i to i + 1. COCO's keypoints and
mmpose count pixels, so that whole numbers are their centres: half a pixel less.

People annotated in COCO's own photographs are read by ``reidkit.data``'s ``CocoPersons``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.joints import HALF_PIXEL, JOINTS
from reidkit.utils.io import atomic_write

# pairs of 1-based joint numbers, as COCO lists them
SKELETON = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9),
    (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip


def coco_dict(
    paths: Sequence[str],
    image_sizes: np.ndarray,
    keypoints: np.ndarray,
    threshold: float = 0.1,
    flags: bool = False,
    hidden: bool = True,
) -> dict[str, Any]:
    """Annotations with one person per crop, whose box is the whole crop.

    Args:
        paths: file names, as they should stand in the JSON.
        image_sizes: (M, 2) height and width in pixels.
        keypoints: (M, 17, 3) x, y in crop pixels, confidence (kept as "keypoint_scores"), or flag.
        threshold: joints with a confidence above get flag 2, others 0.
        flags: the third number is COCO's flag already: 0 not there, 1 hidden, 2 visible.
        hidden: with flags, False writes hidden joints (1) as 0.

    Returns:
        A dict for ``json.dump``; joints that are not there are 0, 0, 0 as COCO wants.
    """
    values = np.asarray(keypoints, dtype=np.float64)
    flag = values[..., 2] if flags else np.where(values[..., 2] > threshold, 2, 0)
    if not hidden:
        flag = np.where(flag == 2, 2, 0)
    joints = np.concatenate([values[..., :2] - HALF_PIXEL, flag[..., None]], axis=-1)
    joints = np.where(flag[..., None] > 0, np.round(joints, 3), 0)
    images, annotations = [], []
    for row, (path, (height, width)) in enumerate(zip(paths, image_sizes.tolist(), strict=True)):
        number = row + 1
        images.append(dict(id=number, file_name=path, height=height, width=width))
        annotation = dict(
            id=number, image_id=number, category_id=1, iscrowd=0, bbox=[0, 0, width, height],
            area=float(width * height), num_keypoints=int((flag[row] > 0).sum()),
            keypoints=[v for joint in joints[row].tolist() for v in (*joint[:2], int(joint[2]))],
        )  # fmt: skip
        if not flags:
            annotation["keypoint_scores"] = [round(c, 5) for c in values[row, :, 2].tolist()]
            annotation["score"] = float(values[row, :, 2].mean())
        annotations.append(annotation)
    person = dict(id=1, name="person", supercategory="person", keypoints=list(JOINTS))
    person["skeleton"] = [list(pair) for pair in SKELETON]
    return dict(info={}, licenses=[], images=images, annotations=annotations, categories=[person])


def export_coco(path: Path | str, content: dict[str, Any]) -> None:
    """Write annotations from ``coco_dict`` as one file, complete or not at all."""
    with atomic_write(path, "w") as file:
        json.dump(content, file)
