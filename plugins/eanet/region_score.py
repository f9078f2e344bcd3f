"""How well a label store's keypoints tell which regions are visible, where the truth is known."""

from __future__ import annotations

import numpy as np
import torch

from reidkit.pose.score import Column
from reidkit.pose.store import LabelStore
from reidkit.pose.truth import joints_in_picture

from .regions import region_masks


def visible_regions(keypoints: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Which of the nine regions PAP sees in these keypoints.

    Args:
        keypoints: x, y in crop pixels, confidence; a joint counts above 0.1.
        sizes: height and width of the crops.

    Shape:
        keypoints (N, 17, 3), sizes (N, 2); returns (N, 9) bool.
    """
    joints = torch.as_tensor(np.asarray(keypoints, dtype=np.float64))
    return region_masks(joints, torch.as_tensor(np.array(sizes)))[1].bool().numpy()


def score(store: LabelStore, truth: dict[str, np.ndarray]) -> list[Column]:
    """Agreement of region visibility with that of the true joints, over all regions.

    A joint behind the person's own body leaves its region in the picture, so it counts as seen;
    ``strict`` is the agreement if it did not.

    Args:
        store: labels of the crops.
        truth: of the same crops, in order: ``joints`` (N, 17, 3) with COCO flags, ``part_maps``
            (N, H, W) classes.
    """
    sizes = np.asarray(store.image_sizes)
    predicted = visible_regions(np.asarray(store.keypoints), sizes)
    seen = joints_in_picture(truth["joints"], sizes, truth["part_maps"])
    unhidden = truth["joints"][..., 2] == 2

    def agreement(flags: np.ndarray) -> float:
        joints = np.concatenate([truth["joints"][..., :2], flags[..., None]], axis=-1)
        return float((predicted == visible_regions(joints, sizes)).mean())

    return [
        Column("regions", agreement(seen), "agreement of region visibility", 0.92),
        Column("strict", agreement(unhidden), "regions, if joints behind the own body are unseen"),
    ]
