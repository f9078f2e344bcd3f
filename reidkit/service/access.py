"""A gallery for many callers: one request at a time, the others wait or are refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from reidkit.gallery import Gallery
from reidkit.service.limits import Limits
from reidkit.service.problems import Refusal


class Access:
    """Hands a gallery with its model to one thread after the other.

    Args:
        gallery: opened with its model.
        limits: how many may wait.
    """

    def __init__(self, gallery: Gallery, limits: Limits):
        self._gallery, self.limits = gallery, limits
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(limits.waiting + 1)

    @contextmanager
    def gallery(self) -> Iterator[Gallery]:
        """The gallery, for this thread alone within the block.

        Raises:
            Refusal: too many are waiting already (429).
        """
        if not self._places.acquire(blocking=False):
            raise Refusal(429, "too many requests are waiting; try again", 1)
        try:
            with self._turn:
                yield self._gallery
        finally:
            self._places.release()

    def purge(self) -> None:
        """Erase what has expired, whoever waits."""
        with self._turn:
            self._gallery.purge()
