"""Fitting the widths of painted bodies to true part maps; how ``body.BODY`` was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from reidkit.pose.body import BODY, BODY_FIELDS, Body
from reidkit.pose.part_maps import paint_part_maps
from reidkit.pose.score import confusion, intersection_over_union


def mean_iou(
    keypoints: np.ndarray, sizes: np.ndarray, truth: np.ndarray, body: Body = BODY
) -> float:
    """Mean intersection over union of the eight classes, painted against true.

    Shape:
        keypoints (N, 17, 3); sizes (N, 2); truth (N, h, w).
    """
    painted = paint_part_maps(keypoints, sizes, truth.shape[1:], body)
    return float(np.nanmean(intersection_over_union(confusion(painted, truth))))


def fit_body(
    keypoints: np.ndarray,
    sizes: np.ndarray,
    truth: np.ndarray,
    start: Body = BODY,
    steps: tuple[float, ...] = (0.3, 0.15, 0.07, 0.03),
    say: Callable[[str], None] = print,
) -> tuple[Body, float]:
    """Change one width at a time while the mean IoU rises, in ever smaller steps.

    Args:
        keypoints: joints with confidence, hidden ones at 0.
        sizes: height and width of the crops.
        truth: part maps at the size to paint.
        start: where to begin.
        steps: relative changes tried.
        say: told of every round.

    Returns:
        The body and its mean IoU.
    """
    best, score = start, mean_iou(keypoints, sizes, truth, start)
    for step in steps:
        improved = True
        while improved:
            improved = False
            for name in BODY_FIELDS:
                for factor in (1 + step, 1 / (1 + step)):
                    trial = replace(best, **{name: round(getattr(best, name) * factor, 4)})
                    found = mean_iou(keypoints, sizes, truth, trial)
                    if found > score + 1e-5:
                        best, score, improved = trial, found, True
            say(f"step {step:.0%}: mean IoU {score:.4f}")
    return best, score
