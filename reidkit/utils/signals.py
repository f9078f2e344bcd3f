"""Signals that ask a process to end, as exceptions, so that it ends in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """The process was asked to end by a signal other than Ctrl-C's.

    Args:
        number: of the signal.

    Example:
        >>> print(Stopped(signal.SIGTERM))
        stopped by SIGTERM
    """

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = int(number)


@contextmanager
def signals_as_exceptions() -> Iterator[None]:
    """SIGTERM and SIGHUP raise ``Stopped`` within the block; a second one ends the process at once.

    A signal that is ignored, as SIGHUP under nohup, or handled already stays as it is; forked
    children end as usual. Outside of the main thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = [one for one in _ENDING if signal.getsignal(one) is signal.SIG_DFL]
    for one in heeded:
        signal.signal(one, _stop)
    try:
        yield
    finally:
        _let_be()


def _stop(number: int, frame: FrameType | None) -> None:
    _let_be()
    raise Stopped(number)


def _let_be() -> None:
    for one in _ENDING:
        if signal.getsignal(one) is _stop:
            signal.signal(one, signal.SIG_DFL)


os.register_at_fork(after_in_child=_let_be)


def end_with_parent() -> None:
    """See to it that this child process ends when its parent does, however that ends.

    For children of ``multiprocessing``; nothing in any other process.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
