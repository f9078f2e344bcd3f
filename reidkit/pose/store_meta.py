"""The description of a label store, ``meta.json``: what the labels are of, and who made them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.split import Split
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.pose.quality import Quality
from reidkit.utils.io import read_regular

FORMAT = 2
ADVICE = "delete the folder and generate or import the labels again"
MAKERS = ("run", "command", "import")  # who may have made a store
_TYPES: dict[str, tuple[type, ...]] = {
    "dataset": (str,), "split": (str,), "label_key": (str,), "fingerprint": (str,),
    "boxes_sha256": (str, type(None)), "count": (int,), "pose": (dict,),
    "part_maps": (list, type(None)), "made_by": (str,), "quality": (dict,), "sha256": (dict,),
}  # fmt: skip
_FILES = ("keypoints.npy", "image_sizes.npy", "paths.txt")


class OtherFormat(UserError):
    """A store of another version; ``made_by`` says who made it, as far as it tells."""

    made_by: str | None = None


def read_meta(folder: Path) -> dict[str, Any]:
    """The description of a store.

    Raises:
        OtherFormat: the store was written by another version.
        UserError: none there, unreadable, damaged or unfinished.
    """
    file = folder / "meta.json"
    if not file.is_file():
        raise UserError(
            f"{folder}: no part labels here; make them with: python tools/generate_part_labels.py"
        )
    try:
        meta = json.loads(read_regular(file))
        complete, known = meta.get("complete"), meta.get("format")
    except (OSError, *WRONG_CONTENT):
        raise UserError(f"{file}: not readable as JSON; {ADVICE}") from None
    if known != FORMAT:
        error = OtherFormat(
            f"{folder}: label store of format {known}, this version reads {FORMAT}; {ADVICE}"
        )
        error.made_by = meta.get("made_by")
        raise error
    if complete is not True:
        raise UserError(f"{folder}: the label store is not complete; {ADVICE}")
    if wrong := _wrong(meta):
        raise UserError(f"{file}: damaged: {wrong}; {ADVICE}")
    return meta


def _wrong(meta: dict[str, Any]) -> str | None:
    """What a description lacks, or holds that cannot be."""
    for key, types in _TYPES.items():
        if key not in meta:
            return f"{key!r} is missing"
        if type(meta[key]) not in types:
            return f"{key!r} is {str(meta[key])[:60]!r}"
    size = meta["part_maps"]
    if meta["count"] < 0:
        return f"'count' is {meta['count']}"
    if size is not None and (len(size) != 2 or not all(type(n) is int and n > 0 for n in size)):
        return f"'part_maps' is {str(size)[:60]}"
    if meta["made_by"] not in MAKERS:
        return f"'made_by' is {meta['made_by'][:60]!r}"
    if not isinstance(meta["pose"].get("config"), str):
        return "'pose' does not name a config"
    wanted = {*_FILES, "part_maps.npy"} if size else {*_FILES}
    if set(meta["sha256"]) != wanted or not all(map(_is_text, meta["sha256"].values())):
        return f"'sha256' is not of {', '.join(sorted(wanted))}"
    try:
        str(Quality.stored(meta))
    except WRONG_CONTENT:
        return f"'quality' is {str(meta['quality'])[:60]}"
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def imported(folder: Path) -> str | None:
    """What was imported into the store that is there; None where there is none, or a made one.

    A store that cannot be read counts as imported: nobody can tell what would be lost.
    """
    if not folder.exists():
        return None
    try:
        meta = read_meta(folder)
    except OtherFormat as error:
        return None if error.made_by in ("run", "command") else "labels of another version"
    except UserError:
        return "labels that cannot be read"
    return str(meta["pose"]["config"]) if meta["made_by"] == "import" else None


def describe(split: Split, pose: dict[str, Any], part_maps: Sequence[int] | None) -> dict[str, Any]:
    """What identifies a store: everything of ``meta.json`` except how it came about.

    Args:
        split: what is labelled.
        pose: provenance of the labels.
        part_maps: (h, w), or None for keypoints only.
    """
    return {
        "format": FORMAT,
        "dataset": split.dataset,
        "split": split.name,
        "label_key": split.label_key,
        "fingerprint": files_digest(split),
        "boxes_sha256": boxes_digest(split),
        "count": len(split),
        "pose": pose,
        "part_maps": list(part_maps) if part_maps else None,
    }


def files_digest(split: Split) -> str:
    """sha256 over paths and numbers of bytes of the images, which other files would not have.

    Identities and cameras have no part in it: labels fit a file whoever is in it. A file that is
    not on this machine, or missing, counts with no bytes.
    """
    digest, base = hashlib.sha256(), f"{split.root.as_posix()}/"
    for path in split.paths:
        digest.update(
            os.fsencode(path) + b"\0%d\n" % _bytes(path if "://" in path else base + path)
        )
    return digest.hexdigest()


def _bytes(file: str) -> int:
    try:
        return os.stat(file).st_size
    except OSError:
        return 0


def boxes_digest(split: Split) -> str | None:
    """sha256 of the boxes crops are cut by; None where the crop is the whole file."""
    if split.boxes is None:
        return None
    return hashlib.sha256(np.ascontiguousarray(split.boxes, dtype="<f8").tobytes()).hexdigest()
