"""Crops to COCO keypoints by a top-down mmpose model, in batches on one device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.pose.compat import load_mmpose, quiet
from reidkit.pose.heatmaps import Decoder, decoder_for
from reidkit.pose.models import (
    POSE_FOLDER,
    SHIPPED,
    build_model,
    config_digest,
    load_config,
    resolve,
    stored_gamma,
)
from reidkit.pose.pairs import part_pairs
from reidkit.pose.warp import Geometry, pad_crops, to_crop_pixels, warp_crops
from reidkit.pose.zoo import PHOTOGRAPHS
from reidkit.registry import LABELLERS
from reidkit.utils.io import sha256_file
from reidkit.utils.processor import check_bf16

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The number format of the forward pass.

    Args:
        precision: "fp32", "bf16", "fp16", or "auto": fp16 on a GPU, else fp32. On a CPU bf16 gains
            little, and a crop's labels would depend on its batch and on the processor.
        device: where the model runs.

    Raises:
        ValueError: another precision.
        UserError: fp16 on a CPU, or bf16 on a CPU that has no units for it.

    Example:
        >>> pick_dtype("fp32", torch.device("cpu"))
        torch.float32
    """
    if precision not in ("auto", *_DTYPES):
        raise ValueError(f"precision must be auto, fp32, bf16 or fp16, got {precision!r}")
    if device.type == "cpu" and precision == "fp16":
        raise UserError("precision fp16 needs a CUDA device; use auto or fp32")
    if device.type == "cpu" and precision == "bf16":
        check_bf16("precision bf16")
    if precision != "auto":
        return _DTYPES[precision]
    return torch.float16 if device.type == "cuda" else torch.float32


class _Network(nn.Module):
    """Backbone, neck and head of an mmpose estimator, with batch norm folded into convolutions."""

    mean: Tensor
    std: Tensor

    def __init__(self, estimator: Any, fuse: bool = True):
        super().__init__()
        if fuse:
            from mmcv.cnn import fuse_conv_bn

            estimator = fuse_conv_bn(estimator)
        self.estimator = estimator
        preprocessor = estimator.data_preprocessor
        # mmpose loads BGR; a model that converts therefore sees RGB, like our crops
        self.swap = not preprocessor._channel_conversion
        self.register_buffer("mean", preprocessor.mean.clone())
        self.register_buffer("std", preprocessor.std.clone())

    def forward(self, images: Tensor) -> Any:
        images = images.flip(1) if self.swap else images
        images = (images - self.mean) / self.std
        images = images.contiguous(memory_format=torch.channels_last)
        return self.estimator.head.forward(self.estimator.extract_feat(images))

    def flipped(self, images: Tensor) -> Any:
        """The output for mirrored images, mirrored back as the head's own flip test does it."""
        from mmpose.models.utils.tta import flip_heatmaps, flip_vectors

        pairs = list(self.estimator.dataset_meta["flip_indices"])
        output = self(images.flip(-1))
        if isinstance(output, tuple):
            return flip_vectors(*output, flip_indices=pairs)
        test = self.estimator.test_cfg or {}
        return flip_heatmaps(
            output,
            flip_mode=test.get("flip_mode", "heatmap"),
            flip_indices=pairs,
            shift_heatmap=test.get("shift_heatmap", False),
        )


def _mean(a: Any, b: Any) -> Any:
    if isinstance(a, tuple):
        return tuple((x + y) * 0.5 for x, y in zip(a, b, strict=True))
    return (a + b) * 0.5


_NOT_FOR_PHOTOGRAPHS = (
    "pose model 'synthped' is made for SynthPed's renderings; in photographs it finds 40 to 62 % "
    "of the joints (PCK@0.2 on CUHK01, CUHK03, COL780), and pooling by parts with it comes out "
    f"below plain stripes. Take an official model, pose={PHOTOGRAPHS}, or import keypoints "
    "(generate_part_labels.py DATASET --import FILE); data.labeller.on_photographs=True, or "
    "--on-photographs, labels them all the same"
)


