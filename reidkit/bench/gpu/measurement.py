"""One number measured on a device, what is wanted of it, and the clock that it is read from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Measurement:
    """One row of the page.

    Args:
        what: was measured.
        value: its number.
        unit: "crops/s", "s", "times", "%", ...
        wanted: limit; None where nothing is promised.
        most: the limit is an upper one; else a lower one.
        note: what the number rests on, such as the baseline's own number.

    Example:
        >>> Measurement("ranking", 0.02, "s", 0.03, most=True).verdict
        'yes'
    """

    what: str
    value: float
    unit: str
    wanted: float | None = None
    most: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """ "yes", "no", or empty where nothing is promised."""
        if self.wanted is None:
            return ""
        return (
            "yes" if (self.value <= self.wanted) == self.most or self.value == self.wanted else "no"
        )

    @property
    def limit(self) -> str:
        """What is wanted, as text."""
        return "" if self.wanted is None else f"{'≤' if self.most else '≥'} {self.wanted:g}"


def device() -> torch.device:
    """The GPU, or the CPU where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seconds(work: Callable[[], Any], times: int = 5, warm: int = 2) -> float:
    """Least seconds of a piece of work on the device, whose queue is empty before and after.

    Args:
        work: to be run.
        times: measured runs.
        warm: runs before that are not measured: kernels are chosen and memory is taken in them.
    """
    wait = torch.cuda.synchronize if torch.cuda.is_available() else (lambda: None)
    best = float("inf")
    for number in range(warm + times):
        wait()
        start = time.perf_counter()
        work()
        wait()
        if number >= warm:
            best = min(best, time.perf_counter() - start)
    return best
