"""How good labels are, where the truth is known: joints and part maps, and what plugins add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reidkit.plugin.extend import extensions
from reidkit.pose.body import VISIBLE
from reidkit.pose.part_maps import PARTS, paint_part_maps, resize_part_labels
from reidkit.pose.store import LabelStore
from reidkit.pose.truth import joints_in_picture


@dataclass(frozen=True)
class Column:
    """One number of a score, a column of the printed table.

    Attributes:
        name: head of the column, at most 8 characters.
        value: fraction of 1, larger is better.
        meaning: what it is, a few words.
        wanted: least value of labels that are good enough; None where none is stated.
    """

    name: str
    value: float
    meaning: str
    wanted: float | None = None


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
        iou: mean intersection over union of the eight part classes, painted at the truth's size.
        by_part: the same by class, (8,).
        coarse: the same of the store's own maps against the truth reduced to their size.
    """

    count: int
    pck: float
    joints: np.ndarray
    sides: float
    iou: float
    by_part: np.ndarray
    coarse: float

    def columns(self) -> list[Column]:
        """Its numbers as the printed table shows them."""
        return [
            Column("PCK@0.2", self.pck, "visible joints within 0.2 torso lengths", 0.90),
            Column("mIoU", self.iou, "part maps painted at the truth's 96x32", 0.60),
            Column("joints", self.sides, "confidence above 0.1 agrees with in the picture"),
            Column("stored", self.coarse, "mIoU of the stored, coarser part maps"),
        ]


def score_labels(
    keypoints: np.ndarray,
    sizes: np.ndarray,
    part_maps: np.ndarray,
    truth_joints: np.ndarray,
    truth_maps: np.ndarray,
) -> LabelScore:
    """Compare labels with the truth of the same crops.

    Args:
        keypoints, sizes, part_maps: of a label store.
        truth_joints: (N, 17, 3) with COCO flags.
        truth_maps: (N, H, W) classes.
    """
    right = pck(keypoints, truth_joints)
    pictured = joints_in_picture(truth_joints, sizes, truth_maps)
    painted = paint_part_maps(keypoints, sizes, truth_maps.shape[1:])
    ious = intersection_over_union(confusion(painted, truth_maps))
    reduced = np.stack([resize_part_labels(labels, part_maps.shape[1:]) for labels in truth_maps])
    coarse = intersection_over_union(confusion(np.asarray(part_maps), reduced))
    return LabelScore(
        count=len(keypoints),
        pck=float(np.nanmean(right)),
        joints=np.nanmean(right, axis=0),
        sides=float(((keypoints[..., 2] > VISIBLE) == pictured).mean()),
        iou=float(np.nanmean(ious)),
        by_part=ious,
        coarse=float(np.nanmean(coarse)),
    )


def score_store(store: LabelStore, truth: dict[str, np.ndarray]) -> LabelScore:
    """The same for an open store and rows of SynthPed's truth in the same order.

    Raises:
        ValueError: the store has no part maps.
    """
    if store.part_maps is None:
        raise ValueError(f"{store.folder}: scoring needs part maps")
    arrays = (np.asarray(store.keypoints), np.asarray(store.image_sizes), store.part_maps)
    return score_labels(*arrays, truth["joints"], truth["part_maps"])


def plugin_columns(store: LabelStore, truth: dict[str, np.ndarray]) -> list[Column]:
    """Columns of every installed plugin that extends ``label_scores``.

    Such a function takes the store and the rows of truth and returns its columns.
    """
    scorers = extensions("label_scores").values()
    return [column for scorer in scorers for column in scorer.load()(store, truth)]


def score_table(rows: Sequence[tuple[str, LabelScore, Sequence[Column]]]) -> str:
    """The table that ``tools/generate_part_labels.py --score`` prints, in percent.

    Args:
        rows: name, score and further columns of each set of labels; all rows have the same columns.
    """
    table = [(name, score, [*score.columns(), *others]) for name, score, others in rows]
    columns = table[0][2]
    lines = [f"{'labels of':34} {'crops':>6}" + "".join(f" {c.name:>8}" for c in columns)]
    for name, score, numbers in table:
        lines.append(f"{name:34} {score.count:6d}" + "".join(f" {c.value:8.1%}" for c in numbers))
    wanted = "".join(f" {'' if c.wanted is None else format(c.wanted, '.1%'):>8}" for c in columns)
    lines.append(f"{'wanted, at least':34} {'':6}{wanted}".rstrip())
    for name, score, _ in rows:
        parts = ", ".join(f"{p} {v:.0%}" for p, v in zip(PARTS, score.by_part, strict=True))
        lines.append(f"IoU by part, {name}: {parts}")
    lines += [f"{column.name}: {column.meaning}" for column in columns]
    return "\n".join(lines)
