"""Changes of a gallery: what counts is the manifest, which is replaced last, and at once.

New segments are written beside the old ones and named by the next manifest; what no manifest names
is a leftover of a killed process and goes away with the next change, or when the gallery is opened.
An erasure is noted in the manifest before it begins. So one that is broken off is carried through
by whoever writes or opens next, and its people are not found meanwhile.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidkit.errors import UserError
from reidkit.gallery.locking import held
from reidkit.gallery.log import FOLDER, Log
from reidkit.gallery.manifest import FILE, SEGMENTS, Manifest, read_manifest, write_manifest
from reidkit.gallery.milvus import Milvus
from reidkit.gallery.segments import ADVICE, Images, Segment, write_segment
from reidkit.utils.checksums import checksums
from reidkit.utils.io import atomic_folder, atomic_write, sha256_file
from reidkit.utils.leftovers import clear_leftovers

ASKED, EXPIRED = "asked for", "expired"
WAIT = 10.0  # seconds for another writer


@dataclass(frozen=True)
class Erasure:
    """What an erasure took away.

    Attributes:
        images: from the gallery.
        identities: that have no image left.
        log_lines: that named them, and do not any more.
        copies: of the gallery, in which the same was done.
        missing: copies that are not where they were written, or where something else lies now:
            nothing was done there.
    """

    images: int = 0
    identities: int = 0
    log_lines: int = 0
    copies: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@contextmanager
def writer(folder: Path, wait: float = WAIT, database: Milvus | None = None) -> Iterator[Writer]:
    """The one process that may change a gallery, with everything in order that a kill has left.

    Args:
        folder: of the gallery.
        wait: seconds to wait for another one.
        database: of the gallery, which is kept in step.

    Raises:
        Busy: another process writes still.
        UserError: the gallery has a database, and it is not given.
    """
    with held(folder, wait, "a second writer"):
        work = Writer(folder, database)
        if work.manifest.database and database is None:
            raise UserError(
                f"{folder}: its vectors are in {work.manifest.database['address']} as well, which "
                "must change with it: open it with database= (--database) and that address"
            )
        work.tidy()
        if work.manifest.pending:
            work.finish_erasure()
        yield work


def needs_tidying(folder: Path, manifest: Manifest) -> bool:
    """Whether a killed process has left something to be done."""
    unfinished = any(any((folder / part).glob(".*.tmp")) for part in (".", SEGMENTS, FOLDER))
    return bool(manifest.pending) or unfinished or bool(set(_own(folder)) - manifest.names)


class Writer:
    """A gallery that may be changed; see ``writer``."""

    def __init__(self, folder: Path, database: Milvus | None = None):
        self.folder, self.manifest = folder, read_manifest(folder)
        self.database = database
        self.log = Log(folder)

    def tidy(self) -> None:
        """Remove what no manifest names, and bring the database in step."""
        clear_leftovers(self.folder, deep=True)
        for name in set(_own(self.folder)) - self.manifest.names:
            _remove(self.folder / name)
        if self.database is not None and self.manifest.database:
            self.database.sync(self.manifest.opened(self.folder))

    def add(self, images: Images | Sequence[Segment], **changes: Any) -> None:
        """Put images behind the others; they count when this returns.

        Segments that together are no more than about as large as the new one are joined with it, so
        that there are few, and each image is copied a few times only.

        Args:
            images: new ones, or segments of another gallery.
            changes: of the manifest.
        """
        new: list[Any] = [images] if isinstance(images, Images) else list(images)
        old, rows = list(self.manifest.segments), sum(map(len, new))
        opened = self.manifest.opened(self.folder)
        parts: list[Any] = new
        while old and old[-1]["rows"] < 2 * rows:
            rows += old.pop()["rows"]
            parts = [self._whole(opened[len(old)]), *parts]
        written = self._written(parts, [None] * len(parts), rows)
        self._commit(self.manifest.next(segments=(*old, written), **changes))

    def _whole(self, segment: Segment) -> Segment:
        """A segment that is not damaged: damage is not copied under a new checksum."""
        segment.verify(tensors=True)
        return segment

    def _written(
        self, parts: Sequence[Any], kept: Sequence[NDArray | None], rows: int
    ) -> dict[str, Any]:
        name = self._free_name()
        files = write_segment(self.folder / SEGMENTS / name, parts, kept)
        return dict(name=name, rows=rows, files=files)

    def _free_name(self) -> str:
        taken = [int(path.name) for path in (self.folder / SEGMENTS).glob("[0-9]*")]
        return f"{max(taken, default=0) + 1:06d}"

    def _commit(self, manifest: Manifest) -> None:
        """Make a manifest count, then remove what only the one before named."""
        write_manifest(self.folder, manifest)
        self.manifest = manifest
        self.tidy()

    def change(self, **changes: Any) -> None:
        """Change what the manifest says beside its images."""
        self._commit(self.manifest.next(**changes))

    def keep_calibration(self, content: bytes) -> None:
        """Take a file of an open set in place of the one before."""
        file = self.folder / f"calibration-{self.manifest.generation + 1}.npz"
        with atomic_write(file) as out:
            out.write(content)
        self.change(calibration=dict(name=file.name, sha256=sha256_file(file)))

    # -- erasing ----------------------------------------------------------------------------
    def begin_erasure(self, identities: Collection[str], expired: float | None) -> None:
        """Note what is to go; from now on it is not found any more.

        Args:
            identities: by name.
            expired: images that expire until this time go, too; None for none.
        """
        token = secrets.token_hex(8)
        pending = dict(token=token, identities=sorted(identities), expired=expired)
        write_manifest(self.folder, manifest := self.manifest.next(pending=pending))
        self.manifest = manifest

    def finish_erasure(self) -> Erasure:
        """Carry through what is noted, here and in the copies; it may have been begun before."""
        pending = self.manifest.pending
        names, expired = set(pending["identities"]), pending["expired"]
        segments, images = self._without(names, expired)
        done, missing = [], []
        for copy in self.manifest.copies:
            if self._is_copy(Path(copy)):
                erase(Path(copy), names, expired)
                done.append(copy)
            else:
                missing.append(copy)
        lines = self.log.redact(names)
        result = Erasure(images, len(names), lines, tuple(done), tuple(missing))
        noted = (line.get("event", {}).get("token") for line in self.log.lines())
        if pending["token"] not in noted:
            event = dict(
                at=time.time(), kind="erasure", token=pending["token"],
                reason=ASKED if expired is None else EXPIRED, images=images,
                identities=len(names), copies=len(done), missing=len(missing),
            )  # fmt: skip
            self.log.add([event])
        cleaned = self.manifest.next(segments=segments, pending={})
        if self.database is not None:  # before the erasure counts as finished
            self.database.sync(cleaned.opened(self.folder))
        self._commit(cleaned)
        return result

    def _is_copy(self, folder: Path) -> bool:
        """Whether a folder that the manifest names is a copy of this gallery, and no other's."""
        return (folder / FILE).is_file() and read_manifest(folder).copy_of == self.manifest.id

    def _without(self, names: set[str], expired: float | None) -> tuple[tuple, int]:
        """The segments without some images, written anew where they had one; and their number."""
        kept, count = [], 0
        gone = [name.encode() for name in names]
        entries = zip(self.manifest.segments, self.manifest.opened(self.folder), strict=True)
        for entry, segment in entries:
            out = np.isin(segment.columns["identities"], gone)
            if expired is not None:
                out |= segment.columns["expires"] <= expired
            count += int(out.sum())
            if not out.any():
                kept.append(entry)
            elif not out.all():
                rows = np.flatnonzero(~out)
                kept.append(self._written([self._whole(segment)], [rows], len(rows)))
        return tuple(kept), count


