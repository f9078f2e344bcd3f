"""Images in, embeddings out: the trained model of one run for use from Python."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.data.decode import resize_into
from reidkit.engine.run import Run
from reidkit.structures import Embedding, Field, ReIDBatch


class Extractor:
    """Embeddings of any crops by a finished run, equal to those of the run's own test.

    Args:
        folder: the run folder; nothing in it is executed.
        overrides: of its config, as on the command line.

    Example:
        >>> extractor = Extractor("runs/eanet-pcb-synthped-quick-s0")  # doctest: +SKIP
        >>> extractor(list_of_rgb_crops).vectors.shape                 # doctest: +SKIP
        torch.Size([8, 6, 64])
    """

    def __init__(self, folder: str | Path, overrides: Sequence[str] = ()):
        self.run = Run.open(folder, overrides)
        self.cfg, self.model, self.matcher = self.run.cfg, self.run.model, self.run.model.matcher

    @cached_property
    def labeller(self) -> Any:
        """The run's keypoint labeller, built when the first images need it."""
        return self.run.domains.labeller()

    def __call__(
        self,
        images: Sequence[np.ndarray],
        batch_size: int = 64,
        cameras: Sequence[int] | None = None,
    ) -> Embedding:
        """Embed crops, with keypoints from the run's labeller where the method pools by them.

        Args:
            images: (H, W, 3) uint8 RGB arrays of any size; they are resized as in the run's test
                (``input.resize``). For "pil", decode files with PIL, as the run does.
            batch_size: crops in one forward pass.
            cameras: of the images, for models that use them.

        Shape:
            returns vectors (N, P, D) float32 in main memory, and what else the head gives.

        Raises:
            ValueError: no images, one that is not (H, W, 3) uint8, or as many cameras as images.
        """
        if not images:
            raise ValueError("Extractor needs at least one image")
        for i, image in enumerate(images):
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise ValueError(
                    f"image {i} must be (H, W, 3) uint8, got {image.shape} {image.dtype}"
                )
        if cameras is not None and len(cameras) != len(images):
            raise ValueError(f"{len(cameras)} cameras for {len(images)} images")
        starts = range(0, len(images), batch_size)
        batches = [self._batch(images[i : i + batch_size]) for i in starts]
        if cameras is not None:
            for i, batch in zip(starts, batches, strict=True):
                batch.cameras = torch.tensor(cameras[i : i + batch_size])
        return Embedding.cat([self.model.embed(batch).cpu() for batch in batches])

    def _batch(self, images: Sequence[np.ndarray]) -> ReIDBatch:
        """Crops as the loader of the run's test gives them."""
        height, width = self.cfg.input.size
        pixels = np.empty((len(images), height, width, 3), np.uint8)
        for place, image in zip(pixels, images, strict=True):
            resize_into(place, image, self.cfg.input.resize)
        sizes = torch.tensor([image.shape[:2] for image in images])
        fields = {"image_sizes": Field(sizes)}
        if "keypoints" in self.run.domains.plan.test:
            # float32 is what a label store keeps
            points = np.asarray(self.labeller.label(list(images)), np.float32)
            fields["keypoints"] = Field(torch.from_numpy(points).double())
        return ReIDBatch(
            torch.from_numpy(pixels).permute(0, 3, 1, 2),  # (N, 3, H, W), channels_last in memory
            fields=fields,
        )
