"""A person put into the scene of another crop, where the body's parts are known.

A grey image still says which garment is light and which is dark, so composites keep the brightness
of the clothes that they should replace; and it says nothing of the background's colours, so
backgrounds are tinted. With keypoints both can be mended (a departure: the paper needs none). E_s
sees the body's parts and their folds, without brightness, and the decoder's person is laid over
the crop that lends the structure: the networks have nothing to do with the background.

Shapes: N images, H W pixels, 8 classes of part maps, background 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from reidkit.data.transforms import BatchTransform
from reidkit.pose import paint_part_maps
from reidkit.structures import Field, ReIDBatch

CLASSES = 8
# Pixels of an image of 128x64 by which clothes are wider than limbs. On SynthPed 7 % of a person's
# pixels are left out then, and 14 % of the maps' are background (0: 14 and 8 %, 3: 3 and 26 %).
MARGIN = 1
FOLD = 4  # pixels to a side of a cell of the structure code
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

    CHANNELS: ClassVar[int] = CLASSES  # of ``body``: grey, and one for each part

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

    def body(self, images: Tensor) -> Tensor:
        """What E_s sees of images: the person in grey, each part around 0, and where the parts are.

        Shape:
            images (N, 3, H, W), normalised, of any float type -> (N, 8, H, W) float32: the grey
            person, and a 0/1 map of each part.

        Example:
            >>> image = torch.tensor([[1.0, 2.0], [5.0, 9.0]]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
            >>> scene = Scene(torch.tensor([[[1, 1], [0, 2]]]), torch.full((1, 8), 0.5))
            >>> scene.body(image)[0, 0]
            tensor([[-0.2500,  0.2500],
                    [ 0.0000,  0.0000]])
        """
        grey = images.float().mean(1, keepdim=True)
        inside = F.one_hot(self.parts, CLASSES).movedim(3, 1)[:, 1:].float()  # (N, 7, H, W)
        count = inside.sum((2, 3), keepdim=True).clamp_min(1)
        mean = (inside * grey).sum((2, 3), keepdim=True) / count
        person = self.contrast[:, 1:, None, None] * inside * (grey - mean)
        return torch.cat([person.sum(1, keepdim=True), inside], 1)

    def surroundings(self, images: Tensor) -> Tensor:
        """What composites keep of images, on the structure code's grid; without graph.

        Shape:
            images (N, 3, H, W) -> (N, 64, H / 4, W / 4) float32: the image where the person is not,
            and the person's share of each pixel, 0 to 1, both folded by four.
        """
        share = F.avg_pool2d((self.parts[:, None] > 0).float(), 3, 1, 1, count_include_pad=False)
        background = (1 - share) * images.detach().float()
        return F.pixel_unshuffle(torch.cat([background, share], 1), FOLD)

    def map(self, change: Callable[[Tensor], Tensor]) -> Scene:
        """The scene with both tensors changed, such as by ``iteration.swap``."""
        return Scene(change(self.parts), change(self.contrast))


def blend(surroundings: Tensor, person: Tensor) -> Tensor:
    """The person laid over what is around them.

    Shape:
        surroundings (N, 64, H / 4, W / 4), of ``Scene.surroundings``, person (N, 3, H, W)
        -> (N, 3, H, W).

    Example:
        >>> scene = Scene(torch.zeros(1, 4, 4, dtype=torch.long), torch.ones(1, 8))  # nobody
        >>> image = torch.rand(1, 3, 4, 4)
        >>> torch.equal(blend(scene.surroundings(image), torch.zeros(1, 3, 4, 4)), image)
        True
    """
    background, share = F.pixel_shuffle(surroundings, FOLD).split([3, 1], 1)
    return share * person + background
