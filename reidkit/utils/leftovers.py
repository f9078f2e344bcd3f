"""Unfinished files and folders: what they are called, and how those of killed processes go away."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

from reidkit.utils.locks import is_held

_NAME = re.compile(r"\..+\.(\d+)-[0-9a-f]{8}\.tmp", re.DOTALL)


def beside(path: Path) -> Path:
    """A name no other process uses, hidden, in the folder of ``path``; it says whose it is."""
    return path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")


def scratch_folder(name: str) -> Path:
    """A new folder among the system's temporary ones; those of killed processes go away.

    Args:
        name: what it is for; others may not read it.

    Example:
        >>> folder = scratch_folder("example")
        >>> folder.name.startswith(".example."), list(folder.iterdir())
        (True, [])
        >>> folder.rmdir()
    """
    place = Path(tempfile.gettempdir())
    clear_leftovers(place)
    folder = beside(place / name)
    folder.mkdir(mode=0o700)
    return folder


def clear_leftovers(folder: str | os.PathLike[str], deep: bool = False) -> list[Path]:
    """Remove what killed processes left unfinished in a folder; returns what was removed.

    Nothing of a living process is touched: neither of one of this machine (by its number) nor of
    another (which holds what it writes). What cannot be removed stays.

    Args:
        folder: where something is going to be written; it may be missing.
        deep: look in the folders below it, too.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / ".last.pth.4194305-0123abcd.tmp").touch()  # no process has such a number
        >>> [path.name for path in clear_leftovers(folder)]
        ['.last.pth.4194305-0123abcd.tmp']
    """
    removed = []
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            named = _NAME.fullmatch(name)
            if named is None:
                continue
            path = Path(place, name)
            if _lives(int(named[1])) or is_held(path):
                continue
            with suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                removed.append(path)
        folders[:] = [name for name in folders if deep and not _NAME.fullmatch(name)]
    return removed


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True
