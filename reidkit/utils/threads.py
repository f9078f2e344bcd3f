"""How threads of a process wait for each other, and what to do about other work on the cores."""

from __future__ import annotations

import os

# Rounds that a thread of libgomp spins at a barrier before it sleeps; its own number is 300,000,
# a millisecond in which another process could have had the core. With more work than cores a
# training step took 1.8 times as long for it, and no less on an idle machine.
SPINS = "1000"


def limit_spinning() -> None:
    """Let waiting threads sleep soon; before torch is imported, or it has no effect.

    Whoever has set ``OMP_WAIT_POLICY`` or ``GOMP_SPINCOUNT`` keeps that.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def busy_machine(threads: int) -> str:
    """A line about other work that slows several threads down; empty where there is none.

    The threads of a training step wait for each other many times a step. Where one of them has to
    wait for a core, all do: with twice as much work as cores, one thread is several times as fast
    as two. The number is not changed without being asked, since sums depend on it in their last
    digit.

    Args:
        threads: of this process.

    Example:
        >>> busy_machine(1)
        ''
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if threads == 1 or load < 1 + (cores or 1):
        return ""
    return (
        f"busy    load {load:.0f} on {cores} cores: threads that wait for each other get little "
        "done; OMP_NUM_THREADS=1 is likely several times as fast"
    )
