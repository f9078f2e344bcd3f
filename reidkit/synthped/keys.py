"""Random numbers that depend on names only: one stream per (version, seed, what it is for)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np

from reidkit.synthped.presets import VERSION


def stream(*key: int | str) -> np.random.Generator:
    """A generator that is a pure function of ``key`` and the benchmark's version.

    Args:
        key: words and integers that name what the numbers are for.

    Example:
        >>> stream("body", 0, 7).random() == stream("body", 0, 7).random()
        True
        >>> stream("body", 0, 7).random() == stream("body", 7, 0).random()
        False
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key]
    entropy = [VERSION, len(key), *(word & 0xFFFFFFFF for word in words)]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))


def pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """One of the names, with probability proportional to its weight."""
    names = list(weights)
    edges = np.cumsum(list(weights.values()))
    return names[int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))]
