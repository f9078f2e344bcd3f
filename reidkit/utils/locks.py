"""Locks between processes of one machine: held by the kernel, so a kill leaves none behind."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reidkit.utils.permission import refuse_writing
from reidkit.utils.trouble import make_folder

_HELD: set[int] = set()  # handles of this process


def _forget() -> None:
    """In a forked child: its copies would keep what is locked beyond the parent's end."""
    for handle in _HELD:
        os.close(handle)
    _HELD.clear()


os.register_at_fork(after_in_child=_forget)


@contextmanager
def alone(path: str | os.PathLike[str], waits: Callable[[], None] | None = None) -> Iterator[None]:
    """Let one process at a time into the block; others wait, and nothing is left afterwards.

    Args:
        path: a file to lock; made where it is missing, removed at the end.
        waits: called once where another process is inside.

    Raises:
        UserError: nothing may be written here (``reading_only``).

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / ".store.lock"
        >>> with alone(file):
        ...     file.exists()
        True
        >>> file.exists()
        False
    """
    path = Path(path)
    refuse_writing(path.parent)
    make_folder(path.parent)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        _HELD.add(handle)
        try:
            if not _locked(handle, wait=False):
                if waits:
                    waits()
                    waits = None
                _locked(handle, wait=True)
            if not os.fstat(handle).st_nlink:  # the one before has removed it: take the new one
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
        finally:
            let_go(handle)


def hold(folder: str | os.PathLike[str]) -> int | None:
    """Hold a folder until ``let_go`` of the handle; None where another process holds it.

    Args:
        folder: exists; nothing is written into it.
    """
    handle = os.open(folder, os.O_RDONLY)
    _HELD.add(handle)
    try:
        if _locked(handle, wait=False):
            return handle
    except OSError:  # a file system without locks
        return handle
    let_go(handle)
    return None


def hold_open(handle: int) -> None:
    """Hold a file that is open, until it is closed: others see that its process lives."""
    with suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(path: str | os.PathLike[str]) -> bool:
    """Whether a process, perhaps of another machine, holds a file or folder; nothing is changed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not _locked(handle, wait=False)
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(handle)


def let_go(handle: int) -> None:
    """End what ``hold`` began; nothing in a forked child, which holds nothing."""
    if handle in _HELD:
        _HELD.discard(handle)
        os.close(handle)


def wait_for(folder: str | os.PathLike[str]) -> None:
    """Return when no process holds the folder; at once where there is none."""
    if not os.path.isdir(folder):
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _locked(handle, wait=True)
    except OSError:  # a file system without locks
        pass
    finally:
        os.close(handle)


def identity_of(folder: str | os.PathLike[str]) -> tuple[int, int] | None:
    """What tells a folder from another under the same name; None where there is none."""
    try:
        found = os.stat(folder)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _locked(handle: int, wait: bool) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
