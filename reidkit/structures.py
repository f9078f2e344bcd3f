"""What travels between the layers: feature specs, batches, embeddings, sights, head outputs.

Shape letters: N images, P parts, D dims, C channels, h w feature cells, H W pixels, R regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

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


_PER_FRAME = ("image_sizes", "keypoints", "part_map")
_PER_CLIP = ("identities", "cameras", "indices", "times")


@dataclass
class ReIDBatch:
    """One batch of crops of one domain; images stay uint8 until they are on the device.

    A batch of clips of B tracklets has images (B, T, 3, H, W) when it comes from the loader, with
    labels per frame likewise and everything else per tracklet. On the device it is a batch of
    N = B * T images, the frames of a clip next to each other (``by_frame``).

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
        frames: number T of frames of every clip; 1 for single images.
        augment_group: neighbouring images that share the random numbers of the batch transforms.

    Example:
        >>> batch = ReIDBatch(images=torch.zeros(2, 3, 8, 4, dtype=torch.uint8))
        >>> len(batch), batch.to("cpu").images.shape
        (2, torch.Size([2, 3, 8, 4]))
        >>> clips = ReIDBatch(torch.zeros(2, 3, 3, 8, 4), torch.tensor([7, 9]), frames=3)
        >>> flat = clips.by_frame()
        >>> flat.images.shape, flat.identities.tolist(), flat.by_clip().identities.tolist()
        (torch.Size([6, 3, 8, 4]), [7, 7, 7, 9, 9, 9], [7, 9])
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
    frames: int = 1
    augment_group: int = 1

    def __len__(self) -> int:
        return len(self.images)

    def by_frame(self) -> ReIDBatch:
        """A batch of clips as a batch of images; a batch of images is returned as it is."""
        if self.images.ndim == 4:
            return self
        changed: dict[str, Any] = {
            name: value.flatten(0, 1)
            for name in ("images", *_PER_FRAME)
            if (value := getattr(self, name)) is not None
        }
        changed |= {
            name: value.repeat_interleave(self.frames, 0)
            for name in _PER_CLIP
            if (value := getattr(self, name)) is not None
        }
        return replace(self, **changed)

    def by_clip(self) -> ReIDBatch:
        """A batch of images with what is known of each clip once per clip; images stay."""
        if self.frames == 1 or self.images.ndim == 5:
            return self
        firsts = {
            name: value[:: self.frames]
            for name in _PER_CLIP
            if (value := getattr(self, name)) is not None
        }
        return replace(self, **firsts)

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

    def __getitem__(self, rows: slice | Tensor | Sequence[int]) -> Self:
        return type(self)(**{name: value[rows] for name, value in self._tensors().items()})

    def to(self, *args, **kwargs) -> Self:
        """The same embedding moved or cast, with the arguments of ``torch.Tensor.to``."""
        return type(self)(**{name: v.to(*args, **kwargs) for name, v in self._tensors().items()})

    def cpu(self) -> Embedding:
        """The same embedding in main memory."""
        return self.to("cpu")

    def join(self, groups: Tensor, how: str = "mean") -> Embedding:
        """One embedding per group: frames of a clip, or clips of a tracklet.

        Vectors are pooled over the rows in which their part is visible, then given the mean length
        that they had, so that unit vectors stay unit vectors.

        Args:
            groups: (N,) int64, number of each row's group: 0..G-1, every group present.
            how: "mean", or "max" by component.

        Raises:
            ValueError: unknown ``how``; "max" of maps.

        Example:
            >>> two = Embedding(torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]))
            >>> two.join(torch.tensor([0, 0])).vectors
            tensor([[[0.7071, 0.7071]]])
        """
        if how not in ("mean", "max") or (how == "max" and self.maps is not None):
            raise ValueError(f'how must be "mean", or "max" for vectors alone; got {how!r}')
        count = int(groups.max()) + 1

        def sums(tensor: Tensor) -> Tensor:
            out = tensor.new_zeros(count, *tensor.shape[1:])
            return out.index_add_(0, groups, tensor)

        size = sums(torch.ones(len(self), device=groups.device))
        joined: dict[str, Tensor] = {}
        if self.maps is not None:
            joined["maps"] = sums(self.maps) / size.to(self.maps)[:, None, None, None]
        if self.vectors is not None:
            seen = self.visibility
            seen = torch.ones_like(self.vectors[..., 0]) if seen is None else seen
            share = sums(seen)
            # a part that no row shows is pooled over all of them, and stays invisible
            weight = torch.where((share == 0)[groups], 1.0, seen.to(self.vectors))
            total = sums(weight).unsqueeze(2)
            norms = sums(weight.unsqueeze(2) * self.vectors.norm(dim=2, keepdim=True)) / total
            if how == "mean":
                pooled = sums(weight.unsqueeze(2) * self.vectors) / total
            else:
                hidden = self.vectors.masked_fill(weight.unsqueeze(2) == 0, -torch.inf)
                pooled = self.vectors.new_full((count, *self.vectors.shape[1:]), -torch.inf)
                index = groups.view(-1, 1, 1).expand_as(hidden)
                pooled = pooled.scatter_reduce(0, index, hidden, "amax")
            length = pooled.norm(dim=2, keepdim=True).clamp(min=1e-12)
            joined["vectors"] = pooled * (norms / length)
            if self.visibility is not None:
                joined["visibility"] = share / size[:, None]
        return Embedding(**joined)

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
        return type(parts[0])(
            **{name: torch.cat([getattr(p, name) for p in parts]) for name in names.pop()}
        )


