"""What a reader sees: the images that counted when it looked, whatever a writer does meanwhile."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reidkit.errors import UserError
from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.open_set import OpenSet
from reidkit.evaluation.ranking.nearest import SearchedImages
from reidkit.gallery.manifest import Manifest, read_manifest
from reidkit.gallery.segments import ADVICE, Segment
from reidkit.structures import Embedding
from reidkit.utils.io import sha256_file

VERIFIED_MB = 64  # of embeddings that are compared with their checksums at every opening
TRIES = 20  # to open what a writer is just replacing


class Snapshot:
    """One generation of a gallery, read-only.

    Args:
        folder: of the gallery.
        manifest: of the generation.
        segments: opened.
    """

    def __init__(self, folder: Path, manifest: Manifest, segments: list[Segment]):
        self.folder, self.manifest, self.segments = folder, manifest, segments
        self.notes: dict[str, Any] = {}  # what was worked out of it and holds for it
        self._searched: dict[int, list[SearchedImages]] = {}

    @staticmethod
    def open(folder: Path) -> Snapshot:
        """The present generation; its files are compared with their checksums.

        Embeddings of more than 64 MB together are not: ``Gallery.verify`` reads them.

        Raises:
            UserError: no gallery, or a damaged one.
        """
        for _ in range(TRIES):
            manifest = read_manifest(folder)
            try:
                return Snapshot._of(folder, manifest)
            except (OSError, UserError):
                if read_manifest(folder) == manifest:
                    raise
        raise UserError(f"{folder}: changes faster than it can be opened; try again")

    @staticmethod
    def _of(folder: Path, manifest: Manifest) -> Snapshot:
        segments = manifest.opened(folder)
        try:
            small = sum(segment.bytes for segment in segments) <= VERIFIED_MB << 20
        except OSError as error:
            raise UserError(f"{error.filename}: missing; {ADVICE}") from None
        for segment in segments:
            segment.verify(tensors=small)
            segment.columns, segment.embedding  # noqa: B018 a deleted file stays readable once open
        snapshot = Snapshot(folder, manifest, segments)
        snapshot.open_set  # noqa: B018
        return snapshot

    def __len__(self) -> int:
        return sum(map(len, self.segments))

    def column(self, name: str) -> NDArray:
        """A column of all images."""
        parts = [segment.columns[name] for segment in self.segments]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros(0, "S1" if name[0] == "i" else float)

    def rows(self, rows: NDArray[np.int64]) -> Embedding:
        """Raw embeddings of some images, ascending."""
        starts = np.cumsum([0, *map(len, self.segments)])
        parts = []
        for segment, first, last in zip(self.segments, starts, starts[1:], strict=False):
            own = rows[(first <= rows) & (rows < last)] - first
            if len(own):
                parts.append(segment.embedding[torch.from_numpy(own)])
        return Embedding.cat(parts)

    @cached_property
    def people(self) -> tuple[NDArray, NDArray[np.int64]]:
        """Names of the identities, sorted, and the number of each image's."""
        names, numbers = np.unique(self.column("identities"), return_inverse=True)
        return names, numbers

    @cached_property
    def earliest(self) -> float:
        """When the first image expires."""
        return float(np.min(self.column("expires"), initial=np.inf))

    def hidden(self, now: float) -> NDArray[np.bool_] | None:
        """Images that are not to be found: expired ones, and those that are being erased."""
        pending = [name.encode() for name in self.manifest.pending.get("identities", ())]
        if not pending and now < self.earliest:
            return None
        return (self.column("expires") <= now) | np.isin(self.column("identities"), pending)

    def visible(self, now: float) -> NDArray[np.bytes_]:
        """Identities of the images that can be found."""
        hidden, names = self.hidden(now), self.column("identities")
        return names if hidden is None else names[~hidden]

    def verify(self) -> int:
        """Compare every file of the images with its checksum; returns their bytes."""
        for segment in self.segments:
            segment.verify(tensors=True)
        return sum(segment.bytes for segment in self.segments)

    def searched(self, matcher: Matcher) -> list[SearchedImages]:
        """The images as a matcher wants them, prepared once."""
        if id(matcher) not in self._searched:
            self._searched = {
                id(matcher): [SearchedImages(s.embedding, matcher) for s in self.segments]
            }
        return self._searched[id(matcher)]

    @cached_property
    def open_set(self) -> OpenSet | None:
        """What thresholds come from."""
        if not self.manifest.calibration:
            return None
        file = self.folder / self.manifest.calibration["name"]
        known = OpenSet.read(file)
        if sha256_file(file) != self.manifest.calibration["sha256"]:
            raise UserError(f"{file}: damaged, it differs from its checksum; {ADVICE}")
        return known
