"""The scene as E_s may see it: the background as it is, the person in grey of unknown brightness.

A grey image still says which garment is light and which is dark, and it says nothing of the
background's colours. So composites keep the brightness of the clothes that they should replace, and
their backgrounds are tinted. Where the body's parts are known, both can be mended (a departure:
the paper needs no keypoints).

Shapes: N images, H W pixels, 8 classes of part maps, background 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from reidkit.data.transforms import BatchTransform
from reidkit.pose import paint_part_maps
from reidkit.structures import Field, ReIDBatch

CLASSES = 8
MARGIN = 3  # pixels of an image of 128x64 by which clothes are wider than limbs
FIXED_CONTRAST = 0.5  # outside training; E_s learns from -1..1


class BodyParts(BatchTransform):
    """Fills ``body_parts`` (N, H, W) of a batch, part maps on the grid of its images.

    Made of the keypoints, which no transform moves: it comes before those that move pixels.

    Raises:
        KeyError: a batch without keypoints.

    Example:
        >>> joints = torch.zeros(1, 17, 3)
        >>> joints[0, 5:7] = torch.tensor([[20.0, 30.0, 1.0], [44.0, 30.0, 1.0]])  # shoulders
        >>> batch = ReIDBatch(torch.zeros(1, 3, 128, 64)).with_fields(
        ...     keypoints=joints, image_sizes=torch.tensor([[128, 64]]))
        >>> BodyParts()(batch)["body_parts"].shape
        torch.Size([1, 128, 64])
    """

    adds = ("body_parts",)
    asks = ("keypoints", "image_sizes")

    def transform(self, results: ReIDBatch) -> ReIDBatch:
        """The batch with ``body_parts``, int64."""
        joints, sizes = results["keypoints"].cpu().numpy(), results["image_sizes"].cpu().numpy()
        height, width = results.images.shape[-2:]
        maps = torch.from_numpy(paint_part_maps(joints, sizes, (height, width)))
        maps = _widened(maps.long(), round(MARGIN * height / 128)).to(results.images.device)
        return results.with_fields(body_parts=Field(maps, grid=True))


def _widened(maps: Tensor, margin: int) -> Tensor:
    """Part maps in which background within ``margin`` pixels of a part belongs to it."""
    around = F.max_pool2d(maps.float()[:, None], 2 * margin + 1, 1, margin)[:, 0].long()
    return torch.where(maps > 0, maps, around)


@dataclass
class Scene:
    """Where N people are and how much contrast E_s sees of each of their parts.

    Args:
        parts: (N, H, W) int64 part maps.
        contrast: (N, 8) factors of the grey values, -1..1. Negative ones turn light into dark, so
            that no grey value says how bright a garment is.
    """

    parts: Tensor
    contrast: Tensor

    @classmethod
    def of(cls, batch: ReIDBatch, count: int) -> Scene:
        """Of the first ``count`` images of a batch; contrasts are drawn in training.

        Raises:
            KeyError: a batch without ``body_parts``.
        """
        parts = batch["body_parts"][:count]
        if batch.generator is None:
            contrast = torch.full((count, CLASSES), FIXED_CONTRAST)
        else:
            contrast = 2 * torch.rand(count, CLASSES, generator=batch.generator) - 1
        return cls(parts, contrast.to(parts.device))

    def hide(self, images: Tensor) -> Tensor:
        """Images whose parts are grey, each around 0 and with its contrast.

        Shape:
            images (N, 3, H, W), normalised, of any float type -> float32 of the same shape, the
            background as it is.

        Example:
            >>> image = torch.tensor([[1.0, 2.0], [5.0, 9.0]]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
            >>> scene = Scene(torch.tensor([[[1, 1], [0, 2]]]), torch.full((1, 8), 0.5))
            >>> scene.hide(image)[0, 0]
            tensor([[-0.2500,  0.2500],
                    [ 5.0000,  0.0000]])
        """
        grey = images.float().mean(1, keepdim=True)
        inside = F.one_hot(self.parts, CLASSES).movedim(3, 1).float()  # (N, 8, H, W)
        count = inside.sum((2, 3), keepdim=True).clamp_min(1)
        mean = (inside * grey).sum((2, 3), keepdim=True) / count
        person = self.contrast[:, :, None, None] * inside * (grey - mean)
        return torch.where(self.parts[:, None] > 0, person.sum(1, keepdim=True), images)

    def map(self, change: Callable[[Tensor], Tensor]) -> Scene:
        """The scene with both tensors changed, such as by ``iteration.swap``."""
        return Scene(change(self.parts), change(self.contrast))
