"""Files and folders that appear complete under their name or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from reidkit.errors import UserError
from reidkit.utils.exchange import exchange
from reidkit.utils.leftovers import beside as _beside
from reidkit.utils.leftovers import clear_leftovers
from reidkit.utils.locks import hold, hold_open, let_go
from reidkit.utils.permission import refuse_writing
from reidkit.utils.trouble import DiskError, disk_error, make_folder

_MODES = ("w", "wb", "w+", "wb+", "w+b")


def _new_file(path: str, flags: int) -> int:
    """Open a file that does not exist yet; neither another file nor a link is written to."""
    return os.open(path, flags | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o666)


def read_regular(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """The bytes of a file that is one: not a pipe or a device, which might never end.

    Args:
        path: the file; links are followed.
        most: bytes it may have; None for any number.

    Raises:
        OSError: it cannot be read, is no file, or is larger than ``most``; ``strerror`` says it.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            text = f"it has {size:,} bytes; at most {most:,} are read"
            raise OSError(errno.EFBIG, text, os.fspath(path))
        return file.read()


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A file that is one, open to be read; see ``read_regular``.

    Raises:
        OSError: it cannot be read, or is no file; ``strerror`` says it.
    """
    with open(path, "rb", buffering=0, opener=_without_waiting) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
            raise OSError(errno.EINVAL, f"it is {kind}, no file", os.fspath(path))
        yield file


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that nobody writes to is opened at once, too."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def refuse_links(folder: str | os.PathLike[str]) -> None:
    """Refuse a run folder to write into that holds links, which may lead anywhere.

    The folder itself may be one: whoever names it means what it leads to. Files below a folder
    ``log`` are appended to, so there a second name (hard link) of a file is refused as well;
    everywhere else files are replaced, which leaves other names alone.

    Raises:
        UserError: the first link found, with where it leads.
    """
    for place, folders, files in os.walk(folder):
        for name in sorted([*folders, *files]):
            path = Path(place, name)
            if path.is_symlink():
                raise UserError(
                    f"{path}: a link to {os.readlink(path)}; links in a run folder are not "
                    "followed for writing: put the file there itself, or remove the link"
                )
            if "log" in path.relative_to(folder).parts[:-1] and _has_other_names(path):
                raise UserError(
                    f"{path}: has another name (hard link), and is appended to; put a copy of it "
                    "in its place, or remove it"
                )


def _has_other_names(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_nlink > 1


def ensure_writable(path: str | os.PathLike[str]) -> None:
    """Try out now whether a file can be written later, before long work is done for it.

    What killed processes have left unfinished in its folder goes away.

    Args:
        path: the file; missing folders above it are made when it is written.

    Raises:
        DiskError: it is a folder, or its folder cannot be made or written to.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> ensure_writable(folder / "deep" / "note.txt")
        >>> list(folder.iterdir())
        []
    """
    final = Path(path)
    if final.is_dir():
        raise DiskError(f"{final}: is a folder; give a file's name", errno.EISDIR)
    clear_leftovers(final.parent)
    place = next(one for one in final.absolute().parents if os.path.lexists(one))
    try:
        with tempfile.TemporaryFile(dir=place):  # has no name that a kill could leave
            pass
    except OSError as error:
        known = disk_error(error, final)
        reason = (error.strerror or str(error)).lower()
        if isinstance(known, DiskError):
            raise known from None
        raise DiskError(f"{final}: cannot be written ({reason})", error.errno) from None


def _sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` durable, where the system can."""
    with suppress(OSError):  # not possible on every system
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def atomic_write(
    path: str | os.PathLike[str],
    mode: str = "wb",
    encoding: str | None = None,
    durable: bool = True,
) -> Iterator[IO[Any]]:
    """A file to write that takes its name only when the block ends without an exception.

    It is written beside its place, flushed to the disk and renamed; a reader sees the old file or
    the whole new one. After an exception nothing is left and an old file is untouched.

    Args:
        path: the final name; missing folders above it are made.
        mode: "wb" for bytes, "w" for text ("+" to read back as well).
        encoding: of text; UTF-8 by default. File names that are no UTF-8 keep their bytes.
        durable: False leaves the flush to the caller, for many small files: after a power cut (not
            after a kill) such a file may be empty.

    Raises:
        ValueError: a mode that does not start a new file.
        DiskError: the disk is full, closed or broken.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "deep" / "note.txt", "w") as file:
        ...     _ = file.write("whole")
        >>> (folder / "deep" / "note.txt").read_text()
        'whole'
    """
    if mode not in _MODES:
        raise ValueError(f"atomic_write: mode must be one of {', '.join(_MODES)}; got {mode!r}")
    final = Path(path)
    refuse_writing(final)
    beside = _beside(final)
    text = None if "b" in mode else encoding or "utf-8"
    errors = None if "b" in mode else "surrogateescape"
    try:
        make_folder(final.parent)
        with open(beside, mode, encoding=text, errors=errors, opener=_new_file) as file:
            hold_open(file.fileno())
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(beside, final)
    except BaseException as error:
        _remove(beside)
        if isinstance(error, OSError):
            raise disk_error(error, _blamed(error, beside, final)) from error
        raise
    if durable:
        _sync_folder(final.parent)


