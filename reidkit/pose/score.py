"""How good labels are, where the truth is known: joints, region visibility, part maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from reidkit.pose.body import VISIBLE
from reidkit.pose.part_maps import PARTS, paint_part_maps, resize_part_labels
from reidkit.pose.store import LabelStore
from reidkit.pose.truth import joints_in_picture
from reidkit.structures import ReIDBatch

TARGETS = {"pck": 0.90, "regions": 0.92, "iou": 0.60}


def torso_size(joints: np.ndarray) -> np.ndarray:
    """Distance from the middle of the shoulders to the middle of the hips, in pixels.

    Shape:
        joints (N, 17, 2 or 3), true places also of hidden joints; returns (N,), at least 1.
    """
    shoulders, hips = joints[:, 5:7, :2].mean(1), joints[:, 11:13, :2].mean(1)
    return np.maximum(np.linalg.norm(shoulders - hips, axis=-1), 1.0)


def pck(predicted: np.ndarray, truth: np.ndarray, fraction: float = 0.2) -> np.ndarray:
    """Whether each visible joint lies within a fraction of the torso of its true place.

    Args:
        predicted: (N, 17, 3) x, y, anything.
        truth: (N, 17, 3) x, y, COCO flag; only joints of flag 2 count.
        fraction: of the torso size.

    Shape:
        returns (N, 17) float, NaN where the joint does not count.

    Example:
        >>> truth = np.zeros((1, 17, 3)); truth[0, 5:7, 2] = 2; truth[0, 11:13, 1] = 50
        >>> found = truth.copy(); found[0, 5, 0], found[0, 6, 0] = 9, 11
        >>> float(np.nanmean(pck(found, truth)))
        0.5
    """
    distance = np.linalg.norm(predicted[..., :2] - truth[..., :2], axis=-1)
    right = (distance <= fraction * torso_size(truth)[:, None]).astype(np.float64)
    return np.where(truth[..., 2] == 2, right, np.nan)


def region_visibility(keypoints: np.ndarray, sizes: np.ndarray, masks: Any) -> np.ndarray:
    """Which regions a method sees in these keypoints.

    Args:
        keypoints: (N, 17, 3) x, y, confidence.
        sizes: (N, 2) height and width of the crops.
        masks: a transform that fills ``visibility`` (``eanet/RegionMasks``).

    Shape:
        returns (N, R) bool.
    """
    batch = ReIDBatch(
        images=torch.zeros(len(keypoints), 3, 1, 1, dtype=torch.uint8),
        keypoints=torch.as_tensor(np.asarray(keypoints, dtype=np.float64)),
        image_sizes=torch.as_tensor(np.array(sizes)),
    )
    return masks(batch).visibility.bool().numpy()


def confusion(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Counts of cells by true class (rows) and predicted class (columns): (8, 8)."""
    pair = truth.astype(np.int64).ravel() * 8 + predicted.astype(np.int64).ravel()
    return np.bincount(pair, minlength=64).reshape(8, 8)


def intersection_over_union(counts: np.ndarray) -> np.ndarray:
    """Of each class, from ``confusion``: (8,), NaN for a class that occurs nowhere."""
    both = np.diag(counts).astype(np.float64)
    either = counts.sum(0) + counts.sum(1) - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


@dataclass(frozen=True)
class LabelScore:
    """Quality of one set of labels, all fractions of 1, larger is better.

    Attributes:
        count: crops.
        pck: PCK at 0.2 of the torso, over joints of flag 2.
        joints: the same by joint, (17,).
        sides: agreement of confidence above 0.1 with ``joints_in_picture``, over all joints.
        regions: agreement of region visibility with that of the true joints in the picture.
        strict: the same if joints behind the person's own body did not count.
        by_region: the same by region, (R,).
        iou: mean intersection over union of the eight part classes, painted at the truth's size.
        by_part: the same by class, (8,).
        coarse: the same of the store's own maps against the truth reduced to their size.
    """

    count: int
    pck: float
    joints: np.ndarray
    sides: float
    regions: float
    strict: float
    by_region: np.ndarray
    iou: float
    by_part: np.ndarray
    coarse: float


