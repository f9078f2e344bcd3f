"""Series and axes of charts: where values lie, and which numbers stand at an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Series:
    """A line of a chart.

    Attributes:
        name: in the legend.
        x, y: (n,) points; those that are not finite are left out.
    """

    name: str
    x: ArrayLike
    y: ArrayLike

    def at(self, x: float) -> float:
        """The line's height between its points."""
        return float(np.interp(x, np.asarray(self.x), np.asarray(self.y)))


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis.

    Attributes:
        label: what it measures.
        low, high: its ends.
        log: logarithmic; both ends are above 0.
        percent: numbers are shown times 100.
    """

    label: str
    low: float
    high: float
    log: bool = False
    percent: bool = False

    def share(self, values: ArrayLike) -> NDArray[np.float64]:
        """Where values lie between the ends, 0..1."""
        ends = [self.low, self.high]
        numbers = np.asarray(values, np.float64)
        if self.log:
            ends = [math.log10(end) for end in ends]
            numbers = np.log10(np.maximum(numbers, 1e-300))
        return (numbers - ends[0]) / max(ends[1] - ends[0], 1e-12)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values between the ends, with their text."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.log10(self.high) + 1e-9
            values = [10.0**power for power in range(first, math.floor(last) + 1)]
        else:
            values = _round_steps(self.low, self.high)
        return [(value, self.text(value)) for value in values]

    def text(self, value: float) -> str:
        """A value as it stands at the axis."""
        number = 100 * value if self.percent else value
        return f"{number:.4g}".replace("e-0", "e-").replace("e+0", "e+")


def _round_steps(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` multiples of 1, 2 or 5 times a power of ten.

    Example:
        >>> _round_steps(0.0, 1.0)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    raw = max(high - low, 1e-12) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def axis_over(label: str, values: Sequence[ArrayLike], **options: bool) -> Axis:
    """A linear axis over the finite numbers of several arrays, or a logarithmic one.

    Args:
        label: of the axis.
        values: arrays of numbers.
        options: of ``Axis``.
    """
    every = np.concatenate([np.ravel(np.asarray(one, np.float64)) for one in values])
    every = every[np.isfinite(every)]
    if options.get("log"):
        every = every[every > 0]
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
    if high <= low:
        low, high = (
            (low * 0.9, high * 1.1) if options.get("log") and low > 0 else (low - 0.5, high + 0.5)
        )
    return Axis(label, low, high, **options)