@LABELLERS.register_module()
class TopdownLabeller:
    """Joints of person crops by any top-down COCO model of mmpose.

    Nothing is built, and mmpose is not imported, before the first crop is labelled.

    Args:
        config: "rtmpose-s", "rtmpose-m", "hrnet-w32" or "vitpose-b" (official models, see
            ``reidkit.pose.zoo``), the name of a config of mmpose, a path, or "synthped" for the
            shipped small model, which is made for SynthPed alone. None: "synthped" for SynthPed,
            "rtmpose-m" for photographs. An mmpose config file is Python and is executed.
        checkpoint: its weights, ``.pth`` or ``.safetensors``; None for the shipped or official
            ones, which are looked for in ``<data root>/pose`` and fetched where there is a network;
            "random" for trials of speed.
        batch_size: crops in one forward pass.
        device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", ...
        precision: "auto", "fp32", "bf16" or "fp16"; see ``pick_dtype``.
        flip_test: average with the mirrored crop: about twice the time, slightly better.
        part_pairs: where a left and a right joint fall on one place, look for the second peak; see
            ``reidkit.pose.pairs``. For models with heatmaps; False gives what mmpose gives.
        on_photographs: let "synthped" label photographs, too. It finds 40 to 62 % of their joints.
        pictures: what is labelled, "photographs" or "synthped"; supplied by the framework.
        settings: of the run, for its data root; supplied by the framework.

    Raises:
        UserError: unknown config, missing checkpoint, "synthped" for photographs; when the model is
            built, weights that cannot be fetched or do not fit.

    Example:
        >>> labeller = TopdownLabeller(pictures="synthped")
        >>> labeller.label([np.zeros((128, 64, 3), np.uint8)]).shape
        (1, 17, 3)
    """

    def __init__(
        self,
        config: str | None = None,
        checkpoint: str | None = None,
        batch_size: int = 64,
        device: str = "auto",
        precision: str = "auto",
        flip_test: bool = False,
        part_pairs: bool = True,
        on_photographs: bool = False,
        pictures: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if config is None:
            config = SHIPPED if pictures == SHIPPED else PHOTOGRAPHS
        if config == SHIPPED and pictures == "photographs" and not on_photographs:
            raise UserError(_NOT_FOR_PHOTOGRAPHS)
        folder = POSE_FOLDER if settings is None else Path(settings["data_root"], "pose")
        self.spec = resolve(config, checkpoint, folder)
        self.batch_size = batch_size
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        self.dtype = pick_dtype(precision, self.device)
        self.flip_test = flip_test
        self.part_pairs = part_pairs
        self.gamma = stored_gamma(self.spec)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """What decides the labels, and nothing else: stores made with the same are the same."""
        weights = self.spec.fetched().weights
        return {
            "config": self.spec.name,
            "config_sha256": config_digest(load_config(self.spec)),
            "weights_sha256": sha256_file(weights) if weights else "random",
            "flip_test": self.flip_test,
            "part_pairs": self.part_pairs,
            "gamma": self.gamma,
        }

    @cached_property
    def parts(self) -> tuple[_Network, Geometry, Decoder]:
        """The network, how crops enter it, and how joints are read from what it gives."""
        load_mmpose()
        with quiet():
            built, config = build_model(self.spec.fetched())
            estimator: Any = built
            codec = estimator.head.decoder
            decoder = decoder_for(codec, part_pairs) if self.part_pairs else decoder_for(codec)
            network = _Network(estimator).to(self.device)
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        geometry = Geometry.of_pipeline(config.test_dataloader.dataset.pipeline)
        return network.eval(), geometry, decoder

    @torch.inference_mode()
    def label_batch(self, batch: Tensor, sizes: Tensor) -> Tensor:
        """Label one padded batch of crops (see ``reidkit.pose.warp.pad_crops``).

        Shape:
            batch (N, H, W, 3) uint8 RGB; sizes (N, 2) height and width.
            returns (N, 17, 3) float32 on the CPU: x, y in crop pixels, confidence.
        """
        network, geometry, decoder = self.parts
        batch = batch.to(self.device, non_blocking=True)
        sizes = sizes.to(self.device, non_blocking=True)
        images = warp_crops(batch, sizes, geometry)
        low = self.dtype != torch.float32
        cast = torch.autocast(self.device.type, self.dtype) if low else nullcontext()
        with quiet(), cast:
            output = network(images)
            if self.flip_test:
                output = _mean(output, network.flipped(images))
        keypoints, confidence = decoder(output)
        confidence = confidence.clamp(0, 1) ** self.gamma
        keypoints = to_crop_pixels(keypoints, sizes, geometry)
        return torch.cat([keypoints, confidence[..., None]], dim=-1).float().cpu()

    def label(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Joints of crops of any sizes.

        Args:
            images: N crops (H, W, 3) uint8 RGB.

        Shape:
            returns (N, 17, 3) float32 in COCO order: x, y in crop pixels from the upper left
            corner, confidence, larger is surer.

        Raises:
            ValueError: a crop that is not (H, W, 3) uint8.
        """
        batches = [
            self.label_batch(*pad_crops(images[start : start + self.batch_size])).numpy()
            for start in range(0, len(images), self.batch_size)
        ]
        return np.concatenate(batches) if batches else np.zeros((0, 17, 3), dtype=np.float32)
