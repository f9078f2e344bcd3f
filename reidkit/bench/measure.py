"""CPU seconds and memory of pieces of work, measured in one process."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any


def cpu_seconds(
    works: Mapping[Any, Callable[[], Any]], times: int
) -> tuple[dict[Any, float], dict[Any, Any]]:
    """Least CPU seconds of each work over interleaved runs, and what its last run returned."""
    best = dict.fromkeys(works, float("inf"))
    results = {}
    for _ in range(times):
        for name, work in works.items():
            start = time.process_time()
            results[name] = work()
            best[name] = min(best[name], time.process_time() - start)
    return best, results


def _give_back() -> None:
    """Return this process' free memory to the system: its reuse would hide what is added."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def extra_mb(work: Callable[[], object]) -> float:
    """Megabytes of main memory that a piece of work adds at its peak, looked at every 2 ms."""
    page = os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def resident() -> float:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * page

    _give_back()
    before = peak = resident()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, resident())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(peak, resident()) - before


def peak_bytes(work: Callable[[], object], device: str) -> float:
    """Bytes allocated at the peak of a piece of work beyond what was there before.

    Args:
        device: "cuda" takes the GPU's own count; "cpu" the sum over the profiler's events, which
            sees what torch allocates and nothing else.
    """
    import torch

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    # not torch.profiler's: that makes objects of all events, three times as long as the work
    with torch.autograd.profiler.profile(profile_memory=True) as seen:
        work()
    held = peak = 0
    for event in seen.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak
