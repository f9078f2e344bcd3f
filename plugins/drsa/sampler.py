"""Restricted random sampling: one frame from every chunk of the tracklet.

Shapes: F frames of a tracklet, N chunks and frames taken.
"""

from __future__ import annotations

import numpy as np

from reidkit.registry import FRAME_SAMPLERS

RULES = ("balanced", "ceil_pad", "trunc")


@FRAME_SAMPLERS.register_module()
class RandomChunk:
    """A tracklet in N chunks of equal duration: a random frame of each, or each one's first.

    Args:
        frames: number N of chunks.
        rule: how F frames make N chunks. "balanced": chunk i is [floor(iF/N), floor((i+1)F/N)),
            all frames can be drawn, sizes differ by one at most. "ceil_pad": chunks of ceil(F/N),
            the last frame repeated to fill them. "trunc": chunks of floor(F/N), the last F mod N
            frames are never seen.
        offsets: clips taken at the test: the first frames of the chunks, and further clips at equal
            distances within the chunks, whose embeddings are joined. 1 is the paper's.

    Shape:
        (F, generator) -> (1, N) int64, one uniform draw per chunk; (F, None) -> (offsets, N).
        Tracklets shorter than N give every frame once and repeat the last, without randomness.

    Raises:
        ValueError: unknown rule; frames, offsets or F below 1.

    Source:
        DRSA, arXiv 1803.09882, 3.1 (restricted random sampling). Remainders and padding are not
        stated there: "balanced" is ours, the others those of two public implementations.

    Example:
        >>> RandomChunk(6)(16).tolist(), RandomChunk(6, rule="ceil_pad")(16).tolist()
        ([[0, 2, 5, 8, 10, 13]], [[0, 3, 6, 9, 12, 15]])
        >>> RandomChunk(6)(4, np.random.default_rng(0)).tolist()
        [[0, 1, 2, 3, 3, 3]]
    """

    def __init__(self, frames: int = 6, rule: str = "balanced", offsets: int = 1):
        if rule not in RULES:
            raise ValueError(f"RandomChunk: rule must be one of {RULES}, got {rule!r}")
        if frames < 1 or offsets < 1:
            raise ValueError(
                f"RandomChunk: frames and offsets must be at least 1, got {frames} and {offsets}"
            )
        self.frames, self.rule, self.offsets = int(frames), rule, int(offsets)

    def __call__(self, length: int, generator: np.random.Generator | None = None) -> np.ndarray:
        """See the class."""
        if length < 1:
            raise ValueError(f"RandomChunk: a tracklet of {length} frames has no chunks")
        edges = self.edges(length)
        starts, sizes = edges[:-1], np.diff(edges)
        if generator is not None:
            taken = starts + np.floor(generator.random(self.frames) * sizes).astype(np.int64)
            return np.minimum(taken, length - 1)[None]
        clips = [starts + sizes * i // self.offsets for i in range(self.offsets)]
        return np.minimum(np.stack(clips), length - 1)

    def edges(self, length: int) -> np.ndarray:
        """Where the chunks start, and where the last one ends: (N + 1,) int64.

        Beyond ``length`` lies padding with the last frame.
        """
        steps = np.arange(self.frames + 1, dtype=np.int64)
        if length < self.frames:
            return steps
        if self.rule == "balanced":
            return steps * length // self.frames
        if self.rule == "ceil_pad":
            return steps * -(-length // self.frames)
        return steps * (length // self.frames)
