"""Random numbers that depend on names only: one stream per (version, seed, what it is for)."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache

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
    # as an array: numpy turns each number of a list into one of its own, ten times as slow
    entropy = np.array([VERSION, len(key), *(word & 0xFFFFFFFF for word in words)], np.uint32)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))


def pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """One of the names, with probability proportional to its weight."""
    names, edges = _edges(tuple(weights.items()))
    return names[bisect_right(edges, rng.random() * edges[-1])]


@lru_cache(maxsize=64)
def _edges(weights: tuple[tuple[str, float], ...]) -> tuple[list[str], list[float]]:
    names, shares = zip(*weights, strict=True)
    return list(names), np.cumsum(shares).astype(float).tolist()
