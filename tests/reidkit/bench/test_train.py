"""The training benchmark runs and compares like with like; no timing is asserted."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_it_runs_in_a_fresh_process_and_gives_both_rates():
    code = (
        "from reidkit.bench.train import run\n"
        "rows = run(steps=1, batch_size=2, height=32, width=16)\n"
        "assert [r.unit for r in rows] == ['images/s'] * 2, rows"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
