"""Problems of a gallery that a program may want to tell from others."""

from __future__ import annotations

from collections.abc import Sequence

from reidkit.errors import UserError


class Busy(UserError):
    """Another process is writing."""


class NotEnrolled(UserError):
    """People who are not in a gallery.

    Args:
        folder: of the gallery, for the message.
        names: of the people.

    Example:
        >>> raise NotEnrolled("people", ["anna"])
        Traceback (most recent call last):
        reidkit.gallery.refusals.NotEnrolled: people: nobody is called 'anna'
    """

    def __init__(self, folder: object, names: Sequence[str]):
        super().__init__(f"{folder}: nobody is called {', '.join(map(repr, names)) or '?'}")
        self.names = tuple(names)
