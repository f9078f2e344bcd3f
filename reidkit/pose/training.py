"""Training the shipped small model through mmpose's Runner, on domain P's own truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.data.split import Split
from reidkit.pose.coco_json import coco_dict, export_coco
from reidkit.pose.compat import load_mmpose, quiet
from reidkit.pose.crops import crop_sizes
from reidkit.pose.small_config import INPUT, codec, small_config, test_pipeline
from reidkit.pose.truth import joints_in_picture
from reidkit.utils.trouble import make_folder

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


def true_joints(split: Split) -> np.ndarray:
    """The keypoints a split brings: (M, 17, 3) with COCO flags.

    Raises:
        ValueError: it brings none.
    """
    if split.keypoints is None:
        raise ValueError(f"{split.label_key} brings no keypoints to train on")
    return split.keypoints


def synthped_people(readers: Sequence[Any], names: Sequence[str]) -> Split:
    """Crops of SynthPed readers with true joints, those that are not in the picture at flag 0.

    Args:
        readers: prepared, of one data root.
        names: splits to take from each.
    """
    parts = []
    for reader in readers:
        for name in names:
            split, truth = reader.splits()[name], reader.truth(name)
            joints = truth["joints"].astype(np.float64)
            seen = joints_in_picture(joints, crop_sizes(split), truth["part_maps"])
            joints[..., 2] = np.where(seen, 2, 0)
            folder = split.root.relative_to(reader.data_root).as_posix()
            paths = tuple(f"{folder}/{path}" for path in split.paths)
            parts.append(replace(split, root=reader.data_root, paths=paths, keypoints=joints))
    return join_splits(parts)


def export_split(split: Split, path: Path) -> None:
    """Write a split's true joints as the COCO file that mmpose trains on.

    Hidden joints (flag 1) are written as absent, so that the model learns to give no heat where a
    joint cannot be seen, and its confidence means visibility; see ``register_transforms``.
    """
    joints = true_joints(split)
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
    make_folder(work_dir)
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
        keypoints=np.concatenate([true_joints(split) for split in splits]),
    )
