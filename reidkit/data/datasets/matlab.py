"""Whole numbers out of MATLAB files, of version 5 or (HDF5) 7.3; a damaged one ends in words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.errors import UserError

READER = Path(__file__).with_name("mat_contents.py")


def read_mat(file: Path, key: str) -> np.ndarray:
    """One array of whole numbers of a MATLAB file.

    Args:
        file: the .mat file.
        key: name of the array.

    Shape:
        returns two dimensions, int64.

    Raises:
        UserError: unreadable, no such array, or one of anything but whole numbers.
    """
    stored = _stored(file, key)
    if "cells" in stored or len(stored["shape"]) != 2:
        raise _refused(file, key, f"it has shape {stored.get('shape', 'of cells')}")
    array = np.array(stored["values"], np.float64 if stored["kind"] == "f" else None)
    array = array.reshape(stored["shape"])
    if not np.isfinite(array).all() or (array != np.round(array)).any():
        raise _refused(file, key, "it holds numbers that are not whole")
    if array.size and max(-float(array.min()), float(array.max())) >= 2**53:
        raise _refused(file, key, "it holds numbers too large for rows or identities")
    return array.astype(np.int64)


def read_cells(file: Path, key: str) -> list[list[np.ndarray]]:
    """The numeric vectors inside every cell, or struct, of an array of a MATLAB file.

    Args:
        file: the .mat file.
        key: name of the array.

    Returns:
        A list of 1-d arrays for each cell; an array of numbers is one cell.

    Raises:
        UserError: unreadable, or no such array.
    """
    stored = _stored(file, key)
    cells = stored["cells"] if "cells" in stored else [[np.ravel(stored["values"])]]
    return [[np.array(vector, np.float64) for vector in cell] for cell in cells]


def _stored(file: Path, key: str) -> dict[str, Any]:
    """What ``mat_contents`` says, in a process of its own."""
    if not file.is_file():  # a pipe would be waited for
        raise _refused(file, key, "it is no file")
    command = [sys.executable, "-I", str(READER), str(file), key]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    try:
        stored = json.loads(done.stdout)
    except ValueError:
        ended = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        reason = ended[0] if ended else f"reading it ends the process, status {done.returncode}"
        raise _refused(file, key, reason) from None
    if "refused" in stored:
        raise _refused(file, key, stored["refused"])
    return stored


def _refused(file: Path, key: str, reason: str) -> UserError:
    return UserError(
        f"{file.as_posix()}: no readable array {key!r} of whole numbers ({reason}); unpack the "
        "archive again"
    )
