"""A labeller without a network."""

import numpy as np
import pytest


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
        """(N, 17, 3): the crop's mean colour, repeated; blue as confidence."""
        if self.stop_after is not None and self.calls >= self.stop_after:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)
        self.calls += 1
        means = np.stack([image.reshape(-1, 3).mean(0) for image in images]) / (1, 1, 255)
        return np.repeat(means[:, None, :], 17, axis=1).astype(np.float32)
