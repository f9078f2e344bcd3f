"""The scene as E_s may see it: the background as it is, the person in grey of unknown brightness.

A grey image still says which garment is light and which is dark, and it says nothing of the
background's colours. So composites keep the brightness of the clothes that they should replace, and
their backgrounds are tinted. Where the body's parts are known, both can be mended (a departure:
the paper needs no keypoints).

Shapes: N images, H W pixels, 8 classes of part maps, background 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from reidkit.data.transforms import BatchTransform
from reidkit.pose import paint_part_maps
from reidkit.structures import Field, ReIDBatch

CLASSES = 8
MARGIN = 3  # pixels of an image of 128x64 by which clothes are wider than limbs
IN_A_TEST = 0.5  # of the contrasts -1..1 that E_s learned from


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
            contrast = torch.full((count, CLASSES), IN_A_TEST)
        else:
            contrast = 2 * torch.rand(count, CLASSES, generator=batch.generator) - 1
        return cls(parts, contrast.to(parts.device))

    def hide(self, images: Tensor) -> Tensor:
        """Images whose parts are grey, each around 0 and with its contrast.

        Example:
            >>> image = torch.tensor([[1.0, 2.0], [5.0, 9.0]]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
            >>> scene = Scene(torch.tensor([[[1, 1], [0, 2]]]), torch.full((1, 8), 0.5))
            >>> scene.hide(image)[0, 0]
            tensor([[-0.2500,  0.2500],
                    [ 5.0000,  0.0000]])
        """
        grey = images.mean(1).flatten(1)
        at = self.parts.flatten(1)
        zeros = grey.new_zeros(len(images), CLASSES)
        count = zeros.scatter_add(1, at, torch.ones_like(grey)).clamp_min(1)
        mean = zeros.scatter_add(1, at, grey) / count
        person = self.contrast.to(grey.dtype).gather(1, at) * (grey - mean.gather(1, at))
        person = person.view(len(images), 1, *images.shape[-2:])
        return torch.where(self.parts[:, None] > 0, person, images)

    def map(self, change) -> Scene:
        """The scene with other rows, such as those of the other side."""
        return Scene(change(self.parts), change(self.contrast))