def erase(
    folder: Path,
    identities: Collection[str],
    expired: float | None = None,
    database: Milvus | None = None,
) -> Erasure:
    """Erase people, or what has expired, from a gallery, its log and its copies.

    Args:
        folder: of the gallery.
        identities: names that need not be there.
        expired: images that expire until this time go, too, and the names of people who have no
            other images.
        database: of the gallery.
    """
    with writer(folder, database=database) as work:
        names = set(identities) | (_expired(work, expired) if expired is not None else set())
        work.begin_erasure(names, expired)
        return work.finish_erasure()


def _expired(work: Writer, until: float) -> set[str]:
    """People whose images have all expired."""
    left: set[bytes] = set()
    gone: set[bytes] = set()
    for segment in work.manifest.opened(work.folder):
        out, names = segment.columns["expires"] <= until, segment.columns["identities"]
        gone |= set(np.unique(names[out]).tolist())
        left |= set(np.unique(names[~out]).tolist())
    return {name.decode() for name in gone - left}


def save(folder: Path, copy: Path, database: Milvus | None = None) -> None:
    """Copy a gallery with its log; the copy is noted, so that erasures reach it.

    Args:
        folder: of the gallery.
        copy: does not exist yet, or is empty; it has no database.
        database: of the gallery.

    Raises:
        UserError: it holds something; a segment is damaged.
    """
    with writer(folder, database=database) as work:
        if copy.is_dir() and any(copy.iterdir()):
            raise UserError(f"{copy}: exists already and is not empty; choose another folder")
        name = str(copy.absolute())
        if name not in work.manifest.copies:
            work.change(copies=(*work.manifest.copies, name))
        with atomic_folder(copy) as new:
            for part in sorted(work.manifest.names):
                (shutil.copytree if (folder / part).is_dir() else shutil.copyfile)(
                    folder / part, new / part
                )
            (new / SEGMENTS).mkdir(exist_ok=True)
            for entry in work.manifest.segments:
                if checksums(new / SEGMENTS / entry["name"]) != entry["files"]:
                    raise UserError(f"{folder}: segment {entry['name']} is damaged; {ADVICE}")
            log = Log(new)
            log.folder.mkdir()
            with held(work.log.folder, WAIT, "a copy of the log"):
                if work.log.file.is_file():
                    shutil.copyfile(work.log.file, log.file)
            own = dict(copies=(), id=secrets.token_hex(16), copy_of=work.manifest.id, database={})
            write_manifest(new, work.manifest.next(**own))


def _own(folder: Path) -> list[str]:
    """Segments and calibrations that are there, below the folder."""
    segments = [f"{SEGMENTS}/{path.name}" for path in (folder / SEGMENTS).glob("[0-9]*")]
    return segments + [path.name for path in folder.glob("calibration-*.npz")]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
