"""Which segments of a gallery count: one small file, replaced as a whole at every change."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.gallery.segments import ADVICE, Segment
from reidkit.utils.checksums import content_digest
from reidkit.utils.io import atomic_write, read_regular

FILE = "gallery.json"
SEGMENTS = "segments"
FORMAT = 2
MOST_BYTES = 1 << 24


@dataclass(frozen=True)
class Manifest:
    """What a gallery is at one moment.

    Attributes:
        model: fingerprint of the model whose embeddings it holds.
        model_name: what the model was opened as.
        shapes: of one image's tensors, by name; empty before the first image.
        retention_days: for which images are kept; None: until they are erased.
        generation: number of changes.
        segments: name, rows and files (checksums) of each, in the order of enrolment.
        calibration: name and checksum of the file of its open set; empty for none.
        copies: folders that `Gallery.save` has written.
        id: drawn at random; a copy has one of its own.
        copy_of: the id of what it was copied from: only that gallery's erasures reach it.
        pending: an erasure that has begun: token, identities, expired (a time, or None).
        database: address of the vector database that lists its images, and the recall measured;
            empty for none.
    """

    model: str
    model_name: str = ""
    shapes: dict[str, list[int]] = field(default_factory=dict)
    retention_days: float | None = None
    generation: int = 0
    segments: tuple[dict[str, Any], ...] = ()
    calibration: dict[str, str] = field(default_factory=dict)
    copies: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    copy_of: str = ""
    pending: dict[str, Any] = field(default_factory=dict)
    database: dict[str, Any] = field(default_factory=dict)

    def next(self, **changes: Any) -> Manifest:
        """The manifest after a change."""
        return replace(self, generation=self.generation + 1, **changes)

    def opened(self, folder: Path) -> list[Segment]:
        """The segments, not read yet."""
        return [
            Segment(folder / SEGMENTS / one["name"], one["rows"], one["files"])
            for one in self.segments
        ]

    @property
    def names(self) -> set[str]:
        """Files and folders that belong to it, below the gallery's own."""
        own = {f"{SEGMENTS}/{one['name']}" for one in self.segments}
        return own | ({self.calibration["name"]} if self.calibration else set())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make a change count: the file takes its name at once, and is on the disk then."""
    content = dict(asdict(manifest), format=FORMAT)
    content["checksum"] = content_digest(content)
    with atomic_write(folder / FILE, "w") as file:
        file.write(json.dumps(content, indent=1) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a gallery.

    Raises:
        UserError: none there, of another format, damaged, or with names that lead elsewhere.
    """
    file = folder / FILE
    if not file.is_file():
        raise UserError(f"{folder}: no gallery, it has no {FILE}; Gallery(folder, model) makes one")
    try:
        content = json.loads(read_regular(file, MOST_BYTES))
        known = content.pop("format")
        if known != FORMAT:
            raise UserError(f"{folder}: a gallery of format {known}; this version reads {FORMAT}")
        if content.pop("checksum") != content_digest(dict(content, format=FORMAT)):
            raise UserError(f"{file}: damaged, it differs from its checksum; {ADVICE}")
        if set(content) != {one.name for one in fields(Manifest)}:
            raise ValueError("other keys than a gallery's")
        manifest = Manifest(**content)
        _check(manifest)
    except (OSError, *WRONG_CONTENT) as error:
        raise UserError(f"{file}: damaged ({error}); {ADVICE}") from None
    return replace(manifest, segments=tuple(manifest.segments), copies=tuple(manifest.copies))


def _check(manifest: Manifest) -> None:
    """Refuse what a gallery never writes.

    Raises:
        ValueError: names that may be paths, rows that are no counts.
    """
    files: list[tuple[str, Sequence[str]]] = [
        (one["name"], one["files"]) for one in manifest.segments
    ]
    if manifest.calibration:
        files.append(("0", [manifest.calibration["name"]]))
    for name, below in files:
        if not re.fullmatch(r"\d+", name) or not all(
            re.fullmatch(r"[\w-]+\.np[yz]", f) for f in below
        ):
            raise ValueError(f"{name!r} with {list(below)} names no segment")
    known = manifest.database
    numbers = known.get("recall", {}).values()
    if not isinstance(known.get("address", ""), str) or not {*known} <= {"address", "recall"}:
        raise ValueError("a database without an address")
    if not all(isinstance(one, (int, float)) for one in numbers):
        raise ValueError("a recall that is no number")
    if not all(type(one["rows"]) is int and one["rows"] >= 0 for one in manifest.segments):
        raise ValueError("rows of a segment that are no count")
