"""A gallery without people, and one that a kill has left."""

from __future__ import annotations

import math
from pathlib import Path

from reidkit.errors import UserError
from reidkit.gallery.manifest import SEGMENTS, Manifest, write_manifest
from reidkit.gallery.milvus import Milvus, recorded
from reidkit.gallery.model import EmbeddingModel
from reidkit.gallery.writing import needs_tidying, writer
from reidkit.utils.io import atomic_folder
from reidkit.utils.permission import may_write


def create(folder: Path, model: EmbeddingModel, retention_days: float | None) -> None:
    """Make a gallery with the thresholds of its model, if it has any.

    Args:
        folder: does not exist, or is empty.
        model: whose embeddings it will hold.
        retention_days: see ``check_days``.

    Raises:
        UserError: the folder holds something.
    """
    check_days(retention_days)
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder}: holds other files and is no gallery; choose another folder")
    with atomic_folder(folder) as new:
        for name in (SEGMENTS, "log"):
            (new / name).mkdir()
        write_manifest(new, Manifest(model.fingerprint, model.name, {}, retention_days))
    if model.open_set is not None:
        with writer(folder) as work:
            work.keep_calibration(model.open_set.to_bytes())


def check_days(days: float | None) -> None:
    """Refuse days of retention that are none.

    Raises:
        ValueError: neither None nor a finite number above 0.
    """
    if days is not None and not (isinstance(days, (int, float)) and 0 < days < math.inf):
        raise ValueError(f"retention_days must be a number above 0, or None; got {days!r}")


def tidy(folder: Path, manifest: Manifest, database: Milvus | None) -> None:
    """Clear away what a kill has left, unless a writer is at work or nothing may be written."""
    behind = bool(manifest.database and database and not database.holds(manifest.opened(folder)))
    if not (behind or needs_tidying(folder, manifest)) or not may_write():
        return
    try:
        with writer(folder, wait=0.0, database=database):
            pass
    except (UserError, PermissionError):  # a writer does it, or whoever may
        pass


def attach(folder: Path, manifest: Manifest, address: str) -> Milvus:
    """The database of a gallery, which is filled if the gallery had none.

    Args:
        folder: of the gallery.
        manifest: of it.
        address: see `Milvus`.

    Raises:
        UserError: the gallery has another one, or this one cannot be reached.
    """
    database, name = Milvus(address, manifest.id), recorded(folder, address)
    known = manifest.database.get("address", name)
    if known != name:
        raise UserError(
            f"{folder}: its vectors are in {known}, not in {name}; a copy (`save`) has no database "
            "and may get another"
        )
    if not manifest.database:
        database.client  # noqa: B018 what cannot be reached is not noted
        with writer(folder, database=database) as work:
            work.change(database=dict(address=name))
    return database
