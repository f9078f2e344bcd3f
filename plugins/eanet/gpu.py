"""What EANet has to show on a GPU: its training step, and training by `torchrun` with nccl."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from reidkit.bench.gpu.measurement import Measurement
from reidkit.bench.gpu.step import training_step

ROOT = Path(__file__).resolve().parents[2]


def step(tiny: bool) -> list[Measurement]:
    """The whole method, part segmentation on both domains, with a ResNet-50."""
    return training_step("eanet/pap_st_ps", tiny)


def nccl(tiny: bool) -> list[Measurement]:
    """One epoch in a process group of one process (gloo where there is no GPU)."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "1"]
    command += ["--master_port", "0", "tools/train.py", "eanet/pcb", "data=synthped_tiny"]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command += ["train.epochs=1", "settings.workers=0", "settings.pictures=False"]
        command += [f"settings.data_root={folder}/data", "--work-dir", f"{folder}/run"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        ended = done.returncode == 0 and Path(folder, "run/metrics.json").is_file()
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    took = f"{time.perf_counter() - began:.0f} s, rendering included"
    note = took if ended else (done.stderr or done.stdout)[-500:]
    return [
        Measurement(
            f"training by torchrun, {backend}: failures", int(not ended), "runs", 0, True, note
        )
    ]
