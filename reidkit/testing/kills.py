"""A command in a process of its own that is killed at a chosen moment, and what it leaves.

For tests and campaigns: the process is forked from one that has imported everything, so that it
starts in no time. Linux only.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

LITTER = re.compile(r"\..+\.tmp|.*\.lock|\.unfinished|.*\.making-.*|\..*\.old-.*")
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink")


def started(work: Callable[[], int | None], folder: Path, at: int = 0, delay: float = 0.0) -> int:
    """A forked process, its own session, that does some work; killed at a moment if asked to.

    Args:
        work: returns the exit status.
        folder: of the trial; ``log`` in it gets what is printed.
        at: number of the change of a file below the folder at which it is killed; 0 never. The
            file ``moments`` gets a line for each.
        delay: seconds from that moment to the kill.
    """
    (folder / "moments").write_text("")
    process = os.fork()
    if process:
        return process
    status = 99
    try:
        os.setsid()
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream, number in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
            os.dup2(stream, number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        _watch(folder, at, delay)
        status = work() or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _watch(folder: Path, at: int, delay: float) -> None:
    """Count the changes of files below a folder, and kill this process at one of them."""
    moments = os.open(folder / "moments", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    count, owner = 0, os.getpid()

    def kill() -> None:
        os.kill(owner, signal.SIGKILL)

    def hook(event: str, args: tuple) -> None:
        nonlocal count
        writes = event == "open" and isinstance(args[2], int) and args[2] & 3
        if not (writes or event in CHANGES) or os.getpid() != owner:
            return
        path = os.fsdecode(args[0]) if isinstance(args[0], (str, bytes, os.PathLike)) else ""
        if not path.startswith(str(folder)):
            return
        count += 1
        text = f"{event.removeprefix('os.')} {path.removeprefix(str(folder))}"
        os.write(moments, f"{text}\n".encode(errors="replace"))
        if count == at and delay:
            threading.Timer(delay, kill).start()
        elif count == at:
            kill()

    sys.addaudithook(hook)


def ended(process: int, seconds: float = 3600.0) -> int:
    """The exit status of a process; negative: by which signal it ended, -1000: none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return -1000


def end_all(processes: Iterable[int]) -> None:
    """Kill those of some started processes that have not ended, and what they started."""
    for process in processes:
        with suppress(ChildProcessError, ProcessLookupError):
            if not os.waitpid(process, os.WNOHANG)[0]:
                os.killpg(process, signal.SIGKILL)
                os.waitpid(process, 0)


def left_processes(session: int, seconds: float = 15.0) -> int:
    """How many processes of a session still run some seconds after it was killed."""
    deadline = time.monotonic() + seconds
    while True:
        count = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            count += fields[3] == str(session) and fields[0] != "Z"
        if not count or time.monotonic() > deadline:
            return count
        time.sleep(0.05)


def litter(folder: Path) -> list[str]:
    """Unfinished files and folders below a folder."""
    found = (path for path in folder.rglob("*") if LITTER.fullmatch(path.name))
    return [path.relative_to(folder).as_posix() for path in found]