def _blamed(error: OSError, beside: Path, final: Path) -> str | os.PathLike[str]:
    """The file that an error is about, by the name that people know."""
    named = error.filename if isinstance(error.filename, (str, os.PathLike)) else final
    return final if str(named).startswith(str(beside)) else named


def _remove(path: Path) -> None:
    """Remove a file or folder of our own, as far as that is possible."""
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str], replace: bool = False) -> Iterator[Path]:
    """An empty folder to fill that takes its name only when the block ends without an exception.

    Args:
        path: the final name; it must not exist when the block ends (an empty folder may).
        replace: it may exist: the new folder takes its place when it is complete, and the old one
            is removed; see ``reidkit.utils.exchange``.

    Raises:
        FileExistsError: the folder exists already and holds something, and no ``replace``.
        DiskError: the disk is full, closed or broken.

    Example:
        >>> import tempfile
        >>> final = Path(tempfile.mkdtemp()) / "set"
        >>> with atomic_folder(final) as folder:
        ...     _ = (folder / "a.txt").write_text("a")
        >>> [file.name for file in final.iterdir()]
        ['a.txt']
    """
    final = Path(path)
    refuse_writing(final)
    if not replace and final.is_dir() and any(final.iterdir()):
        raise FileExistsError(f"{final} exists already and is not empty")
    beside, handle = _beside(final), None
    try:
        make_folder(final.parent)
        beside.mkdir()
        handle = hold(beside)
        yield beside
        for folder, _, files in os.walk(beside):
            for name in files:
                _sync_file(Path(folder, name))
        if replace and final.exists():
            exchange(beside, final)
        else:
            _rename_folder(beside, final)
    except BaseException as error:
        _remove(beside)
        if isinstance(error, OSError) and not isinstance(error, FileExistsError):
            raise disk_error(error, _blamed(error, beside, final)) from error
        raise
    finally:
        if handle is not None:
            let_go(handle)
    _sync_folder(final.parent)


def _rename_folder(beside: Path, final: Path) -> None:
    if final.is_dir():
        try:
            final.rmdir()  # an empty folder gives way; a filled one does not
        except OSError:
            raise FileExistsError(f"{final} exists already and is not empty") from None
    os.rename(beside, final)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_file(path: str | os.PathLike[str], block: int = 1 << 20) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal, read block by block.

    Args:
        path: the file.
        block: bytes read at a time.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "abc"
        >>> _ = file.write_bytes(b"abc")
        >>> sha256_file(file)[:16]
        'ba7816bf8f01cfea'
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(block):
            digest.update(chunk)
    return digest.hexdigest()
