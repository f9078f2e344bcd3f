"""Fixtures for the whole suite: one rendered data set, and command lines as a user runs them."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory, worker_id) -> Path:
    """One folder for all workers of this test session."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def easy_data(shared_folder) -> Path:
    """A data root with SynthPed's easy preset, domains A and B, rendered once."""
    from reidkit.synthped.reader import SynthPed

    root = shared_folder / "data"
    with open(shared_folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for domain in ("A", "B"):
            SynthPed(str(root), domain=domain, preset="easy").prepare()
    return root


@pytest.fixture
def run_command():
    """Run ``python -m reidkit.cli.main ARGS`` in a process of its own; returns the finished one."""

    def run(*args: str, env: dict | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "reidkit.cli.main", *map(str, args)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
            timeout=600,
        )

    return run
