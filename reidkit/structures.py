"""What travels between the layers: feature specs, batches, embeddings, sights, head outputs.

Shape letters: N images, P parts, D dims, C channels, h w feature cells, H W pixels, R regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class FeatureSpec:
    """Width and stride of one feature map, so that heads never need either number in a config.

    Args:
        channels: number of channels C.
        stride: image pixels per feature cell: one number, or (vertical, horizontal).

    Example:
        >>> FeatureSpec(channels=2048, stride=16).map_size((250, 128))
        (16, 8)
        >>> FeatureSpec(channels=256, stride=(16, 32)).map_size((256, 128))
        (16, 4)
    """

    channels: int
    stride: int | tuple[int, int]

    def map_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of the map of an image of (height, width) pixels, both rounded up."""
        down, across = (self.stride,) * 2 if isinstance(self.stride, int) else self.stride
        return -(-size[0] // down), -(-size[1] // across)


@dataclass
class ReIDBatch:
    """One batch of crops of one domain; images stay uint8 until they are on the device.

    Attributes:
        images: (N, 3, H, W) uint8 RGB from the loader; float after ``Normalize`` on the device.
        identities: (N,) int64, 0..K-1 in training, the raw identity at test time.
        cameras: (N,) int64.
        indices: (N,) int64, position in the split.
        paths: N paths relative to the data set's root.
        domain: name of the domain ("source", "target", ...).
        image_sizes: (N, 2) int64, (height, width) of the crops as stored, before resizing.
        keypoints: (N, 17, 3) float64, COCO order, x and y in stored-crop pixels, confidence.
        part_map: (N, h, w) int64 part labels, classes 0..7 (0 background).
        masks: (N, R, h, w) bool region masks, filled by a method's batch transform.
        visibility: (N, R) float32, region visible or not, filled with ``masks``.
        times: (N,) float64 seconds on the cameras' clock.
        generator: source of randomness of the batch transforms; the engine seeds it by step.

    Example:
        >>> batch = ReIDBatch(images=torch.zeros(2, 3, 8, 4, dtype=torch.uint8))
        >>> len(batch), batch.to("cpu").images.shape
        (2, torch.Size([2, 3, 8, 4]))
    """

    images: Tensor
    identities: Tensor | None = None
    cameras: Tensor | None = None
    indices: Tensor | None = None
    paths: list[str] = field(default_factory=list)
    domain: str = ""
    image_sizes: Tensor | None = None
    keypoints: Tensor | None = None
    part_map: Tensor | None = None
    masks: Tensor | None = None
    visibility: Tensor | None = None
    times: Tensor | None = None
    generator: torch.Generator | None = None

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ReIDBatch:
        """The same batch with every tensor on ``device``."""
        moved: dict[str, Any] = {
            f.name: value.to(device, non_blocking=non_blocking)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **moved)

    def pin_memory(self) -> ReIDBatch:
        """The same batch in page-locked memory; called by the ``DataLoader``."""
        pinned: dict[str, Any] = {
            f.name: value.pin_memory()
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **pinned)


@dataclass
class Embedding:
    """What a model knows about N images: part vectors with visibility, feature maps, or both.

    Attributes:
        vectors: (N, P, D) float, one vector per part (P = 1 for a global embedding).
        visibility: (N, P) float in [0, 1]; None means every part is visible.
        maps: (N, C, h, w) float, for matchers that compare local features.

    Example:
        >>> both = Embedding.cat([Embedding(torch.ones(2, 1, 4)), Embedding(torch.zeros(1, 1, 4))])
        >>> len(both), both[1:].vectors.shape
        (3, torch.Size([2, 1, 4]))
    """

    vectors: Tensor | None = None
    visibility: Tensor | None = None
    maps: Tensor | None = None

    def _tensors(self) -> dict[str, Tensor]:
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    def __post_init__(self) -> None:
        lengths = {name: len(value) for name, value in self._tensors().items()}
        if self.vectors is None and self.maps is None:
            raise ValueError("Embedding needs vectors (N, P, D) or maps (N, C, h, w); got neither")
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Embedding parts differ in their number of images: {lengths}")
        if self.vectors is not None and self.vectors.ndim != 3:
            raise ValueError(
                f"Embedding.vectors must be (N, P, D), got {tuple(self.vectors.shape)}"
            )
        if self.visibility is None or self.vectors is None:
            return
        if self.visibility.shape != self.vectors.shape[:2]:
            raise ValueError(
                f"Embedding.visibility must be (N, P) = {tuple(self.vectors.shape[:2])}, "
                f"got {tuple(self.visibility.shape)}"
            )

    def __len__(self) -> int:
        return len(next(iter(self._tensors().values())))

    def __getitem__(self, rows: slice | Tensor | Sequence[int]) -> Embedding:
        return Embedding(**{name: value[rows] for name, value in self._tensors().items()})

    def to(self, *args, **kwargs) -> Embedding:
        """The same embedding moved or cast, with the arguments of ``torch.Tensor.to``."""
        return Embedding(**{name: v.to(*args, **kwargs) for name, v in self._tensors().items()})

    def cpu(self) -> Embedding:
        """The same embedding in main memory."""
        return self.to("cpu")

    @staticmethod
    def cat(parts: Sequence[Embedding]) -> Embedding:
        """Join embeddings of the same kind along the images.

        Raises:
            ValueError: no parts, or parts that do not hold the same tensors.
        """
        if not parts:
            raise ValueError("Embedding.cat needs at least one embedding")
        names = {tuple(part._tensors()) for part in parts}
        if len(names) > 1:
            raise ValueError(f"Embedding.cat: parts hold different tensors: {sorted(names)}")
        return Embedding(
            **{name: torch.cat([getattr(p, name) for p in parts]) for name in names.pop()}
        )


@dataclass(frozen=True)
class Sight:
    """What a re-ranker may know of the images of one side: never identities, nor file names.

    Attributes:
        cameras: (N,) int64.
        times: (N,) float64 seconds on the cameras' clock, or None.

    Example:
        >>> Sight(cameras=[0, 0, 1]).times is None
        True
    """

    cameras: Any
    times: Any = None


@dataclass
class HeadOutput:
    """What a head hands to the losses.

    Attributes:
        embedding: the vectors or maps that the matcher compares; None for auxiliary heads.
        logits: named by the head's contract, e.g. (N, P, K) identity or (N, 8, h, w) part logits.
        weights: layers that losses may act on directly (sparsity, orthogonality), by the names that
            the head's contract gives them; only in training.

    Example:
        >>> HeadOutput(logits=torch.zeros(2, 1, 10)).embedding is None
        True
    """

    embedding: Embedding | None = None
    logits: Tensor | None = None
    weights: dict[str, Tensor] | None = None
