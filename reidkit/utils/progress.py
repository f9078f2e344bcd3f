"""Progress that suits where it is shown: a moving bar on a terminal, sparse lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TextIO, TypeVar

T = TypeVar("T")


def track(
    iterable: Iterable[T],
    total: int | None = None,
    label: str = "",
    *,
    unit: str = "",
    stream: TextIO | None = None,
    every: float = 15.0,
    show: bool = True,
) -> Iterator[T]:
    """Iterate and report how far it is.

    On a terminal a bar moves on one line; into a file or pipe one line is written every ``every``
    seconds and one at the end, so that logs stay short.

    Args:
        iterable: what to go through.
        total: number of items; ``len(iterable)`` where it has one.
        label: what is being done ("rendering A").
        unit: plural noun of the items ("images").
        stream: where to; standard error by default.
        every: seconds between lines when the stream is no terminal.
        show: False for silence (other ranks).

    Example:
        >>> list(track(range(3), label="counting", unit="items", stream=sys.stdout, every=99))
        counting: 3/3 items, 0:00
        [0, 1, 2]
    """
    stream = sys.stderr if stream is None else stream
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    if not show:
        return iter(iterable)
    if stream.isatty():
        return _bar(iterable, total, label, unit, stream)
    return _lines(iterable, total, label, unit, stream, every)


def _bar(
    iterable: Iterable[T], total: int | None, label: str, unit: str, stream: TextIO
) -> Iterator[T]:
    from tqdm import tqdm

    yield from tqdm(
        iterable, total=total, desc=label, unit=f" {unit or 'it'}", file=stream, dynamic_ncols=True
    )


def _lines(
    iterable: Iterable[T], total: int | None, label: str, unit: str, stream: TextIO, every: float
) -> Iterator[T]:
    start = last = time.monotonic()
    done = 0
    for item in iterable:
        yield item
        done += 1
        now = time.monotonic()
        if now - last >= every and done != total:
            last = now
            print(_line(label, done, total, unit, now - start), file=stream, flush=True)
    print(_line(label, done, total, unit, time.monotonic() - start), file=stream, flush=True)


def _line(label: str, done: int, total: int | None, unit: str, seconds: float) -> str:
    count = f"{done}/{total}" if total is not None else f"{done}"
    text = f"{label}: " if label else ""
    text += f"{count} {unit}".rstrip() + f", {clock(seconds)}"
    if total and 0 < done < total:
        text += f", {clock(seconds / done * (total - done))} left"
    return text


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss.

    Example:
        >>> clock(75), clock(3675.2)
        ('1:15', '1:01:15')
    """
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d}"
    return f"{minutes}:{whole % 60:02d}"
