"""A batch of crops or clips of one domain, with fields by name.

Shape letters: N images, B clips, T frames, H W pixels, h w cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

# tensors that every data set may know of its crops, beside the images
BATCH_TENSORS = ("identities", "cameras", "times", "indices")


@dataclass(frozen=True)
class Field:
    """One named tensor of a batch, with what is needed to carry it along.

    Args:
        tensor: the first dimension is that of the images, or of the clips.
        per: "image": one row per image; "clip": one per tracklet.
        grid: whether the last two dimensions are rows and columns of the image, so that geometric
            transforms move it with the pixels.

    Example:
        >>> Field(torch.zeros(4, 6, 24, 8), grid=True).per
        'image'
    """

    tensor: Tensor
    per: str = "image"
    grid: bool = False

    def __post_init__(self) -> None:
        if self.per not in ("image", "clip"):
            raise ValueError(f'Field.per must be "image" or "clip", got {self.per!r}')

    def map(self, change: Callable[[Tensor], Tensor]) -> Field:
        """The field with another tensor."""
        return replace(self, tensor=change(self.tensor))


@dataclass
class ReIDBatch:
    """One batch of crops of one domain; images stay uint8 until they are on the device.

    What every data set knows of a crop has an attribute; everything else is a field by name:
    labels ("keypoints", "part_map"), what transforms add ("masks"), or whatever a plugin wants.
    ``batch["keypoints"]`` is its tensor.

    A batch of clips of B tracklets has images (B, T, 3, H, W) when it comes from the loader, with
    fields per image likewise and everything else per tracklet. On the device it is a batch of
    N = B * T images, the frames of a clip next to each other (``by_frame``).

    Attributes:
        images: (N, 3, H, W) uint8 RGB from the loader; float after ``Normalize`` on the device.
        identities: (N,) int64, 0..K-1 in training, the raw identity at test time.
        cameras: (N,) int64.
        times: (N,) float64 seconds on the cameras' clock.
        indices: (N,) int64, position in the split.
        paths: N paths relative to the data set's root.
        domain: name of the domain ("source", "target", ...).
        generator: source of randomness of the batch transforms; the engine seeds it by step.
        frames: number T of frames of every clip; 1 for single images.
        augment_group: neighbouring images that share the random numbers of the batch transforms.
        fields: name -> Field. The loader fills "image_sizes" (N, 2), (height, width) of the crops
            as stored; the core's labels are "keypoints" (N, 17, 3) float64, COCO order, x and y in
            stored-crop pixels and confidence, and "part_map" (N, h, w) int64 with background 0.

    Example:
        >>> batch = ReIDBatch(images=torch.zeros(2, 3, 8, 4, dtype=torch.uint8))
        >>> len(batch), batch.to("cpu").images.shape
        (2, torch.Size([2, 3, 8, 4]))
        >>> batch = batch.with_fields(view=torch.tensor([0, 1]))
        >>> batch["view"].tolist(), "masks" in batch
        ([0, 1], False)
        >>> clips = ReIDBatch(torch.zeros(2, 3, 3, 8, 4), torch.tensor([7, 9]), frames=3)
        >>> flat = clips.by_frame()
        >>> flat.images.shape, flat.identities.tolist(), flat.by_clip().identities.tolist()
        (torch.Size([6, 3, 8, 4]), [7, 7, 7, 9, 9, 9], [7, 9])
    """

    images: Tensor
    identities: Tensor | None = None
    cameras: Tensor | None = None
    times: Tensor | None = None
    indices: Tensor | None = None
    paths: list[str] = field(default_factory=list)
    domain: str = ""
    generator: torch.Generator | None = None
    frames: int = 1
    augment_group: int = 1
    fields: dict[str, Field] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __getitem__(self, name: str) -> Tensor:
        """The tensor of an attribute or field.

        Raises:
            KeyError: the batch has none of that name.
        """
        tensor = self.get(name)
        if tensor is None:
            known = ", ".join([*self._present(), *self.fields])
            raise KeyError(f"the batch of domain '{self.domain}' has no {name!r}; it has: {known}")
        return tensor

    def get(self, name: str) -> Tensor | None:
        """The tensor of an attribute or field; None where the batch has none of that name."""
        if name in self.fields:
            return self.fields[name].tensor
        return self._present().get(name)

    def with_fields(self, **tensors: Field | Tensor) -> ReIDBatch:
        """The batch with these fields added or replaced.

        Args:
            tensors: name -> Field, or tensor: in place of the one of that name, of which it keeps
                ``per`` and ``grid``, else one row per image.
        """
        fields = dict(self.fields)
        for name, value in tensors.items():
            if isinstance(value, Field):
                fields[name] = value
            else:
                fields[name] = (
                    replace(fields[name], tensor=value) if name in fields else Field(value)
                )
        return replace(self, fields=fields)

    def _present(self) -> dict[str, Tensor]:
        """The attributes that are tensors."""
        names = ("images", *BATCH_TENSORS)
        return {n: value for n in names if (value := getattr(self, n)) is not None}

    def by_frame(self) -> ReIDBatch:
        """A batch of clips as a batch of images; a batch of images is returned as it is."""
        if self.images.ndim == 4:
            return self
        changed: dict[str, Any] = {
            n: value.repeat_interleave(self.frames, 0)
            for n, value in self._present().items()
            if n != "images"
        }
        fields = {
            n: one.map(lambda t: t.flatten(0, 1))
            if one.per == "image"
            else one.map(lambda t: t.repeat_interleave(self.frames, 0))
            for n, one in self.fields.items()
        }
        return replace(self, images=self.images.flatten(0, 1), fields=fields, **changed)

    def by_clip(self) -> ReIDBatch:
        """A batch of images with what is known of each clip once per clip; images stay."""
        if self.frames == 1 or self.images.ndim == 5:
            return self
        firsts: dict[str, Any] = {
            n: value[:: self.frames] for n, value in self._present().items() if n != "images"
        }
        fields = {
            n: one.map(lambda t: t[:: self.frames]) if one.per == "clip" else one
            for n, one in self.fields.items()
        }
        return replace(self, fields=fields, **firsts)

    def _map(self, change: Callable[[Tensor], Tensor]) -> ReIDBatch:
        """The batch with every tensor changed."""
        changed: dict[str, Any] = {n: change(value) for n, value in self._present().items()}
        return replace(
            self, fields={n: one.map(change) for n, one in self.fields.items()}, **changed
        )

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ReIDBatch:
        """The same batch with every tensor on ``device``."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> ReIDBatch:
        """The same batch in page-locked memory; called by the ``DataLoader``."""
        return self._map(lambda tensor: tensor.pin_memory())
