"""A process that does one task as one package does it, each time it is asked; see ``stage``.

Arguments: PEER TASK FOLDER. It prints a line of JSON when it is ready, and one for each line it
reads: CPU seconds of all its threads, seconds, megabytes added at the peak, a result to compare.
The interpreter may be one that has no reidkit: this file imports numpy alone.
"""

import ctypes
import gc
import importlib
import json
import os
import sys
import time
from functools import cached_property
from pathlib import Path

import numpy as np


class Inputs:
    """What every peer is given.

    Args:
        folder: written by ``inputs``.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.facts = json.loads((folder / "facts.json").read_text())

    @cached_property
    def query(self) -> np.ndarray:
        """(Q, D) float32 unit vectors."""
        return np.load(self.folder / "query.npy")

    @cached_property
    def gallery(self) -> np.ndarray:
        """(G, D) float32 unit vectors."""
        return np.load(self.folder / "gallery.npy")

    @cached_property
    def labels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Identities of queries and gallery, then cameras of both, int64."""
        return tuple(np.load(self.folder / "labels.npz")[key] for key in ("q", "g", "qc", "gc"))

    @cached_property
    def files(self) -> list[str]:
        """JPEG crops."""
        return sorted(str(path) for path in (self.folder / "crops").glob("*.jpg"))


def peak_mb(reset: bool = False) -> float:
    """Largest resident memory since the last reset, in megabytes; 0 where Linux does not say."""
    try:
        if reset:
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, AttributeError, StopIteration):
        return 0.0


def main() -> None:
    """Prepare the task and serve."""
    peer, task, folder = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what packages print is not an answer
    try:
        module = importlib.import_module(f"with_{peer}")
        work = getattr(module, task)(Inputs(Path(folder)))
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers)
        return
    print(json.dumps({"ready": True}), file=answers)
    for _ in sys.stdin:
        before = peak_mb(reset=True)
        began, start = time.perf_counter(), time.process_time()
        found = work()
        spent = {"cpu": time.process_time() - start, "wall": time.perf_counter() - began}
        spent["mb"] = peak_mb() - before
        print(json.dumps(spent | {"result": found() if callable(found) else found}), file=answers)


if __name__ == "__main__":
    main()
