"""What a model knows about images, and what a head hands on.

Shape letters: N images, P parts, D dims, K identities, C channels, h w feature cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import torch
from torch import Tensor


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
        tensors = self._tensors()
        if self.vectors is None and self.maps is None:
            raise ValueError("Embedding needs vectors (N, P, D) or maps (N, C, h, w); got neither")
        first = next(iter(tensors.values())).shape[0]  # len() would fix the number in an export
        if any(value.shape[0] != first for value in tensors.values()):
            lengths = {name: len(value) for name, value in tensors.items()}
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
    """What a head hands to the losses and to the matcher.

    Attributes:
        embedding: the vectors or maps that the matcher compares; None for auxiliary heads.
        outputs: what losses ask for by name: "logits" (N, P, K) of P parts and K identities or
            (N, classes, h, w) of cells, "attention", or any other tensor, or dict of tensors.
        log: numbers to show and keep beside the losses, by name.

    Example:
        >>> HeadOutput(outputs={"logits": torch.zeros(2, 1, 10)}).embedding is None
        True
    """

    embedding: Embedding | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    log: dict[str, Tensor] = field(default_factory=dict)

    def known(self) -> dict[str, Any]:
        """Everything a loss may ask for by name: the outputs, and the tensors of the embedding."""
        return {**(self.embedding._tensors() if self.embedding is not None else {}), **self.outputs}


@dataclass
class Correspondences:
    """Which cells of two feature maps a matcher found to belong together, strongest first.

    Attributes:
        pairs: (M, 2) int64, cell of the query's map and of the gallery image's, row by row.
        similarity: (M,) float, of the two cells.
        contribution: (M,) float, what the pair adds to the score, descending.
        map_size: (h, w) of both maps.

    Example:
        >>> matches = Correspondences(torch.tensor([[0, 5]]), torch.ones(1), torch.ones(1), (3, 2))
        >>> matches.places(1)  # (row, column) of both cells
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
