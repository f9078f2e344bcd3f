"""Writing a label store: in order, under a lock, and never over labels that were imported."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.pose.quality import Quality
from reidkit.pose.store_meta import imported
from reidkit.utils.checksums import checksums
from reidkit.utils.exchange import restore_folder
from reidkit.utils.io import atomic_write
from reidkit.utils.leftovers import clear_leftovers
from reidkit.utils.locks import alone

_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def say(text: str) -> None:
    """One line for people, on standard error."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What the disk refuses while labels are written, in words.

    Raises:
        UserError: a full disk, or a folder that cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise UserError(
                f"{folder}: the disk is full; make room and run again: what is done is kept"
            ) from None
        if error.errno in _READ_ONLY:
            raise UserError(
                f"{folder}: part labels cannot be written here ({error.strerror}); keep them in "
                "another folder: settings.label_root=FOLDER (the label command: --label-root "
                "FOLDER)"
            ) from None
        raise


@contextmanager
def store_lock(folder: Path) -> Iterator[None]:
    """The right to write a store: one process at a time; what a kill left is put in order first."""
    lock = folder.with_name(f".{folder.name}.lock")
    waits = f"{folder}: another process makes these labels; waiting for it"
    with writing(folder), alone(lock, lambda: say(waits)):
        restore_folder(folder)
        clear_leftovers(folder.parent)
        yield


def refuse_to_replace(folder: Path, replace_imported: bool) -> None:
    """Refuse to make labels where somebody has imported some.

    Raises:
        UserError: a store that was imported, and no ``replace_imported``.
    """
    what = None if replace_imported else imported(folder)
    if what is not None:
        raise UserError(
            f"{folder}: holds labels that were imported ({what}) and are not made again by "
            "anybody; --replace-imported replaces them by generated ones"
        )


def write_store(
    folder: Path, split: Split, meta: dict[str, Any], blocks: Iterable[dict[str, Any]]
) -> None:
    """Write the files of a store into an empty folder, ``meta.json`` last.

    Arrays are written in order and never mapped into memory: on a full disk that is an error, and
    no signal that ends the process.

    Args:
        folder: exists; renamed into place by the caller.
        split: whose labels they are.
        meta: as ``describe``, and who made it; checksums, quality and "complete" are added.
        blocks: dicts of keypoints, image_sizes and part_maps (or not), in the order of the rows.

    Raises:
        UserError: a path that a text file cannot hold.
        ValueError: another number of rows than crops.
    """
    if broken := next((path for path in split.paths if "\n" in path), None):
        raise UserError(f"{broken!r}: a line break in a file's name; rename the file")
    count, size = meta["count"], meta["part_maps"]
    shapes: dict[str, tuple] = {
        "keypoints": ((count, 17, 3), "<f4"),
        "image_sizes": ((count, 2), "<i8"),
    }
    if size:
        shapes["part_maps"] = ((count, *size), "|u1")
    points = []
    with ExitStack() as stack:
        files = {n: stack.enter_context(open(folder / f"{n}.npy", "xb")) for n in shapes}
        for name, (shape, dtype) in shapes.items():
            head = dict(descr=dtype, fortran_order=False, shape=shape)
            npy.write_array_header_1_0(files[name], head)
        for block in blocks:
            points.append(np.asarray(block["keypoints"], "<f4"))
            for name, (shape, dtype) in shapes.items():
                _append(files[name], np.asarray(block[name], dtype), shape)
    rows = sum(map(len, points))
    if rows != count:
        raise ValueError(f"write_store: {rows} rows of labels for {count} crops")
    with atomic_write(folder / "paths.txt") as file:
        file.write(b"".join(os.fsencode(path) + b"\n" for path in split.paths))
    looks = Quality.of(np.concatenate(points) if points else np.zeros((0, 17, 3)))
    more = dict(quality=looks.as_dict(), sha256=checksums(folder))
    with atomic_write(folder / "meta.json", "w") as file:
        json.dump({**meta, **more, "complete": True}, file, indent=1)


def _append(file: IO[bytes], rows: np.ndarray, shape: tuple[int, ...]) -> None:
    if rows.shape[1:] != shape[1:]:
        raise ValueError(f"write_store: labels of shape {rows.shape[1:]}, expected {shape[1:]}")
    file.write(np.ascontiguousarray(rows).data)
