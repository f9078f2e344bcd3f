"""A case in a forked child: bounded in time and memory, and watched for what it writes."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import cv2
import torch

from reidkit.testing.fuzz.case import (
    BROKEN,
    CRASH,
    EXECUTED,
    HANG,
    OUTSIDE,
    REFUSED,
    RIGHT,
    TAKEN,
    TRACEBACK,
    WRONG,
    Case,
    Door,
    Outcome,
    Place,
)

MEMORY = 3 << 30  # bytes that a case may ask for beyond what the warm process has
PATIENCE = 60  # seconds of the clock for each second of processor time, on a busy machine
IDLE = 20  # seconds of the clock in which nothing was done, after which it waits for nothing
LONGEST = 2000  # letters of a message that are kept
LAST = b"\n\0"  # before the outcome, behind what was done

Snapshot = dict[str, tuple]


def run_case(
    door: Door, seed: int, valid: Path, folder: Path, cli: Callable[[Sequence[str]], int]
) -> Outcome:
    """Make one case of a door and open the door with it.

    Args:
        door: what is opened.
        seed: gives the case.
        valid: the door's valid inputs; the case must leave them alone.
        folder: for this case alone; made, and removed again.
        cli: runs a command line.
    """
    place = Place(folder / "here", folder / "here" / "out", valid, folder / "mark", cli)
    sentinel = folder / "beside"
    place.here.mkdir(parents=True)
    (folder / "home").mkdir()
    (sentinel / "deep").mkdir(parents=True)
    for name in ("precious.txt", "deep/kept.bin"):
        (sentinel / name).write_text("mine")
    before = {**snapshot(sentinel), **snapshot(valid)}
    outcome = _forked(door, seed, place)
    if changed := differences(before, {**snapshot(sentinel), **snapshot(valid)}):
        outcome = Outcome(OUTSIDE, outcome.what, f"changed beside the inputs: {changed[0]}")
    if place.mark.exists():
        outcome = Outcome(EXECUTED, outcome.what, "something in the input was executed")
    shutil.rmtree(folder, ignore_errors=True)
    return outcome


def snapshot(folder: Path) -> Snapshot:
    """Names, kinds, sizes and times of everything in a folder; links are not followed."""
    found: Snapshot = {}
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(place, name)
            state = os.lstat(path)
            size = 0 if name in folders else state.st_size
            found[path] = (state.st_mode, state.st_ino, size, size and state.st_mtime_ns)
    return found


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """Paths that have come, gone or changed, sorted."""
    paths = sorted({*before, *after})
    return [path for path in paths if before.get(path) != after.get(path)]


def _forked(door: Door, seed: int, place: Place) -> Outcome:
    """The child's outcome; how it ended, where it did not live to say."""
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _child(door, seed, place, writer)
    os.close(writer)
    try:
        return _waited(pid, reader, door.seconds * PATIENCE)
    finally:
        os.close(reader)


def _waited(pid: int, reader: int, seconds: float) -> Outcome:
    data, until, late, used = b"", time.monotonic() + seconds, False, None
    while not (LAST in data and data.endswith(b"\n")):
        ready, _, _ = select.select([reader], [], [], min(seconds, IDLE))
        if not ready:
            used, before = _used(pid), used
            late = used is not None and used == before or time.monotonic() > until
            if late:
                break
            continue
        chunk = os.read(reader, 1 << 16)
        if not chunk:
            break
        data += chunk
    first, last, text = data.partition(LAST)
    what = first.decode("utf-8", "backslashreplace")
    if last:
        _end(pid)
        return Outcome(*json.loads(text))
    status = _end(pid) if late else os.waitpid(pid, 0)[1]
    _kill(pid)  # what it may have started
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if late or number == signal.SIGXCPU:
        return Outcome(HANG, what, "no end within its time, or it waits for ever")
    name = signal.Signals(number).name if number else f"exit status {status}"
    return Outcome(CRASH, what, f"ended by {name}")


def _used(group: int) -> int | None:
    """Processor time of a case and its children, in ticks; None where one could go on.

    On a busy machine, one that could go on may be given no time at all for long.
    """
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if fields[2] == str(group):
            if fields[0] in "RD":
                return None
            total += sum(map(int, fields[11:15]))
    return total


def _end(pid: int) -> int:
    _kill(pid)
    return os.waitpid(pid, 0)[1]


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _child(door: Door, seed: int, place: Place, writer: int) -> None:
    """Make the case, open the door, say what became of it, and end the process."""
    outcome = Outcome(BROKEN)
    try:
        os.setpgid(0, 0)
        faulthandler.disable()
        _bound(door.seconds)
        os.chdir(place.here)
        os.environ["HOME"] = str(place.here.parent / "home")  # caches of libraries
        quiet = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(quiet, number)
        case = door.make(Random(f"{door.name}:{seed}"), place)
        os.write(writer, case.what.encode("utf-8", "backslashreplace"))
        before = snapshot(place.here)
        outcome = judged(case)
        outcome = _within(outcome, before, place, door.writes)
    except BaseException:
        outcome = Outcome(BROKEN, outcome.what, traceback.format_exc()[-LONGEST:])
    text = json.dumps([outcome.kind, outcome.what, outcome.text[:LONGEST]])
    os.write(writer, LAST + f"{text}\n".encode())
    os._exit(0)


def _bound(seconds: int) -> None:
    torch.set_num_threads(1)  # the threads of the parent are not forked with it
    cv2.setNumThreads(0)
    warnings.resetwarnings()
    warnings.simplefilter("ignore")  # where a test suite takes them for errors, users do not
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _within(outcome: Outcome, before: Snapshot, place: Place, writes: Sequence[str]) -> Outcome:
    """The outcome, unless something was written where nothing may be."""
    allowed = [os.path.join(place.here, name) for name in ("out", *writes)]
    changed = differences(before, snapshot(place.here))
    outside = [path for path in changed if not _below(path, allowed)]
    if outside:
        shown = os.path.relpath(outside[0], place.here)
        return Outcome(OUTSIDE, outcome.what, f"{len(outside)} paths, the first is {shown}")
    return outcome


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def judged(case: Case) -> Outcome:
    """Open the door with a case, in this process, and say what became of it.

    Args:
        case: of ``Door.make``.
    """
    try:
        result = case.run()
    except case.refusals as error:
        text = str(error).strip()
        if not text or "Traceback (most recent call last)" in text:
            return Outcome(TRACEBACK, case.what, text or f"a {type(error).__name__} without words")
        return Outcome(REFUSED, case.what, text)
    except SystemExit as error:
        text = f"ended the process with status {error.code!r}"
        return Outcome(REFUSED if error.code == 2 else WRONG, case.what, text)
    except BaseException:
        return Outcome(TRACEBACK, case.what, traceback.format_exc()[-LONGEST:])
    said = getattr(result, "err", "")
    if "Traceback (most recent call last)" in said:
        return Outcome(TRACEBACK, case.what, said[-LONGEST:])
    if case.refuse:
        return Outcome(WRONG, case.what, f"taken without a word: {str(result)[:200]}")
    if case.check is None:
        return Outcome(TAKEN, case.what, str(result)[:200])
    wrong = case.check(result)
    if wrong is None:
        return Outcome(TAKEN, case.what, str(result)[:200])
    return Outcome(WRONG if wrong else RIGHT, case.what, wrong)
