"""What JLML has to show on a GPU: its training step at the paper's size."""

from __future__ import annotations

from reidkit.bench.gpu.measurement import Measurement
from reidkit.bench.gpu.step import training_step


def step(tiny: bool) -> list[Measurement]:
    """Global and local branches with all their losses."""
    return training_step("jlml/jlml", tiny)
