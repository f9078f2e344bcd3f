"""What DG-Net has to show on a GPU: its whole iteration's speed and memory at the paper's size."""

from __future__ import annotations

from reidkit.bench.gpu.measurement import Measurement

from .bench import run


def iteration(tiny: bool) -> list[Measurement]:
    """All terms on, against plain float32; compiled and with checkpoints besides."""
    measured = []
    for row in run(**(dict(steps=1, full=False, warm=0, crops=4) if tiny else {})):
        if row.unit == "MB":
            limit = 16 * 1024.0 if "checkpointed" in row.name else None
            measured.append(Measurement(row.name, row.ours, "MB", limit, True))
            continue
        limit = 2.0 if row.name.endswith("channels_last") else None
        note = f"{row.ours:.3g} it/s, plain float32 {row.baseline:.3g}"
        measured.append(Measurement(row.name, row.ratio, "times", limit, note=note))
    return measured
