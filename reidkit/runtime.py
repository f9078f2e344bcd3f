"""Exported ONNX models without torch: numpy and onnxruntime are all that this module imports.

```python
from reidkit.runtime import Runtime

model = Runtime("pcb/model.onnx")
vectors = model(list_of_rgb_crops)["embedding"]
```
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidkit.errors import UserError

KEY = "reidkit"  # of the file's metadata
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, for files that want it


class Runtime:
    """A model that ``reidkit export --to onnx`` has written: crops in, arrays out.

    Args:
        file: the ONNX file.
        providers: of onnxruntime, in order ("CUDAExecutionProvider"); the processor's by default.
        threads: of one run; 0 leaves it to onnxruntime.

    Attributes:
        facts: what the file says of itself: ``size``, ``pixels``, ``any_size``, ``parts``, ...
        session: onnxruntime's.

    Raises:
        UserError: onnxruntime is missing, no such file, or an ONNX file of something else.
    """

    def __init__(
        self,
        file: str | Path,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        threads: int = 0,
    ):
        try:
            import onnxruntime
        except ImportError:
            raise UserError(
                "exported models need onnxruntime: python -m pip install onnxruntime"
            ) from None
        if not Path(file).is_file():
            raise UserError(f"{file}: no such file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self.session = onnxruntime.InferenceSession(str(file), options, list(providers))
        except Exception as error:  # onnxruntime has an exception of its own for each reason
            raise UserError(f"{file}: onnxruntime cannot run it ({str(error)[:200]})") from None
        found = self.session.get_modelmeta().custom_metadata_map.get(KEY)
        if found is None:
            raise UserError(f"{file}: not written by reidkit export")
        self.facts: dict[str, Any] = json.loads(found)
        self.names = [output.name for output in self.session.get_outputs()]

    def __call__(
        self,
        images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
        keypoints: NDArray[np.floating] | None = None,
        batch_size: int = 32,
    ) -> dict[str, NDArray[np.float32]]:
        """Embed crops; those of one size are run together.

        Args:
            images: (H, W, 3) uint8 RGB arrays of any size, where ``any_size`` is a fact of the
                file; else of its ``size``.
            keypoints: (N, 17, 3): x, y in pixels of each crop, and confidence; for models that
                take them.
            batch_size: crops in one run, >= 1.

        Returns:
            Output -> array with a row for each crop: "embedding" (N, P * D), and "visibility"
            (N, P) or "maps" (N, C, h, w) where the model gives them.

        Raises:
            ValueError: no crops, another form of crops or keypoints, or a size that does not fit.
        """
        crops = list(images)
        if not crops or any(c.ndim != 3 or c.shape[2] != 3 or c.dtype != np.uint8 for c in crops):
            raise ValueError("expected crops, (H, W, 3) uint8 RGB arrays")
        points = self._points(keypoints, len(crops))
        by_size: dict[tuple[int, ...], list[int]] = {}
        for row, crop in enumerate(crops):
            by_size.setdefault(crop.shape, []).append(row)
        size = tuple(self.facts["size"])
        if not self.facts["any_size"] and set(by_size) != {(*size, 3)}:
            raise ValueError(f"this file takes crops of {size[0]}x{size[1]} pixels alone")
        out: dict[str, NDArray[np.float32]] = {}
        for rows in by_size.values():
            for start in range(0, len(rows), batch_size):
                chosen = rows[start : start + batch_size]
                feed = {"images": self._pixels(np.stack([crops[row] for row in chosen]))}
                if points is not None:
                    feed["keypoints"] = points[chosen]
                results = self.session.run(self.names, feed)
                for name, values in zip(self.names, results, strict=True):
                    place = out.setdefault(
                        name, np.empty((len(crops), *values.shape[1:]), values.dtype)
                    )
                    place[chosen] = values
        return out

    def _points(self, keypoints: Any, count: int) -> NDArray[np.float32] | None:
        if not self.facts["keypoints"]:
            return None
        points = np.asarray([] if keypoints is None else keypoints, np.float32)
        if points.shape != (count, 17, 3):
            raise ValueError(f"this model takes keypoints ({count}, 17, 3), got {points.shape}")
        return points

    def _pixels(self, crops: NDArray[np.uint8]) -> NDArray[Any]:
        """Crops as the file takes them."""
        planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
        if self.facts["pixels"] == "uint8":
            return planes
        values = planes.astype(np.float32) / 255
        if self.facts["pixels"] == "imagenet":
            mean, std = (np.array(n, np.float32).reshape(1, 3, 1, 1) for n in (MEAN, STD))
            values = (values - mean) / std
        return values
