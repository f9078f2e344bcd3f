"""One image of a source, and what its source says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

MOST_BYTES = 100_000_000  # of one image file


@dataclass(frozen=True)
class Record:
    """An image as it is stored, or why it cannot be had.

    Attributes:
        name: its address, or the source's name for it.
        data: bytes of an image file; None where there is a problem.
        identity: whom it shows, or None.
        camera: number from 0, or None.
        time: seconds on the camera's clock, or None.
        problem: why there are no bytes.
        again: another attempt may succeed, because reading failed and not the content.
    """

    name: str
    data: bytes | None = None
    identity: str | None = None
    camera: int | None = None
    time: float | None = None
    problem: str = ""
    again: bool = False


def record(name: str, data: Any, labels: Mapping[str, Any]) -> Record:
    """An image with its labels, or with the reason why it is left out.

    Args:
        name: of the image; what is no Unicode in it is written as ``\\xff``.
        data: its bytes.
        labels: perhaps ``identity`` (text or whole number), ``camera`` (whole number from 0) and
            ``time`` (seconds); None is nothing.

    Example:
        >>> record("a.jpg", b"...", {"identity": 7, "camera": "2"})
        Record(name='a.jpg', data=b'...', identity='7', camera=2, time=None, problem='', ...)
        >>> record("a.jpg", b"...", {"camera": -1}).problem
        'camera must be a whole number from 0, got -1'
    """
    plain = Record(name.encode("utf-8", "backslashreplace").decode())
    if not isinstance(data, bytes):
        return replace(plain, problem="it has no bytes of an image")
    if len(data) > MOST_BYTES:
        return replace(plain, problem=too_large(len(data)))
    try:
        return replace(
            plain,
            data=data,
            identity=_identity(labels.get("identity")),
            camera=_camera(labels.get("camera")),
            time=_time(labels.get("time")),
        )
    except ValueError as error:
        return replace(plain, problem=str(error))


def too_large(size: int) -> str:
    """Why an image file of so many bytes is not read."""
    return f"it has {size:,} bytes; at most {MOST_BYTES:,} are read"


def _identity(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"identity must be a text or a whole number, got {value!r:.60}")
    text = str(value).strip().encode("utf-8", "backslashreplace").decode()
    return text or None


def _camera(value: Any) -> int | None:
    if value is None:
        return None
    text = str(value).strip()
    whole = not isinstance(value, bool) and isinstance(value, (str, int))
    if not (whole and text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError(f"camera must be a whole number from 0, got {value!r:.60}")
    return int(text)


def _time(value: Any) -> float | None:
    if value is None:
        return None
    known = not isinstance(value, bool) and isinstance(value, (int, float))
    if not known or not abs(value) <= 1e300:
        raise ValueError(f"time must be finite seconds, got {value!r:.60}")
    return float(value)
