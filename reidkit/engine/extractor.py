"""Images in, embeddings out: the trained model of one run for use from Python."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.engine.calibrate import read_open_set
from reidkit.engine.crop_inputs import Crop, Given, as_crops
from reidkit.engine.fingerprint import model_fingerprint
from reidkit.engine.ready import open_model
from reidkit.evaluation.open_set import OpenSet
from reidkit.structures import Embedding, Field, ReIDBatch


class Extractor:
    """Embeddings of any crops by a finished run or a ready network, equal to those of its test.

    Args:
        model: the run folder, of which nothing is executed, or a network (``open_model``).
        overrides: of its config, as on the command line.
        weights: file of a network.
        launcher: "none", or as ``start_processes`` for several processes.

    Example:
        >>> extractor = Extractor("runs/eanet-pcb-synthped-quick-s0")  # doctest: +SKIP
        >>> extractor(["a.jpg", pil_image, array]).vectors.shape       # doctest: +SKIP
        torch.Size([3, 6, 64])
    """

    def __init__(
        self,
        model: str | Path,
        overrides: Sequence[str] = (),
        weights: str | Path | None = None,
        launcher: str = "none",
    ):
        self.run = open_model(model, overrides, weights, launcher)
        self.cfg, self.model, self.matcher = self.run.cfg, self.run.model, self.run.model.matcher

    @cached_property
    def labeller(self) -> Any:
        """The run's keypoint labeller, as for its first domain; built when images need it."""
        return self.run.domains.labeller()

    @property
    def name(self) -> str:
        """What the model was opened as."""
        return str(self.run.folder)

    @cached_property
    def fingerprint(self) -> str:
        """Of weights, input and matcher: a gallery takes embeddings of equal ones alone."""
        return model_fingerprint(self.cfg, self.model)

    @cached_property
    def open_set(self) -> OpenSet | None:
        """What the thresholds of the run come from; None where it held no people out."""
        return read_open_set(self.run.folder, self.fingerprint)

    def __call__(
        self,
        images: Given | Sequence[Given],
        batch_size: int = 64,
        cameras: int | Sequence[int] | None = None,
        boxes: Any = None,
    ) -> Embedding:
        """Embed crops, with keypoints from the run's labeller where the method pools by them.

        Files are read, and crops resized, batch by batch.

        Args:
            images: one crop or a list of them, each a path, the bytes of an image file, a PIL
                image or an (H, W, 3) uint8 RGB array of any size; or an (N, H, W, 3) array. They
                are resized as in the run's test (``input.resize``), and files are decoded as there.
                OpenCV's arrays are BGR: ``image[..., ::-1]`` is RGB.
            batch_size: crops in one forward pass, >= 1.
            cameras: of the images, for models that use them; one number is that of all.
            boxes: x1, y1, x2, y2 of each crop in pixels, (N, 4); ``images`` is then one frame, out
                of which they are cut. What reaches beyond the frame is left out.

        Shape:
            returns vectors (N, P, D) float32 in main memory, and what else the head gives.

        Raises:
            ValueError: no images or boxes; one that is empty or of another form, by its number;
                not as many cameras as images.
            TypeError: something else than images.
            UserError: a file that cannot be read or is no image.

        Example:
            >>> extractor = Extractor("runs/eanet-pcb-synthped-quick-s0")         # doctest: +SKIP
            >>> people = extractor("frame.jpg", boxes=[[40, 10, 90, 160]])        # doctest: +SKIP
            >>> gallery = extractor(["a.jpg", "b.jpg"])                           # doctest: +SKIP
            >>> extractor.matcher(people, gallery).argmin(dim=1)                  # doctest: +SKIP
            tensor([1])
        """
        crops = as_crops(images, boxes)
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")
        numbers = None if cameras is None else _cameras(cameras, len(crops))
        embeddings = []
        for start in range(0, len(crops), batch_size):
            batch = self._batch(crops[start : start + batch_size])
            if numbers is not None:
                batch.cameras = torch.from_numpy(numbers[start : start + batch_size])
            embeddings.append(self.model.embed(batch).cpu())
        return Embedding.cat(embeddings)

    def _batch(self, crops: Sequence[Crop]) -> ReIDBatch:
        """Crops as the loader of the run's test gives them."""
        height, width = self.cfg.input.size
        pixels = np.empty((len(crops), height, width, 3), np.uint8)
        sizes = [
            crop.into(place, self.cfg.input.resize)
            for place, crop in zip(pixels, crops, strict=True)
        ]
        fields = {"image_sizes": Field(torch.tensor(sizes))}
        if "keypoints" in self.run.domains.plan.test:
            # float32 is what a label store keeps
            points = self.labeller.label([crop.pixels for crop in crops])
            joints = torch.from_numpy(np.asarray(points, np.float32))
            fields["keypoints"] = Field(joints.double())
        return ReIDBatch(
            torch.from_numpy(pixels).permute(0, 3, 1, 2),  # (N, 3, H, W), channels_last in memory
            fields=fields,
        )


def _cameras(cameras: Any, count: int) -> np.ndarray:
    """Cameras of the crops, (count,) int64."""
    numbers = np.asarray(cameras)
    if not np.issubdtype(numbers.dtype, np.integer) or numbers.ndim > 1:
        raise ValueError(f"cameras must be whole numbers, got {str(cameras)[:60]}")
    if numbers.ndim == 1 and len(numbers) != count:
        raise ValueError(f"{len(numbers)} cameras for {count} images")
    return np.broadcast_to(numbers, (count,)).astype(np.int64)
