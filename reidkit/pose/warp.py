"""Crops of any size into the model's input, the whole batch at once on the device.

The same geometry as mmpose's ``GetBBoxCenterScale`` and ``TopdownAffine`` with the whole crop as
the box: enlarge by the padding, extend to the input's aspect ratio, black outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Geometry:
    """How crops enter one model.

    Args:
        input_size: (height, width) of the model's input in pixels.
        padding: factor by which the crop's box is enlarged.
        udp: mmpose's unbiased pixel grid, on which the first and last pixel centres meet.
    """

    input_size: tuple[int, int]
    padding: float = 1.25
    udp: bool = False

    @classmethod
    def of_pipeline(cls, pipeline: Sequence[dict[str, Any]]) -> Geometry:
        """Read it from the test pipeline of an mmpose config.

        Raises:
            ValueError: the pipeline has no TopdownAffine.
        """
        steps = {step["type"]: step for step in pipeline}
        if "TopdownAffine" not in steps:
            raise ValueError(f"the pose pipeline has no TopdownAffine: {', '.join(steps)}")
        width, height = steps["TopdownAffine"]["input_size"]
        padding = steps.get("GetBBoxCenterScale", {}).get("padding", 1.25)
        return cls((height, width), padding, steps["TopdownAffine"].get("use_udp", False))

    def boxes(self, sizes: Tensor) -> Tensor:
        """The enlarged boxes of crops of these sizes.

        Shape:
            sizes (N, 2): height and width of the crops in pixels.
            returns (N, 4) float32: left, top, width, height in crop pixels.
        """
        height, width = sizes.to(torch.float32).unbind(1)
        aspect = self.input_size[1] / self.input_size[0]
        w, h = width * self.padding, height * self.padding
        wide = w > h * aspect
        w, h = torch.where(wide, w, h * aspect), torch.where(wide, w / aspect, h)
        return torch.stack([width / 2 - w / 2, height / 2 - h / 2, w, h], dim=1)


def pad_crops(images: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Put crops of any sizes into one tensor, each in its upper left corner, black elsewhere.

    Args:
        images: N crops (H, W, 3) uint8 RGB.

    Returns:
        (N, H, W, 3) uint8 with the largest height and width, and (N, 2) int64 sizes.

    Raises:
        ValueError: no crops, or one that is not (H, W, 3) uint8.

    Example:
        >>> batch, sizes = pad_crops([np.zeros((4, 2, 3), np.uint8), np.zeros((3, 5, 3), np.uint8)])
        >>> tuple(batch.shape), sizes.tolist()
        ((2, 4, 5, 3), [[4, 2], [3, 5]])
    """
    if not len(images):
        raise ValueError("pad_crops needs at least one crop")
    for image in images:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(f"a crop must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    sizes = np.array([image.shape[:2] for image in images], dtype=np.int64)
    if (sizes == sizes[0]).all():
        return torch.from_numpy(np.stack(images)), torch.from_numpy(sizes)
    batch = np.zeros((len(images), *sizes.max(0), 3), dtype=np.uint8)
    for row, image in zip(batch, images, strict=True):
        row[: image.shape[0], : image.shape[1]] = image
    return torch.from_numpy(batch), torch.from_numpy(sizes)


def warp_crops(batch: Tensor, sizes: Tensor, geometry: Geometry) -> Tensor:
    """Sample the model's input from a padded batch of crops, bilinearly.

    Args:
        batch: crops on the device, from ``pad_crops``.
        sizes: their heights and widths, on the same device.
        geometry: of the model.

    Shape:
        batch (N, H, W, 3) uint8; sizes (N, 2).
        returns (N, 3, h, w) float32 in [0, 255], channels in the order of the batch.

    Source:
        mmpose ``TopdownAffine`` (cv2.warpAffine, linear, constant black border). Departure: exact
        weights instead of OpenCV's fixed-point ones, and no rounding to whole grey values.
    """
    h, w = geometry.input_size
    images = batch.permute(0, 3, 1, 2)
    boxes = geometry.boxes(sizes)
    same = bool((sizes == sizes[:1]).all())
    if same and batch.shape[1:3] == (h, w) and geometry.padding == 1 and not geometry.udp:
        return images.float()  # the warp is the identity
    height, width = batch.shape[1:3]
    steps = (h - 1, w - 1) if geometry.udp else (h, w)
    rows = torch.arange(h, device=batch.device, dtype=torch.float32)
    columns = torch.arange(w, device=batch.device, dtype=torch.float32)
    y = boxes[:, 1:2] + rows * (boxes[:, 3:4] / steps[0])
    x = boxes[:, 0:1] + columns * (boxes[:, 2:3] / steps[1])
    # pixel centres are integers in mmpose; grid_sample's are at (2 i + 1) / size - 1
    grid = torch.stack(
        torch.broadcast_tensors(
            ((2 * x + 1) / width - 1)[:, None, :], ((2 * y + 1) / height - 1)[:, :, None]
        ),
        dim=-1,
    )
    return F.grid_sample(images.float(), grid, padding_mode="zeros", align_corners=False)


def to_crop_pixels(keypoints: Tensor, sizes: Tensor, geometry: Geometry) -> Tensor:
    """Joints from the model's input back into crop pixels.

    Shape:
        keypoints (N, K, 2): x, y in input pixels, as mmpose's codecs give them; sizes (N, 2).
        returns (N, K, 2), from the crop's upper left corner.

    Source:
        mmpose ``TopdownPoseEstimator.add_pred_to_datasample``. Departure: half a pixel more,
        because mmpose counts from the centre of the first pixel.
    """
    boxes = geometry.boxes(sizes)
    h, w = geometry.input_size
    scale = boxes[:, None, 2:] / torch.tensor([w, h], device=boxes.device, dtype=torch.float32)
    return keypoints * scale + boxes[:, None, :2] + 0.5
