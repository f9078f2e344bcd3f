"""What a process prints, by Python or by a library below it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Printed:
    """Text on standard output and standard error, complete when the block has ended."""

    out: str = ""
    err: str = ""


@contextmanager
def captured() -> Iterator[Printed]:
    """Collect everything that is written to the process's own output and error.

    Example:
        >>> with captured() as printed:
        ...     _ = os.write(2, b"below Python")
        >>> printed.err
        'below Python'
    """
    printed = Printed()
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        _flush()
        for number, file in ((1, out), (2, err)):
            os.dup2(file.fileno(), number)
        before = sys.stdout, sys.stderr
        sys.stdout = os.fdopen(os.dup(1), "w", errors="backslashreplace")
        sys.stderr = os.fdopen(os.dup(2), "w", errors="backslashreplace")
        try:
            yield printed
        finally:
            _flush()
            sys.stdout.close()
            sys.stderr.close()
            sys.stdout, sys.stderr = before
            for number, handle in zip((1, 2), kept, strict=True):
                os.dup2(handle, number)
                os.close(handle)
            printed.out, printed.err = _text(out), _text(err)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _text(file) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "backslashreplace")
