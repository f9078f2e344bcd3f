"""Problems of the machine in words: a full or closed disk, memory, limits, a worker that died."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

from reidkit.errors import UserError

_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
_MEMORY = ("can't allocate memory", "cannot allocate memory", "insufficient memory", "bad_alloc")
_UNMAPPED = "failed to map segment"  # how the loader of shared libraries says it


class MachineError(UserError):
    """What the machine has refused, not the input: the same command works when that has changed."""


class DiskError(MachineError, OSError):
    """A file that could not be written, in words; ``errno`` is the system's.

    Args:
        text: what is said.
        number: of the system's error.
    """

    def __init__(self, text: str, number: int | None = None):
        super().__init__(text)
        self.errno = number


def megabytes(count: float) -> str:
    """A number of bytes for people.

    Example:
        >>> megabytes(5_700_000), megabytes(1234), megabytes(3.2e9)
        ('5.7 MB', '0.0 MB', '3.2 GB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def disk_error(error: OSError, path: str | os.PathLike[str], needed: int | None = None) -> OSError:
    """A ``DiskError`` for what the file system refused; other errors as they are.

    Args:
        error: of the system.
        path: what was to be written.
        needed: bytes that it takes, where that is known.
    """
    text = _disk_text(error, Path(os.fspath(path)), needed)
    if isinstance(error, DiskError) or text is None:
        return error
    return DiskError(f"{os.fspath(path)}: {text}", error.errno)


def _disk_text(error: OSError, path: Path, needed: int | None) -> str | None:
    reason = (error.strerror or str(error)).lower()
    size = f", and {megabytes(needed)} are needed" if needed else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = "the disk is full" if error.errno == errno.ENOSPC else "the disk quota is used up"
        return f"{what}{_room(path)}{size}; make room, or write to another disk"
    if error.errno == errno.EFBIG:
        return f"larger than this process may write (ulimit -f){size}; raise the limit"
    if error.errno in _CLOSED:
        return f"cannot be written ({reason}); choose another place, or change its permissions"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{reason}; raise the limit (ulimit -n)"
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP):
        return f"cannot be written ({reason}); choose another name"
    if error.errno == errno.EIO:
        return "the disk reports an error (input/output error): it may be failing"
    if error.errno is None and re.search(r"\d+ requested and \d+ written", reason):  # numpy's words
        return (
            f"only a part of it could be written: the disk is full{_room(path)}, or it is larger "
            "than this process may write (ulimit -f)"
        )
    return None


def _room(path: Path) -> str:
    for place in (path, *path.parents):
        try:
            return f", {megabytes(shutil.disk_usage(place).free)} are free"
        except OSError:
            continue
    return ""


def make_folder(folder: str | os.PathLike[str]) -> None:
    """Make a folder and those above it, where they are missing.

    Args:
        folder: may be there already.

    Raises:
        DiskError: a file is in its place, or the disk is full or closed.

    Example:
        >>> make_folder("/")
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        text = f"{os.fspath(folder)}: is a file, and a folder is needed; choose another place"
        raise DiskError(text, errno.ENOTDIR) from None
    except OSError as error:
        raise disk_error(error, folder) from error


def ensure_room(folder: str | os.PathLike[str], needed: int, what: str) -> None:
    """Refuse to start what cannot be written in the end.

    Args:
        folder: where it will be written.
        needed: bytes, at least.
        what: "a checkpoint", for the message.

    Raises:
        DiskError: less than that is free.

    Example:
        >>> ensure_room("/", 1, "a checkpoint")
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError:  # what cannot be asked is not refused
        return
    if free < needed:
        raise DiskError(
            f"{os.fspath(folder)}: {megabytes(free)} are free on the disk, and {what} takes at "
            f"least {megabytes(needed)}; make room, or write to another disk",
            errno.ENOSPC,
        )


def machine_error(error: BaseException) -> UserError | None:
    """What any exception says of the machine, in words; None for all others.

    Args:
        error: caught at the end of a command.

    Example:
        >>> print(machine_error(MemoryError("12 GiB")))
        out of memory (12 GiB): lower train.batch_size or settings.workers, or raise ulimit -v
        >>> machine_error(ValueError("no")) is None
        True
    """
    if isinstance(error, UserError):
        return error
    text = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, UnicodeEncodeError):
        what = f"{error.object[:200]!r}: cannot be written in {error.encoding}"
        return MachineError(f"{what}; rename it, or set PYTHONUTF8=1 and LC_ALL=C.UTF-8")
    if isinstance(error, OSError):
        if error.errno in _CLOSED and error.filename is not None:  # perhaps it was to be read
            reason = (error.strerror or "").lower()
            return DiskError(f"{error.filename}: {reason}; look at its permissions", error.errno)
        known = disk_error(error, error.filename or "a file")
        return known if isinstance(known, UserError) else None
    if isinstance(error, ImportError) and (line := _unmapped(error)):
        return MachineError(f"too little memory to load a library ({line}): raise ulimit -v")
    memory = isinstance(error, (RuntimeError, MemoryError)) or type(error).__module__ == "cv2"
    if isinstance(error, MemoryError) or (
        memory and any(word in str(error).lower() for word in _MEMORY)
    ):
        more = f" ({text})" if text else ""
        return MachineError(
            f"out of memory{more}: lower train.batch_size or settings.workers, or raise ulimit -v"
        )
    return worker_error(error) if isinstance(error, RuntimeError) else None


def _unmapped(error: ImportError) -> str:
    """The line of an error that says that a shared library found no room; libraries wrap it."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if _UNMAPPED in line or "cannot allocate" in line), "")


def worker_error(error: BaseException, dataset: str = "") -> MachineError | None:
    """A loader process that died, in words; None where ``error`` says nothing of one.

    Args:
        error: as torch raises it, in a loop over batches or, at the child's signal, anywhere.
        dataset: whose batches it loaded.
    """
    text = str(error).strip()
    of_worker = "DataLoader worker" in text
    dead = re.search(r"DataLoader worker \(pid[^)]*\)[^.\n]*", text)
    shared = re.search(r"shared memory|Bus error|/torch_\w", text) if of_worker else None
    if dead is None and shared is None:
        return None
    reason = dead.group(0).strip() if dead else text.splitlines()[-1]
    hint = "usually memory ran out"
    if shared:
        room = _room(Path("/dev/shm")).removeprefix(", ") or "it is missing"
        hint = f"the shared memory in /dev/shm ran out ({room}): give it more room"
    return dead_worker(reason, dataset, hint)


def dead_worker(
    reason: str, dataset: str = "", hint: str = "usually memory ran out"
) -> MachineError:
    """That a loader process has died, and what would help.

    Args:
        reason: as the system says it.
        dataset: whose batches it loaded.
        hint: the likely cause.
    """
    whose = f" of {dataset}" if dataset else ""
    return MachineError(
        f"a loader process{whose} died ({reason}); {hint}, or set settings.workers lower (0 loads "
        "in the main process)"
    )
