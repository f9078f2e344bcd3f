"""Training the shipped small model through mmpose's Runner, on domain P's own truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.data.split import Split
from reidkit.pose.coco_json import coco_dict, export_coco
from reidkit.pose.compat import load_mmpose, quiet
from reidkit.pose.crops import crop_batches, crop_sizes
from reidkit.pose.decode import heatmap_maximum
from reidkit.pose.small_config import INPUT, codec, small_config, test_pipeline
from reidkit.pose.warp import Geometry, warp_crops
from reidkit.utils.io import atomic_write

# Box errors, mirrored people and other cameras than P's: what domains A and B will show.
train_pipeline = [
    dict(type="LoadImage"),
    dict(type="GetBBoxCenterScale", padding=1.0),
    dict(type="RandomFlip", direction="horizontal"),
    dict(
        type="RandomBBoxTransform",
        shift_factor=0.12,
        shift_prob=0.5,
        scale_factor=(0.8, 1.25),
        scale_prob=0.7,
        rotate_factor=8.0,
        rotate_prob=0.3,
    ),
    dict(type="TopdownAffine", input_size=INPUT),
    dict(
        type="PhotometricDistortion",
        brightness_delta=40,
        contrast_range=(0.6, 1.4),
        saturation_range=(0.5, 1.5),
        hue_delta=14,
    ),
    dict(type="GenerateTarget", encoder=codec),
    dict(type="CountHiddenJoints"),
    dict(type="PackPoseInputs"),
]


@cache
def register_transforms() -> None:
    """Put ``CountHiddenJoints`` into mmpose's registry."""
    load_mmpose()
    from mmcv.transforms import BaseTransform
    from mmpose.registry import TRANSFORMS

    @TRANSFORMS.register_module()
    class CountHiddenJoints(BaseTransform):
        """Every joint weighs 1 in the loss: one that is hidden or outside must give no heat.

        mmpose gives those weight 0, whatever the loss's ``use_target_weight`` says, and then heat
        means "would be here", not "is seen here".
        """

        def transform(self, results: dict) -> dict:
            results["keypoint_weights"] = np.ones_like(results["keypoint_weights"])
            return results


def _joints(split: Split) -> np.ndarray:
    if split.keypoints is None:
        raise ValueError(f"{split.label_key} brings no keypoints to train on")
    return split.keypoints


def export_split(split: Split, path: Path) -> None:
    """Write a split's true joints as the COCO file that mmpose trains on.

    Hidden joints (flag 1) are written as absent, so that the model learns to give no heat where a
    joint cannot be seen, and its confidence means visibility; see ``register_transforms``.
    """
    joints = _joints(split)
    content = coco_dict(split.paths, crop_sizes(split), joints, flags=True, hidden=False)
    export_coco(path, content)


@dataclass(frozen=True)
class Recipe:
    """How long and how the small model is trained.

    Args:
        epochs, batch_size, seed: as usual.
        workers: processes that prepare crops; 0 for none.
        rate: highest learning rate of AdamW, reached after a twentieth of the run.
    """

    epochs: int = 40
    batch_size: int = 32
    workers: int = 1
    seed: int = 0
    rate: float = 2e-3


def _loader(annotations: Path, root: Path, recipe: Recipe, training: bool) -> dict:
    data = dict(
        type="CocoDataset",
        data_root=str(root),
        data_mode="topdown",
        ann_file=str(annotations),
        data_prefix=dict(img=""),
        test_mode=not training,
        pipeline=train_pipeline if training else test_pipeline,
    )
    return dict(
        batch_size=recipe.batch_size,
        num_workers=recipe.workers,
        persistent_workers=recipe.workers > 0,
        drop_last=training,
        sampler=dict(type="DefaultSampler", shuffle=training),
        dataset=data,
    )


def _schedule(recipe: Recipe) -> list[dict]:
    epochs, warm = recipe.epochs, max(1, recipe.epochs // 20)
    down = dict(begin=warm, end=epochs, T_max=epochs - warm, eta_min=recipe.rate * 0.01)
    return [
        dict(type="LinearLR", start_factor=0.05, begin=0, end=warm, convert_to_iter_based=True),
        dict(type="CosineAnnealingLR", **down, convert_to_iter_based=True),
    ]


def runner_config(train: Path, val: Path, root: Path, work_dir: Path, recipe: Recipe) -> Any:
    """The whole mmengine config of the training run.

    Args:
        train, val: COCO files.
        root: folder that their file names are relative to.
        work_dir: receives the log and the last checkpoint.
        recipe: see ``Recipe``.
    """
    from mmengine.config import Config

    epochs = recipe.epochs
    return Config(
        dict(
            default_scope="mmpose",
            work_dir=str(work_dir),
            model=small_config()["model"],
            train_dataloader=_loader(train, root, recipe, True),
            val_dataloader=_loader(val, root, recipe, False),
            val_evaluator=dict(type="PCKAccuracy", thr=0.05, norm_item="bbox"),
            train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=max(1, epochs // 5)),
            val_cfg=dict(),
            optim_wrapper=dict(optimizer=dict(type="AdamW", lr=recipe.rate, weight_decay=0.01)),
            param_scheduler=_schedule(recipe) if epochs > 1 else [],
            custom_hooks=[
                dict(type="EMAHook", ema_type="ExpMomentumEMA", momentum=0.002, priority=49)
            ],
            default_hooks=dict(
                logger=dict(type="LoggerHook", interval=50),
                checkpoint=dict(type="CheckpointHook", interval=epochs, max_keep_ckpts=1),
            ),
            log_level="INFO",
            randomness=dict(seed=recipe.seed),
        )
    )


def train_pose(
    train: Split,
    val: Split,
    work_dir: Path,
    recipe: Recipe = Recipe(),
    weights: Path | None = None,
) -> Any:
    """Train the small model on crops with true joints.

    Args:
        train: split with ``keypoints`` (COCO flags), under one root with ``val``.
        val: people kept out of training, for the printed accuracy.
        work_dir: receives COCO files, log and checkpoint.
        recipe: see ``Recipe``.
        weights: go on from these instead of from scratch.

    Returns:
        The trained mmpose estimator (averaged weights), on the CPU, in eval mode.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    files = {name: (work_dir / f"{name}.json").resolve() for name in ("train", "val")}
    export_split(train, files["train"])
    export_split(val, files["val"])
    register_transforms()
    from mmengine.runner import Runner

    config = runner_config(files["train"], files["val"], train.root.resolve(), work_dir, recipe)
    with quiet():
        runner = Runner.from_cfg(config)
        if weights is not None:
            from reidkit.pose.checkpoint import load_weights

            load_weights(runner.model, weights)
            runner.model._is_init = True  # or the Runner draws new weights before it starts
        runner.model.to(memory_format=torch.channels_last)
        model = runner.train()
    for hook in runner.hooks:
        if type(hook).__name__ == "EMAHook":
            model.load_state_dict(hook.ema_model.module.state_dict())
    return model.cpu().eval()


def join_splits(splits: Sequence[Split]) -> Split:
    """Several splits of one data set with keypoints as one, in the given order."""
    first = splits[0]
    return Split(
        dataset=first.dataset,
        name="+".join(split.name for split in splits),
        root=first.root,
        paths=tuple(path for split in splits for path in split.paths),
        identities=np.concatenate([split.identities for split in splits]),
        cameras=np.concatenate([split.cameras for split in splits]),
        keypoints=np.concatenate([_joints(split) for split in splits]),
    )


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
    return calibrate(np.concatenate(heats), _joints(split)[..., 2] == 2)


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
