"""Rendering SynthPed: crops a second of one core, with their JPEGs and files."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import cv2

from reidkit.bench.table import Row
from reidkit.synthped import plan
from reidkit.synthped.shards import SHARD, render_shards

AIM = 250.0  # crops a second of a core
PRESETS = ("standard", "few_shot", "crowds", "hard")


def run(crops: int = 20 * SHARD) -> list[Row]:
    """Measure the first crops of every preset's domain A.

    Args:
        crops: of each preset.
    """
    cv2.setNumThreads(0)  # as in the processes that render
    rows = []
    for preset in PRESETS:
        items = plan.plan(preset, "A")[:crops]
        with tempfile.TemporaryDirectory() as folder:
            render_shards(Path(folder, "warm"), items[:8], 1, "")
            start, clock = time.process_time(), time.perf_counter()
            render_shards(Path(folder, "all"), items, 1, "")
            used, wall = time.process_time() - start, time.perf_counter() - clock
        name = f"rendering, {preset}"
        rows.append(Row(name, "aim", AIM, len(items) / used, "crops/CPU s"))
        rows.append(Row(f"{name}, by the clock", "aim", AIM, len(items) / wall, "crops/s"))
    return rows
