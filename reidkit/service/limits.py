"""How much a service takes: of one request, and of one caller."""

from __future__ import annotations

import math
from dataclasses import dataclass

import limits as rate_limits

from reidkit.errors import UserError


@dataclass(frozen=True)
class Limits:
    """What is refused with a status of 4xx.

    Args:
        body_bytes: of a request, >= 1; 413 beyond.
        pixels: of an image, by its header, >= 1; 413 beyond.
        crops: images of a request, >= 1; 413 beyond.
        rate: requests of a token, as ``limits`` writes it ("600/minute", "10/second"); 429 beyond.
        failures: requests of an address without a valid token, likewise.
        waiting: requests that may wait for the model, >= 1; 429 beyond.
        body_seconds: until a request's body must have arrived, > 0; 408 beyond.

    Raises:
        UserError: a number below its bound; a rate that cannot be read.

    Example:
        >>> Limits(rate="10/second").rate
        '10/second'
        >>> Limits(rate="often")
        Traceback (most recent call last):
        reidkit.errors.UserError: rate 'often': expected a number and a time, such as 600/minute
    """

    body_bytes: int = 32 << 20
    pixels: int = 16_000_000
    crops: int = 64
    rate: str = "600/minute"
    failures: str = "60/minute"
    waiting: int = 16
    body_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name in ("body_bytes", "pixels", "crops", "waiting"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise UserError(f"{name} must be a whole number of at least 1, got {value!r}")
        if not 0 < self.body_seconds < math.inf:
            raise UserError(f"body_seconds must be above 0, got {self.body_seconds!r}")
        for name in ("rate", "failures"):
            parsed_rate(name, getattr(self, name))


def parsed_rate(name: str, text: str) -> rate_limits.RateLimitItem:
    """A rate as the library ``limits`` has it.

    Args:
        name: for the message.
        text: such as "600/minute".

    Raises:
        UserError: it cannot be read, or allows nothing.
    """
    try:
        item = rate_limits.parse(text)
    except ValueError:
        item = None
    if item is None or item.amount < 1:
        raise UserError(f"{name} {text!r}: expected a number and a time, such as 600/minute")
    return item
