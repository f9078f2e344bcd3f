"""The two sides of a test, query and gallery: embeddings with what is known of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from reidkit.data.identities import DISTRACTOR, MOST
from reidkit.data.split import Split
from reidkit.structures import Embedding, ImageMeta

Rows = slice | Sequence[int] | NDArray  # positions, or a mask


@dataclass(frozen=True)
class Labels:
    """What is known of the images of one side.

    Args:
        identities: (M,) integers; people from 1, 0 distractors, -1 junk.
        cameras: (M,) integers.
        paths: M file names, for messages and tables, and to know an image again on the other side;
            may be None.
        times: (M,) seconds on the cameras' clock, or None.
        names: of the people where they were numbered anew, see `Identities`; empty where the
            numbers are what people are called.

    Raises:
        ValueError: lengths differ, or identities or cameras are no integers.

    Example:
        >>> labels = Labels([7, 0, -1], [1, 2, 2], ["a.jpg", "b.jpg", "c.jpg"])
        >>> len(labels), labels[[2, 0]].identities.tolist(), labels[1:].paths
        (3, [-1, 7], ['b.jpg', 'c.jpg'])
    """

    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]
    paths: Sequence[str] | None = None
    times: NDArray[np.float64] | None = None
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("identities", "cameras"):
            values = _array(getattr(self, name))
            if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
                raise ValueError(
                    f"{name} must be one integer per image, got {values.dtype} {values.shape}"
                )
            if values.dtype.kind == "u" and values.max(initial=0) > MOST:
                raise ValueError(f"{name} must fit into 64 bits with a sign, got {values.max()}")
            object.__setattr__(self, name, values.astype(np.int64))
        if self.times is not None:
            object.__setattr__(self, "times", _array(self.times).astype(np.float64))
        lengths = {
            name: len(value)
            for name in ("identities", "cameras", "paths", "times")
            if (value := getattr(self, name)) is not None
        }
        if len(set(lengths.values())) > 1:
            raise ValueError(f"labels of one side differ in length: {lengths}")

    @staticmethod
    def of(identities: ArrayLike, cameras: ArrayLike, paths: Sequence[str] | None = None) -> Labels:
        """Labels from lists, arrays or tensors."""
        return Labels(_array(identities), _array(cameras), paths)

    def __len__(self) -> int:
        return len(self.identities)

    def __getitem__(self, rows: Rows) -> Labels:
        index = np.arange(len(self))[rows]
        return Labels(
            self.identities[index],
            self.cameras[index],
            None if self.paths is None else [self.paths[i] for i in index],
            None if self.times is None else self.times[index],
            self.names,
        )

    def person(self, index: int) -> str:
        """What the identity of an image is called."""
        number = int(self.identities[index])
        return self.names[number - 1] if self.names and number > DISTRACTOR else str(number)

    def file(self, index: int) -> str:
        """The file name of an image, or its position when names are not known."""
        return f"image {index}" if self.paths is None else str(self.paths[index])

    @staticmethod
    def join(first: Labels, second: Labels) -> Labels:
        """One side's labels followed by the other's, of the same people; paths and times where both
        have them."""
        paths = times = None
        if first.paths is not None and second.paths is not None:
            paths = [*first.paths, *second.paths]
        if first.times is not None and second.times is not None:
            times = np.concatenate([first.times, second.times])
        identities = np.concatenate([first.identities, second.identities])
        cameras = np.concatenate([first.cameras, second.cameras])
        return Labels(identities, cameras, paths, times, first.names)


@dataclass(frozen=True)
class LabelledEmbeddings:
    """Embeddings of the images of one side, with their labels.

    Args:
        embedding: M raw embeddings.
        labels: of the same M images.
        name: "query", "gallery" or "multi_query", for messages.
        dataset: named in reports; may be empty.

    Raises:
        ValueError: lengths differ.

    Example:
        >>> labels = Labels([1, 2, 3], [0, 0, 1])
        >>> side = LabelledEmbeddings(Embedding(torch.eye(3)[:, None]), labels, "query")
        >>> len(side), side[[2]].labels.identities
        (3, array([3]))
    """

    embedding: Embedding
    labels: Labels
    name: str = "query"
    dataset: str = ""

    def __post_init__(self) -> None:
        if len(self.embedding) != len(self.labels):
            raise ValueError(
                f"{self.name}: {len(self.embedding)} embeddings for {len(self.labels)} identities "
                "and cameras"
            )

    @staticmethod
    def of(embedding: Embedding, split: Split, name: str = "query") -> LabelledEmbeddings:
        """Embeddings of a split with its labels."""
        paths = [f"{split.root}/{path}" for path in split.paths]
        times = getattr(split, "times", None)
        labels = Labels(split.identities, split.cameras, paths, times)
        return LabelledEmbeddings(embedding, labels, name, split.dataset)

    @property
    def meta(self) -> ImageMeta:
        """What a re-ranker may know of these images."""
        return ImageMeta(self.labels.cameras, self.labels.times)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Rows) -> LabelledEmbeddings:
        index = np.arange(len(self))[rows]
        if len(index) == len(self) and (index == np.arange(len(self))).all():
            return self
        embedding = self.embedding[torch.from_numpy(index)]
        return replace(self, embedding=embedding, labels=self.labels[index])


def _array(values: ArrayLike) -> np.ndarray:
    return values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
