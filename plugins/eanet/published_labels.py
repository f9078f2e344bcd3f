"""EANet's published keypoints, read from their pickle without running anything stored in it."""

from __future__ import annotations

import io
import pickle
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.utils.arrays import GLOBALS, NotPlain, plain


class _Refused(Exception):
    pass


class _ArraysOnly(pickle.Unpickler):
    """Rebuilds numpy arrays and plain containers; looks up nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return (
                _encode if (module, name) == ("_codecs", "encode") else GLOBALS[f"{module}.{name}"]
            )
        except KeyError:
            raise _Refused(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("persistent objects")


def _encode(text: str, encoding: str) -> bytes:
    """What pickles of protocol 2 write bytes with."""
    if encoding != "latin1":
        raise _Refused(f"bytes in {encoding!r}")
    return text.encode("latin1")


def load_arrays(path: Path | str) -> Any:
    """Unpickle numbers, text, containers and numeric numpy arrays; refuse everything else.

    Args:
        path: a pickle, also of Python 2.

    Raises:
        UserError: no such file, damaged, or it asks for anything beyond arrays.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        return plain(_ArraysOnly(io.BytesIO(data), encoding="latin1").load())
    except NotPlain as error:
        raise UserError(f"{path}: refused: the pickle holds {error}") from None
    except _Refused as refused:
        raise UserError(
            f"{path}: refused: the pickle asks for {refused}, and only numbers, text, lists, dicts "
            "and numpy arrays are read"
        ) from None
    except Exception as error:  # a damaged pickle can raise almost anything
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not a readable pickle ({text})") from None


def read(path: Path | str, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints and image sizes of a split's crops from EANet's published file.

    Args:
        path: a pickled dict: image path -> dict of ``kpt`` (17, 3) x, y, confidence and ``im_h_w``.
        split: whose crops; matched by path, else by base name (Windows separators are understood).

    Returns:
        (M, 17, 3) float32 and (M, 2) int64 height, width.

    Raises:
        UserError: as ``load_arrays``, entries of another form, or a crop that is not in the file.
    """
    content = load_arrays(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a dict by image path, found {type(content).__name__}")
    known = {}
    for name, entry in content.items():
        relative = str(name).replace("\\", "/")
        known[relative] = known[PurePosixPath(relative).name] = entry
    keypoints = np.zeros((len(split), 17, 3), dtype=np.float32)
    sizes = np.zeros((len(split), 2), dtype=np.int64)
    for row, name in enumerate(split.paths):
        entry = known.get(name, known.get(PurePosixPath(name).name))
        if entry is None:
            raise UserError(f"{path}: no keypoints for {name!r} of {split.label_key}")
        try:
            keypoints[row] = np.asarray(entry["kpt"], dtype=np.float32).reshape(17, 3)
            sizes[row] = np.asarray(entry["im_h_w"], dtype=np.int64).reshape(2)
        except (KeyError, TypeError, ValueError, IndexError):
            raise UserError(
                f"{path}: {name!r}: expected 'kpt' of 17 x 3 numbers and 'im_h_w'"
            ) from None
    return keypoints, sizes
