"""When a crop was taken, read off file names: seconds on its camera's clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reidkit.data.split import Split

MARKET = re.compile(r"-?\d+_c(\d{1,18})s(\d{1,18})_(-?\d{1,18})(?!\d)")
MARKET_RATE = 25.0  # frames per second
DUKE = re.compile(r"-?\d+_c(\d{1,18})_f(\d{1,18})(?!\d)")
DUKE_RATE = 59.94
# frame at which each camera of DukeMTMC started, on a common count
DUKE_STARTS = (5542, 3606, 27243, 31181, 0, 22401, 18967, 46765)

Seconds = Callable[[Sequence[str]], NDArray[np.float64] | None]


def with_times(splits: dict[str, Split], seconds: Seconds) -> dict[str, Split]:
    """The splits of one data set with the times that their file names tell, if they do.

    Args:
        splits: all of them, since a session's length shows only in all files together.
        seconds: base names of all splits -> seconds, or None where names tell no times.
    """
    names = [path.rpartition("/")[2] for split in splits.values() for path in split.paths]
    moments = seconds(names)
    if moments is None:
        return splits
    ends = np.cumsum([len(split) for split in splits.values()])[:-1]
    parts = np.split(moments, ends)
    return {
        key: replace(split, times=part)
        for (key, split), part in zip(splits.items(), parts, strict=True)
    }


def market_seconds(names: Sequence[str], doubled: bool = False) -> NDArray[np.float64] | None:
    """Seconds from names such as ``0002_c1s1_000451_03.jpg``: camera 1, session 1, frame 451.

    Frames count from the start of a session, so the sessions of each camera are put one after
    another: a session begins where the last frame of the one before lies.

    Args:
        names: base names of all splits.
        doubled: move sessions further apart, as QAConv's released code does, which adds to each
            session's length where it began. Times within a session are the same.

    Returns:
        (M,) seconds, or None when a name has another form.

    Source:
        QAConv, arXiv 1904.10424, released code. Departure: see ``doubled``.

    Example:
        >>> market_seconds(["1_c1s1_100_0.jpg", "1_c1s2_025_0.jpg", "1_c2s1_050_0.jpg"]).tolist()
        [4.0, 5.0, 2.0]
    """
    numbers = _numbers(names, MARKET)
    if numbers is None:
        return None
    out = np.empty(len(numbers))
    for camera in np.unique(numbers[:, 0]):
        mine = numbers[:, 0] == camera
        start = 0
        for session in range(1, int(numbers[mine, 1].max()) + 1):
            now = mine & (numbers[:, 1] == session)
            out[now] = (numbers[now, 2] + start) / MARKET_RATE
            length = int(numbers[now, 2].max(initial=0))
            start += length + (start if doubled else 0)
    return out


def duke_seconds(names: Sequence[str]) -> NDArray[np.float64] | None:
    """Seconds from names such as ``0001_c2_f0046182.jpg``: camera 2, frame 46182.

    Source:
        QAConv, arXiv 1904.10424, released code (up to version 2.1).

    Example:
        >>> duke_seconds(["0001_c5_f0005994.jpg"]).tolist(), duke_seconds(["0001_c1s1_01.jpg"])
        ([100.0], None)
    """
    numbers = _numbers(names, DUKE)
    if numbers is None or numbers[:, 0].max(initial=1) > len(DUKE_STARTS):
        return None
    return (numbers[:, 1] + np.take(DUKE_STARTS, numbers[:, 0] - 1)) / DUKE_RATE


def _numbers(names: Sequence[str], pattern: re.Pattern[str]) -> NDArray[np.int64] | None:
    """The groups of every name as integers; None when one does not fit."""
    found = [pattern.match(name) for name in names]
    if not all(found):
        return None
    return np.array([m.groups() for m in found if m], dtype=np.int64).reshape(len(names), -1)
