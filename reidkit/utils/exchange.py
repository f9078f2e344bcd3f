"""One folder in the place of another: at every moment the old or the new one bears the name."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path


def exchange(new: Path, final: Path) -> None:
    """Give a folder the name of another, which is removed.

    Where the file system cannot exchange two names, neither folder bears it for an instant; a kill
    in it is mended by ``restore_folder``.

    Args:
        new: beside ``final``.
        final: exists.
    """
    if swap_names(new, final):
        shutil.rmtree(new, ignore_errors=True)
        return
    shutil.rmtree(_old(final), ignore_errors=True)
    os.rename(final, _old(final))
    os.rename(new, final)
    shutil.rmtree(_old(final), ignore_errors=True)


def swap_names(a: Path, b: Path) -> bool:
    """Exchange two names in one step (Linux's ``renameat2``); False where that cannot be had."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, flag = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return call is not None and not call(here, os.fsencode(a), here, os.fsencode(b), flag)


def restore_folder(path: str | os.PathLike[str]) -> None:
    """Put in order what ``exchange`` left of a folder, if it was killed between two renames."""
    final = Path(path)
    if not _old(final).is_dir():
        return
    if final.exists():
        shutil.rmtree(_old(final), ignore_errors=True)
    else:
        os.rename(_old(final), final)


def _old(final: Path) -> Path:
    """Where a folder lies for the instant in which another takes its name."""
    return final.with_name(f".{final.name}.old")
