"""Whether files may be written: not where only somebody else's file has named the place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from reidkit.errors import UserError

_REASON: ContextVar[str] = ContextVar("reason", default="")


@contextmanager
def reading_only(reason: str) -> Iterator[None]:
    """Refuse every lock, unfinished file and unfinished folder within the block.

    Args:
        reason: why, and what would allow it; an empty text allows it.

    Example:
        >>> with reading_only("only the run folder names it"):
        ...     refuse_writing("data/x")
        Traceback (most recent call last):
        reidkit.errors.UserError: data/x: nothing is written: only the run folder names it
    """
    token = _REASON.set(reason)
    try:
        yield
    finally:
        _REASON.reset(token)


def may_write() -> bool:
    """Whether writing is allowed here."""
    return not _REASON.get()


def refuse_writing(path: str | os.PathLike[str]) -> None:
    """Raise where writing is not allowed.

    Args:
        path: what would be written, for the message.

    Raises:
        UserError: within ``reading_only``.
    """
    if not may_write():
        raise UserError(f"{os.fspath(path)}: nothing is written: {_REASON.get()}")
