"""What DRSA has to show on a GPU: the step of its last stage, all of it on clips."""

from __future__ import annotations

from reidkit.bench.gpu.measurement import Measurement
from reidkit.bench.gpu.step import training_step


def step(tiny: bool) -> list[Measurement]:
    """Clips of the paper's length and size with a ResNet-50."""
    return training_step("drsa/drsa", tiny)
