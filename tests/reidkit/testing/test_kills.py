"""Processes that are killed at a chosen moment, and what is known of them afterwards."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reidkit.testing.kills import end_all, ended, left_processes, litter, started
from reidkit.utils.io import atomic_write

ROOT = Path(__file__).parents[3]


def three_files(folder: Path) -> int:
    for name in "abc":
        with atomic_write(folder / name) as file:
            file.write(b"whole")
    return 3


def test_moments_are_counted_and_killed_at(tmp_path):
    assert ended(started(lambda: three_files(tmp_path), tmp_path)) == 3
    moments = (tmp_path / "moments").read_text().splitlines()
    assert [line.split()[0] for line in moments].count("rename") == 3
    at = moments.index(next(line for line in moments if line.startswith("rename /.b.")))
    for name in "abc":
        (tmp_path / name).unlink()
    process = started(lambda: three_files(tmp_path), tmp_path, at + 1)
    assert ended(process) == -signal.SIGKILL and left_processes(process) == 0
    assert (tmp_path / "a").exists() and not (tmp_path / "b").exists()
    assert len(litter(tmp_path)) == 1 and litter(tmp_path)[0].startswith(".b.")


def test_a_process_that_is_left_is_seen(tmp_path):
    def work() -> None:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
        (tmp_path / "file").touch()
        time.sleep(30)

    process = started(work, tmp_path, 1)
    assert ended(process) == -signal.SIGKILL
    assert left_processes(process, seconds=0.1) == 1
    os.killpg(process, signal.SIGKILL)
    assert left_processes(process) == 0


def test_processes_of_a_campaign_that_is_broken_off_are_ended(tmp_path):
    def work() -> None:
        (tmp_path / "began").touch()
        time.sleep(60)

    done, running = started(lambda: 0, tmp_path), started(work, tmp_path)
    assert ended(done) == 0
    while not (tmp_path / "began").exists():
        time.sleep(0.01)
    end_all([done, running])
    assert left_processes(running) == 0
    with pytest.raises(ChildProcessError):
        os.waitpid(running, 0)


def test_an_exception_is_a_status_of_its_own(tmp_path):
    assert ended(started(lambda: 1 // 0, tmp_path)) == 99
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()


def test_a_kind_of_work_that_does_not_exist_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "tools")
    chaos = importlib.import_module("chaos")
    with pytest.raises(SystemExit):
        chaos.main(["--only", "rendr", "--work", str(tmp_path)])
    assert "--only rendr: no such work; there are: render, " in capsys.readouterr().err


@pytest.mark.slow
def test_a_small_campaign(tmp_path):
    command = [sys.executable, "tools/chaos.py", "--points", "3", "--only", "render"]
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- chaos: begin -->\nold\n<!-- chaos: end -->\nafter\n")
    done = subprocess.run(
        [*command, "--json", str(tmp_path / "x.json"), "--page", str(page)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    trials = json.loads((tmp_path / "x.json").read_text())["trials"]
    assert sum(len(trial["kills"]) for trial in trials) >= 3
    assert not any(trial["problems"] for trial in trials)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| render | " in text


@pytest.mark.slow
def test_workers_of_a_killed_render_end_with_it(tmp_path):
    from reidkit.cli.synthped import main

    arguments = ["--preset", "easy", "--domains", "A", "--workers", "2", "--root", str(tmp_path)]
    process = started(lambda: main(arguments), tmp_path)
    images = tmp_path / "synthped"
    while not (images.exists() and any(images.rglob("*.jpg"))):  # by its workers
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)
    assert ended(process) == -signal.SIGKILL and left_processes(process, seconds=60) == 0
