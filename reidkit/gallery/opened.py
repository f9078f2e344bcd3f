"""The folder of a gallery, opened: what it holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.gallery.log import Log
from reidkit.gallery.manifest import FILE
from reidkit.gallery.rows import described
from reidkit.gallery.snapshot import Snapshot


class OpenedGallery:
    """What can be asked without a model.

    Args:
        folder: of a gallery.
        clock: seconds since 1970.

    Raises:
        UserError: no gallery, or a damaged one.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]):
        self.folder, self.clock = folder, clock
        self.log = Log(folder)
        self._snapshot = Snapshot.open(folder)
        self._seen = self._state()

    def _state(self) -> tuple[int, int]:
        found = os.stat(self.folder / FILE)
        return found.st_ino, found.st_mtime_ns

    @property
    def snapshot(self) -> Snapshot:
        """The present state: opened anew where a writer has changed it."""
        if (now := self._state()) != self._seen:
            self._snapshot, self._seen = Snapshot.open(self.folder), now
        return self._snapshot

    def __len__(self) -> int:
        return len(self.snapshot.visible(self.clock()))

    @property
    def identities(self) -> list[str]:
        """Names of the people who can be found, sorted."""
        return [name.decode() for name in np.unique(self.snapshot.visible(self.clock()))]

    def images(self, identity: str) -> list[dict[str, Any]]:
        """Provenance of a person's images: path, camera, time, source, enrolled, expires."""
        rows = np.flatnonzero(self.snapshot.column("identities") == identity.encode())
        return [described(self.snapshot, int(row)) for row in rows]

    def verify(self) -> int:
        """Compare every file with its checksum and every line of the log with its chain.

        Returns:
            Bytes of the images' files; about a second per GB.

        Raises:
            UserError: the first that differs.
        """
        self.log.verify()
        return self.snapshot.verify()
