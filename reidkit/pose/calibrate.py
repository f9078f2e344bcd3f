"""From heat to confidence, and the file that keeps both weights and calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.data.split import Split
from reidkit.pose.crops import crop_batches
from reidkit.pose.heatmaps import heatmap_maximum
from reidkit.pose.small_config import test_pipeline
from reidkit.pose.training import true_joints
from reidkit.pose.warp import Geometry, warp_crops
from reidkit.utils.io import atomic_write


def calibrate_model(model: Any, split: Split) -> tuple[float, float]:
    """``calibrate`` with the raw heat of a trained estimator on crops with known joints.

    Args:
        model: the mmpose estimator, on the CPU.
        split: crops with ``keypoints``, not used in training.
    """
    geometry = Geometry.of_pipeline(test_pipeline)
    heats = []
    rows = np.array_split(np.arange(len(split)), max(1, len(split) // 64))
    with torch.inference_mode():
        for _, images, sizes in crop_batches(split, rows, workers=0):
            mean, std = model.data_preprocessor.mean, model.data_preprocessor.std
            inputs = (warp_crops(images, sizes, geometry) - mean) / std
            heatmaps = model.head.forward(model.extract_feat(inputs))
            heats.append(heatmap_maximum(heatmaps)[1].clamp(min=0).numpy())
    return calibrate(np.concatenate(heats), true_joints(split)[..., 2] == 2)


def save_weights(model: torch.nn.Module, path: Path, gamma: float, about: dict[str, str]) -> None:
    """Write the package's weights: convolutions in half precision, the rest in float32.

    Args:
        model: the trained estimator.
        path: a ``.safetensors`` file.
        gamma: exponent that calibrates its confidence; see ``models.stored_gamma``.
        about: how it came about, kept in the file.
    """
    from safetensors.torch import save

    weights = {
        name: (value.half() if value.ndim == 4 else value).contiguous().clone()
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    with atomic_write(path) as file:
        file.write(save(weights, {"gamma": f"{gamma:.4f}", **about}))


def calibrate(
    scores: np.ndarray, visible: np.ndarray, threshold: float = 0.1
) -> tuple[float, float]:
    """The exponent that puts the best dividing score at the threshold.

    Args:
        scores: raw heat of joints, any shape, above 0 to about 1.
        visible: whether each can be seen.
        threshold: where visible and hidden shall part after ``score ** gamma``.

    Returns:
        gamma, and the fraction of joints that it puts on the right side.

    Example:
        >>> gamma, right = calibrate(np.array([.1, .2, .4, .8]), np.array([0, 0, 1, 1]))
        >>> float(np.float32(.3) ** gamma > .1), right
        (1.0, 1.0)
    """
    scores, visible = np.ravel(scores), np.ravel(visible).astype(bool)
    cuts = np.linspace(0.02, 0.9, 353)
    right = np.array([((scores > cut) == visible).mean() for cut in cuts])
    best = cuts[np.flatnonzero(right >= right.max() - 1e-9)].mean()  # the middle of the plateau
    return float(np.log(threshold) / np.log(best)), float(right.max())
