"""Signals end a command in order: words, exit status, nothing half written, no children left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reidkit.cli.common import run_cli
from reidkit.utils.signals import Stopped, signals_as_exceptions

WRITING = """
import sys, time
from reidkit.cli.common import entry_point
from reidkit.utils.io import atomic_write

def main(argv):
    with atomic_write(argv[0]) as file:
        file.write(b"half")
        file.flush()
        try:
            print("writing", flush=True)
            time.sleep(60)
        except KeyboardInterrupt as stop:
            stop.add_note("go on with: this")
            raise

entry_point(main)
"""
WORKERS = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from reidkit.utils.signals import end_with_parent

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context, initializer=end_with_parent) as pool:
        tasks = [pool.submit(os.getpid) for _ in range(8)]
        print(*{task.result() for task in tasks}, flush=True)
        time.sleep(60)
"""


def started(script: str, *arguments: str, **options) -> tuple[subprocess.Popen, str]:
    """A process of the script, and the first line that it prints."""
    process = subprocess.Popen(
        [sys.executable, script, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip
    return process, process.stdout.readline().strip()


@pytest.fixture(autouse=True)
def usual_signals():
    """As in a terminal: children inherit what nohup and shells' background jobs ignore."""
    usual = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {one: signal.signal(one, handler) for one, handler in usual.items()}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGTERM, 143, "stopped by SIGTERM\ngo on with: this\n"),
        (signal.SIGHUP, 129, "stopped by SIGHUP\ngo on with: this\n"),
        (signal.SIGINT, 130, "interrupted\ngo on with: this\n"),
    ],
)
def test_words_status_and_nothing_half_written(tmp_path, number, status, said):
    (tmp_path / "script.py").write_text(WRITING)
    process, line = started(str(tmp_path / "script.py"), str(tmp_path / "file"))
    assert line == "writing"
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (status, said)
    assert os.listdir(tmp_path) == ["script.py"]


def test_handlers_are_only_there_within_the_block():
    with pytest.raises(Stopped, match="stopped by SIGTERM"), signals_as_exceptions():
        assert callable(signal.getsignal(signal.SIGTERM))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_nohup_is_heeded():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_as_exceptions():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.01)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_forked_children_end_as_usual():
    with signals_as_exceptions():
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        time.sleep(0.05)
        os.kill(child, signal.SIGTERM)
        _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM


def test_a_lost_terminal_hears_nothing(monkeypatch):
    class Lost:
        def write(self, text):
            raise OSError(5, "Input/output error")

        flush = write

    monkeypatch.setattr(sys, "stderr", Lost())

    def stop(argv):
        raise Stopped(signal.SIGHUP)

    assert run_cli(stop, []) == 129


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(tmp_path):
    (tmp_path / "script.py").write_text(WORKERS)
    process, line = started(str(tmp_path / "script.py"))
    workers = [int(number) for number in line.split()]
    assert workers and all(Path(f"/proc/{number}").exists() for number in workers)
    process.kill()
    process.communicate()
    deadline = time.time() + 30
    while any(_runs(number) for number in workers) and time.time() < deadline:
        time.sleep(0.05)
    assert not any(_runs(number) for number in workers)


def _runs(number: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except OSError:
        return False
