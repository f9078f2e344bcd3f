"""Whole commands: their peak memory and CPU seconds, and training on a busy machine.

Every command is a process of its own, as a user starts it. ``REIDKIT_BENCH_CONFIGS`` names the
configs ("folder/name,..."; default: the first row of every results page's plan); each is trained
for one epoch of its quick recipe, tested and extracted.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reidkit.bench.table import Row
from reidkit.config import config_path
from reidkit.engine.products.reproduce import read_plan

START = 4.0  # CPU seconds that a test of next to nothing may take
BUSY = 0.4  # share of the idle rate that training keeps beside two other loops
RATE = re.compile(r"(\d+) images/s")


def run() -> list[Row]:
    """The rows of the table."""
    chosen = os.environ.get("REIDKIT_BENCH_CONFIGS")
    configs = chosen.split(",") if chosen else _first_rows()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = [row for config in configs for row in _costs(folder, config)]
        return [*rows, *_busy(folder, configs[0])]


def _first_rows() -> list[str]:
    """The config of the first row of every plan, "folder/name"."""
    plans = Path(config_path("_base_/default.py")).parent.parent.glob("*/reproduce.yaml")
    firsts = (next(iter(read_plan(plan).runs.values()))["config"] for plan in sorted(plans))
    return [Path(first).with_suffix("").as_posix().removeprefix("configs/") for first in firsts]


def _costs(folder: Path, config: str) -> list[Row]:
    """Training for an epoch, testing and extracting, against importing torch."""
    run = folder / config.replace("/", "-")
    one = [f"settings.data_root={folder}", "settings.workers=0", "train.epochs=1"]
    tiny = folder / f"{run.name}-tiny"
    commands = {
        "data": ["train", config, "--work-dir", str(tiny), "data=synthped_tiny", *one],
        "render and label": ["train", config, "--work-dir", str(run), *one],
        "train, one epoch": ["train", config, "--work-dir", f"{run}-again", *one],
        "test": ["test", str(run), one[0]],
        "extract": ["extract", str(run), "--out", str(folder / f"{run.name}-store"), one[0]],
        "test of a tiny run": ["test", str(tiny), one[0]],
    }
    torch_mb, torch_cpu, _ = spent(["-c", "import torch"])
    rows = []
    for name, command in commands.items():
        megabytes, seconds, _ = spent(["-m", "reidkit.cli.main", *command])
        if name == "data":
            continue
        title = f"{config}: {name}"
        rows.append(Row(f"{title}, peak", "import torch", torch_mb, megabytes, "MB", False))
        rows.append(Row(title, "import torch", torch_cpu, seconds, "CPU s", False))
    return [*rows, Row(f"{config}: start", f"{START:g} s", START, seconds, "CPU s", False)]


def _busy(folder: Path, config: str) -> list[Row]:
    """Images a second of training, alone and beside two loops that never rest."""
    rates = []
    for loops in (0, 2):
        with busy(loops):
            command = ["train", config, "--work-dir", str(folder / f"busy{loops}")]
            more = [f"settings.data_root={folder}", "train.epochs=3"]
            _, _, text = spent(["-m", "reidkit.cli.main", *command, *more])
        rates.append(float(RATE.findall(text)[-1]))
    alone, beside = rates
    aim = Row("the same, share of the idle rate", f"{BUSY:g}", BUSY, beside / alone, "share")
    return [Row(f"{config}: beside two loops", "idle", alone, beside, "images/s"), aim]


@contextmanager
def busy(loops: int) -> Iterator[list[subprocess.Popen]]:
    """Keep as many processor cores busy as there are loops."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield others
    finally:
        for other in others:
            other.kill()
            other.wait()


def spent(arguments: Sequence[str]) -> tuple[float, float, str]:
    """Peak memory in MB, CPU seconds and output of one Python process.

    Raises:
        RuntimeError: it failed; with the end of its output.
    """
    megabytes = 0.0
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([sys.executable, *arguments], stdout=output, stderr=output)
        while True:
            done, status, used = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            megabytes = max(megabytes, _peak(process.pid))
            time.sleep(0.01)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"python {' '.join(arguments)} failed:\n{text[-2000:]}")
    return megabytes, used.ru_utime + used.ru_stime, text


def _peak(process: int) -> float:
    """The most memory that a process has had, MB; wait4 would count its parent's, too."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:  # it has just ended
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0