@dataclass(frozen=True)
class ImageMeta:
    """What a re-ranker may know of the images of one side: never identities, nor file names.

    Attributes:
        cameras: (N,) int64.
        times: (N,) float64 seconds on the cameras' clock, or None.

    Example:
        >>> ImageMeta(cameras=[0, 0, 1]).times is None
        True
    """

    cameras: Any
    times: Any = None


@dataclass
class HeadOutput:
    """What a head hands to the losses.

    Attributes:
        embedding: the vectors or maps that the matcher compares; None for auxiliary heads.
        logits: (N, P, K) of P parts and K identities, or (N, classes, h, w) of feature cells.
        scores: (N, N) of the batch against itself by a learned matcher, larger is closer; filled
            by the model where a loss asks for it.
        attention: (N, P, cells) logarithms of attention maps, each map summing to 1 over its cells.
        log: numbers to show and keep beside the losses, by name.
        weights: layers that losses may act on directly (sparsity, orthogonality), by the names that
            the head's contract gives them; only in training.

    Raises:
        ValueError: logits of neither shape.

    Example:
        >>> HeadOutput(logits=torch.zeros(2, 1, 10)).embedding is None
        True
    """

    embedding: Embedding | None = None
    logits: Tensor | None = None
    scores: Tensor | None = None
    attention: Tensor | None = None
    weights: dict[str, Tensor] | None = None
    log: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.logits is not None and self.logits.ndim not in (3, 4):
            raise ValueError(
                "HeadOutput.logits must be (N, P, K), P parts and K identities, or (N, classes, h, "
                f"w), got {tuple(self.logits.shape)}"
                + ("; logits[:, None] makes them one part" if self.logits.ndim == 2 else "")
            )


@dataclass
class Correspondences:
    """Which cells of two feature maps a matcher found to belong together, strongest first.

    Attributes:
        pairs: (M, 2) int64, cell of the query's map and of the gallery image's, row by row.
        similarity: (M,) float, of the two cells.
        contribution: (M,) float, what the pair adds to the score, descending.
        map_size: (h, w) of both maps.

    Example:
        >>> found = Correspondences(torch.tensor([[0, 5]]), torch.ones(1), torch.ones(1), (3, 2))
        >>> found.places(1)  # (row, column) of both cells
        [((0, 0), (2, 1))]
    """

    pairs: Tensor
    similarity: Tensor
    contribution: Tensor
    map_size: tuple[int, int]

    def places(self, count: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """The strongest pairs as ((row, column), (row, column)) of query and gallery."""
        width = self.map_size[1]
        return [(divmod(a, width), divmod(b, width)) for a, b in self.pairs[:count].tolist()]
