"""Appearance for trackers of other libraries: a frame and its boxes in, one vector per box out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reidkit.errors import UserError
from reidkit.evaluation.matchers.base import flat_vectors


class Appearance:
    """Vectors of length 1 whose cosine a tracker compares.

    Parts lie side by side, each at length 1 before: the cosine is the mean of the parts' cosines.
    What a part-aware matcher knows besides, as which parts are hidden, a tracker does not see.

    Args:
        model: of ``reidkit.load``.
        bgr: frames are OpenCV's; False: RGB.

    Raises:
        UserError: when called, a model that compares maps (QAConv).

    Example:
        >>> appearance = Appearance(reidkit.load("runs/mine"))               # doctest: +SKIP
        >>> appearance(frame, [[40, 10, 90, 160], [200, 15, 250, 170]]).shape    # doctest: +SKIP
        (2, 384)
    """

    def __init__(self, model: Any, bgr: bool = True):
        self.model, self.bgr = model, bgr

    def __call__(self, frame: NDArray[np.uint8], boxes: Any) -> NDArray[np.float32]:
        """Vectors of what lies in the boxes of a frame.

        Args:
            frame: (H, W, 3) uint8.
            boxes: x1, y1, x2, y2 in pixels, or ``Detections`` with such as their ``xyxy``; none is
                fine.

        Shape:
            boxes (N, 4); returns (N, D).

        Raises:
            ValueError: see ``Extractor``.
        """
        rows = np.asarray(getattr(boxes, "xyxy", boxes), np.float64)
        if not len(rows):
            return np.empty((0, self.embedding_dim), np.float32)
        return self._vectors(frame[..., ::-1] if self.bgr else frame, rows)

    def _vectors(self, rgb: NDArray[np.uint8], rows: Any) -> NDArray[np.float32]:
        embedding = self.model(rgb, boxes=rows)
        if embedding.vectors is None:
            raise UserError(
                f"{self.model.name}: compares maps, and trackers compare vectors; take a model "
                "with vectors, or link its tracks afterwards (reidkit link)"
            )
        return flat_vectors(embedding)

    def get_features(self, boxes: Any, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The same by boxmot's name and order, for ``reid_model=`` of its trackers."""
        return self(frame, boxes)

    @cached_property
    def embedding_dim(self) -> int:
        """D; the first time, one empty crop is embedded to learn it."""
        return self._vectors(np.zeros((128, 64, 3), np.uint8), [[0, 0, 64, 128]]).shape[1]

    @property
    def requirements(self) -> Any:
        """What boxmot's pipeline has to bring, by its protocol ``AppearanceEncoder``: boxes."""
        from boxmot.reid import EncoderRequirements

        return EncoderRequirements()

    def encode(self, frames: Sequence[Any], detections: Sequence[Any]) -> list[Tensor]:
        """Vectors for each frame, by boxmot's protocol ``AppearanceEncoder``.

        Args:
            frames: ``boxmot.structures.Frame``, whose images are (3, H, W) RGB.
            detections: of each, upright boxes.

        Shape:
            returns one (N, D) float32 tensor per frame.
        """
        own = Appearance(self.model, bgr=False)
        own.__dict__.update(embedding_dim=self.embedding_dim)
        return [
            torch.from_numpy(
                own(frame.image.permute(1, 2, 0).contiguous().numpy(), one.geometry.values)
            )
            for frame, one in zip(frames, detections, strict=True)
        ]
