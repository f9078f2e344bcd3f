"""Small valid data for several doors: a folder of crops, with keypoints of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from reidkit.structures import Embedding

JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
PEOPLE = ("0001", "0002", "0003", "0004")
NAMES = ("c1_0.jpg", "c2_0.jpg")  # the same in every folder


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """Smooth colours, (height, width, 3) uint8 RGB."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 3, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def vectors_of(embedding: Embedding) -> Tensor:
    """(N, P, D): the vectors that every embedding of these doors has."""
    assert embedding.vectors is not None
    return embedding.vectors


def write_crops(root: Path, splits: tuple[str, ...] = ("train", "query", "gallery")) -> None:
    """An ``ImageFolder`` of four people under two cameras."""
    for split in splits:
        for number, person in enumerate(PEOPLE):
            for camera, name in enumerate(NAMES):
                path = root / split / person / name
                path.parent.mkdir(parents=True, exist_ok=True)
                height, width = size_of(number)
                image = picture(10 * number + camera, height, width)
                cv2.imwrite(str(path), image[..., ::-1])


def size_of(person: int) -> tuple[int, int]:
    """Height and width of a person's crops."""
    return 64 + 2 * person, 32 + person


def keypoints(person: int, camera: int) -> np.ndarray:
    """(17, 3): x, y inside the crop, confidence; another one for every crop."""
    height, width = size_of(person)
    draw = np.random.default_rng(100 * person + camera + 1)
    points = draw.uniform(0.1, 0.9, (17, 3))
    return points * (width, height, 1)


def truth(split: str = "train") -> dict[str, np.ndarray]:
    """Path -> keypoints of all crops of a split."""
    return {
        f"{split}/{person}/{name}": keypoints(p, c)
        for p, person in enumerate(PEOPLE)
        for c, name in enumerate(NAMES)
    }


def coco(split: str = "train") -> dict[str, Any]:
    """The keypoints as COCO JSON; whole pixels are centres there, hence the half."""
    images, annotations = [], []
    for number, (path, points) in enumerate(truth(split).items(), 1):
        height, width = size_of(PEOPLE.index(path.split("/")[1]))
        images.append(dict(id=number, file_name=path, height=height, width=width))
        flat = [v for x, y, _ in points for v in (float(x) - 0.5, float(y) - 0.5, 2)]
        annotations.append(
            dict(id=number, image_id=number, category_id=1, iscrowd=0, bbox=[0, 0, width, height],
                 area=float(width * height), num_keypoints=17, keypoints=flat,
                 keypoint_scores=points[:, 2].tolist())
        )  # fmt: skip
    categories = [dict(id=1, name="person", keypoints=list(JOINTS))]
    return dict(images=images, annotations=annotations, categories=categories)
