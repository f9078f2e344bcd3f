"""Small crops on disk, a labeller without a network, the default scope kept."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from reidkit.data.split import Split


def smooth(seed: int, height: int, width: int) -> np.ndarray:
    """A crop with structure at the scale of limbs, (H, W, 3) uint8 RGB."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def crops(tmp_path: Path):
    """Makes a split of JPEG crops whose sizes differ."""

    def make(count: int = 10, key: str = "toy/train", folder: str = "images") -> Split:
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        names = [f"{i:04d}_c{i % 3}.jpg" for i in range(count)]
        for i, name in enumerate(names):
            (root / name).write_bytes(simplejpeg.encode_jpeg(smooth(i, 40 + i, 20 + i % 4)))
        ids = np.arange(count) // 2
        return Split("toy", "train", root, tuple(names), ids, np.arange(count) % 3, label_key=key)

    return make


@pytest.fixture
def crop():
    """Makes one crop in memory; see ``smooth``."""
    return smooth


@pytest.fixture
def mean_labeller():
    """The class of a labeller without a network."""
    return MeanLabeller


class MeanLabeller:
    """Joints computed from the pixels, so that a mixed-up row would be noticed."""

    batch_size = 3

    def __init__(self, version: int = 1, stop_after: int | None = None):
        self.provenance = {"config": "mean", "weights_sha256": f"v{version}"}
        self.calls, self.stop_after = 0, stop_after

    def label(self, images):
        """(N, 17, 3): the crop's mean colour, repeated."""
        if self.stop_after is not None and self.calls >= self.stop_after:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)
        self.calls += 1
        means = np.stack([image.reshape(-1, 3).mean(0) for image in images])
        return np.repeat(means[:, None, :], 17, axis=1).astype(np.float32)
