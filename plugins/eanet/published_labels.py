"""EANet's published keypoints, read from their pickle without running anything stored in it."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.joints import confidences, numbers, refuse_far_joints
from reidkit.errors import UserError
from reidkit.pose.people import LabelledImage, Person
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


def read(path: Path | str) -> list[LabelledImage]:
    """Keypoints of EANet's published file, a person for each image.

    Args:
        path: a pickled dict: image path -> dict of ``kpt`` (17, 3) x, y, confidence and ``im_h_w``,
            height and width of the image; paths with Windows separators are understood.

    Raises:
        UserError: as ``load_arrays``, entries of another form, or numbers that cannot be.
    """
    content = load_arrays(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a dict by image path, found {type(content).__name__}")
    return [_image(str(name), entry, f"{path}: {name!r}") for name, entry in content.items()]


def _image(name: str, entry: Any, where: str) -> LabelledImage:
    try:
        joints = np.asarray(entry["kpt"], dtype=np.float64).reshape(51)
        size = np.asarray(entry["im_h_w"], dtype=np.float64).reshape(2)
    except (KeyError, TypeError, ValueError, IndexError):
        raise UserError(f"{where}: expected 'kpt' of 17 x 3 numbers and 'im_h_w'") from None
    height, width = numbers(size, 2, "im_h_w", where)
    if min(height, width) < 1:
        raise UserError(f"{where}: im_h_w is {height:g}, {width:g}; expected pixels from 1")
    points = numbers(joints, 51, "kpt", where).reshape(17, 3)
    points[:, 2] = confidences(points[:, 2], where)
    refuse_far_joints(points, (height, width), where)
    return LabelledImage(name, (Person(points, where),), (height, width))