def score_labels(
    keypoints: np.ndarray,
    sizes: np.ndarray,
    part_maps: np.ndarray,
    truth_joints: np.ndarray,
    truth_maps: np.ndarray,
    masks: Any,
) -> LabelScore:
    """Compare labels with the truth of the same crops.

    Args:
        keypoints, sizes, part_maps: of a label store.
        truth_joints: (N, 17, 3) with COCO flags.
        truth_maps: (N, H, W) classes.
        masks: as in ``region_visibility``.
    """
    right = pck(keypoints, truth_joints)
    found = region_visibility(keypoints, sizes, masks)
    true, strict = truth_joints.astype(np.float64), truth_joints.astype(np.float64)
    true[..., 2] = joints_in_picture(truth_joints, sizes, truth_maps)
    strict[..., 2] = truth_joints[..., 2] == 2
    agree = found == region_visibility(true, sizes, masks)
    painted = paint_part_maps(keypoints, sizes, truth_maps.shape[1:])
    ious = intersection_over_union(confusion(painted, truth_maps))
    reduced = np.stack([resize_part_labels(labels, part_maps.shape[1:]) for labels in truth_maps])
    coarse = intersection_over_union(confusion(np.asarray(part_maps), reduced))
    return LabelScore(
        count=len(keypoints),
        pck=float(np.nanmean(right)),
        joints=np.nanmean(right, axis=0),
        sides=float(((keypoints[..., 2] > VISIBLE) == true[..., 2].astype(bool)).mean()),
        regions=float(agree.mean()),
        strict=float((found == region_visibility(strict, sizes, masks)).mean()),
        by_region=agree.mean(0),
        iou=float(np.nanmean(ious)),
        by_part=ious,
        coarse=float(np.nanmean(coarse)),
    )


def score_store(store: LabelStore, truth: dict[str, np.ndarray], masks: Any) -> LabelScore:
    """The same for an open store and rows of SynthPed's truth in the same order.

    Raises:
        ValueError: the store has no part maps.
    """
    if store.part_maps is None:
        raise ValueError(f"{store.folder}: scoring needs part maps")
    arrays = (np.asarray(store.keypoints), np.asarray(store.image_sizes), store.part_maps)
    return score_labels(*arrays, truth["joints"], truth["part_maps"], masks)


def score_table(scores: Sequence[tuple[str, LabelScore]]) -> str:
    """The table that ``tools/generate_part_labels.py --score`` prints, in percent."""
    head = f"{'labels of':34} {'crops':>6} {'PCK@0.2':>8} {'regions':>8} {'mIoU':>7}"
    lines = [f"{head} {'joints':>7} {'stored':>7} {'strict':>7}"]
    for name, s in scores:
        numbers = f"{s.pck:8.1%} {s.regions:8.1%} {s.iou:7.1%} {s.sides:7.1%} {s.coarse:7.1%}"
        lines.append(f"{name:34} {s.count:6d} {numbers} {s.strict:7.1%}")
    wanted = f"{TARGETS['pck']:8.1%} {TARGETS['regions']:8.1%} {TARGETS['iou']:7.1%}"
    lines.append(f"{'wanted, at least':34} {'':6} {wanted}")
    for name, s in scores:
        parts = ", ".join(f"{p} {v:.0%}" for p, v in zip(PARTS, s.by_part, strict=True))
        lines.append(f"IoU by part, {name}: {parts}")
    lines.append(
        "PCK: visible joints within 0.2 torso lengths; regions: agreement of region visibility "
        "(strict:\nif joints behind the person's own body did not count); mIoU: part maps painted "
        "at the truth's\n96x32 (stored: the stored, coarser ones); joints: confidence above 0.1 "
        "agrees with in the picture"
    )
    return "\n".join(lines)
