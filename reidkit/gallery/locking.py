"""One process at a time, for a bounded wait, and words where another one stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reidkit.gallery.refusals import Busy
from reidkit.utils.locks import hold, let_go
from reidkit.utils.permission import refuse_writing


@contextmanager
def held(folder: Path, seconds: float, what: str) -> Iterator[None]:
    """Hold a folder within the block; a kill lets go of it.

    Args:
        folder: exists.
        seconds: how long to wait for another process.
        what: is refused, for the message ("a second writer").

    Raises:
        Busy: another process holds it still.
        UserError: nothing may be written here.
    """
    refuse_writing(folder)
    deadline = time.monotonic() + seconds
    while (handle := hold(folder)) is None:
        if time.monotonic() > deadline:
            raise Busy(
                f"{folder}: another process is writing, and was after {seconds:g} seconds; {what} "
                "is refused: try again when it has ended. Searching is possible meanwhile"
            )
        time.sleep(0.02)
    try:
        yield
    finally:
        let_go(handle)
