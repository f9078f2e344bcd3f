"""Frame samplers: which frames of a tracklet are looked at, in training and at the test.

A frame sampler is called with the tracklet's length F and a generator, or None for the fixed
choice of the test; it gives clips of frame indices (J, T). Training wants one clip (J = 1); at the
test the embeddings of the J clips are joined.
"""

from __future__ import annotations

import numpy as np

from reidkit.registry import FRAME_SAMPLERS


@FRAME_SAMPLERS.register_module()
class RandomFrames:
    """T frames anywhere in the tracklet, in temporal order; evenly spread at the test.

    Args:
        frames: number T.

    Shape:
        (length, generator) -> (1, T) int64. Tracklets shorter than T repeat their last frame.

    Raises:
        ValueError: frames or length below 1.

    Example:
        >>> RandomFrames(4)(9), RandomFrames(4)(2)
        (array([[1, 3, 5, 7]]), array([[0, 1, 1, 1]]))
    """

    def __init__(self, frames: int = 4):
        self.frames = at_least_one("frames", frames)

    def __call__(self, length: int, generator: np.random.Generator | None = None) -> np.ndarray:
        """See the class."""
        at_least_one("length", length)
        places = np.arange(self.frames, dtype=np.int64)
        if length < self.frames:
            places = np.minimum(places, length - 1)
        elif generator is not None:
            places = np.sort(generator.choice(length, self.frames, replace=False))
        else:
            places = (2 * places + 1) * length // (2 * self.frames)
        return places[None].astype(np.int64)


@FRAME_SAMPLERS.register_module()
class AllFrames:
    """Every frame in one clip: for tests, with models that take any number of frames.

    Args:
        at_most: longest clip; longer tracklets are thinned out evenly. None takes all.

    Shape:
        (length, generator) -> (1, T) int64, T = length or ``at_most``.

    Raises:
        ValueError: at_most or length below 1.

    Example:
        >>> AllFrames()(3), AllFrames(at_most=2)(9)
        (array([[0, 1, 2]]), array([[0, 4]]))
    """

    def __init__(self, at_most: int | None = None):
        self.at_most = None if at_most is None else at_least_one("at_most", at_most)

    def __call__(self, length: int, generator: np.random.Generator | None = None) -> np.ndarray:
        """See the class."""
        count = min(at_least_one("length", length), self.at_most or length)
        return (np.arange(count, dtype=np.int64) * length // count)[None]


@FRAME_SAMPLERS.register_module()
class DenseFrames:
    """Windows of T neighbouring frames that together hold every frame; their embeddings are joined.

    Args:
        frames: number T of a window.
        stride: frames from one window to the next; None puts them side by side.

    Shape:
        (length, generator) -> (J, T) int64. The last window ends with the last frame, which a
        tracklet shorter than T repeats. With a generator: one random window.

    Raises:
        ValueError: frames, stride or length below 1.

    Example:
        >>> DenseFrames(3)(7).tolist(), DenseFrames(3)(2).tolist()
        ([[0, 1, 2], [3, 4, 5], [4, 5, 6]], [[0, 1, 1]])
    """

    def __init__(self, frames: int = 6, stride: int | None = None):
        self.frames = at_least_one("frames", frames)
        self.stride = self.frames if stride is None else at_least_one("stride", stride)

    def __call__(self, length: int, generator: np.random.Generator | None = None) -> np.ndarray:
        """See the class."""
        last = max(0, at_least_one("length", length) - self.frames)
        starts = np.append(np.arange(0, last, self.stride), last)
        if generator is not None:
            starts = generator.integers(0, last + 1, 1)
        windows = starts[:, None] + np.arange(self.frames)
        return np.minimum(windows, length - 1).astype(np.int64)


def at_least_one(name: str, value: int) -> int:
    """The value; ``ValueError`` with its name if it is below 1."""
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return int(value)
