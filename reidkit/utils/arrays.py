"""Numpy arrays out of files of strangers: rebuilt here from their bytes, not by numpy's pickling.

Numpy restores a dtype from whatever state a pickle holds. A crafted one gives arrays of objects
over raw bytes, which then are pointers that the file has chosen. So numpy's names are answered with
the stand-ins below, and ``plain`` makes arrays of them whose dtype, shape and bytes have been
compared.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

_CODE = re.compile(r"[<>|=]?(\?|b1|[iu][1248]|f[248])")
# the state of a dtype without parts: three None, size and alignment its own, no flags
_BARE = (None, None, None, -1, -1, 0)


class NotPlain(Exception):
    """An array that is not one of plain numbers; the text says which."""


class Dtype:
    """Stands for ``numpy.dtype``: truth values, whole numbers, floats, each by its size.

    Raises:
        NotPlain: objects, text, records, dates, complex numbers, or a state that numpy never
            writes.

    Example:
        >>> Dtype("f4").value
        dtype('float32')
        >>> Dtype("O")
        Traceback (most recent call last):
        reidkit.utils.arrays.NotPlain: an array of dtype 'O'; ...
    """

    def __init__(self, code: Any, align: Any = False, copy: Any = False):
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise NotPlain(
                f"an array of dtype {str(code)[:40]!r}; arrays hold truth values (b1), whole "
                "numbers (i1 to u8) or floats (f2 to f8)"
            )
        self.value = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 8 or state[2:] != _BARE:
            raise NotPlain("a dtype with a state that plain numbers do not have")
        if state[1] not in ("<", ">", "|", "="):
            raise NotPlain("a dtype with an unknown byte order")
        self.value = self.value.newbyteorder(state[1])


class Array:
    """Stands for ``numpy.ndarray`` until its state is read."""

    value: np.ndarray

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise NotPlain("an array with a state that numpy does not write")
        _, shape, dtype, fortran, data = state
        self.value = _array(shape, dtype, data, "F" if fortran else "C")


def _array(shape: Any, dtype: Any, data: Any, order: Any) -> np.ndarray:
    """The array, once its parts fit each other."""
    kind = dtype.__dict__.get("value") if isinstance(dtype, Dtype) else None
    if isinstance(data, str):  # as pickles of Python 2 are read
        data = data.encode("latin1")
    if kind is None or not isinstance(data, (bytes, bytearray)):
        raise NotPlain("an array without bytes or without a dtype")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise NotPlain("an array whose shape is none")
    if math.prod(shape) * kind.itemsize != len(data):
        raise NotPlain(f"an array of {shape} {kind} out of {len(data)} bytes")
    return np.frombuffer(data, kind).reshape(shape, order=order).copy(order)


def _reconstruct(kind: Any, shape: Any, code: Any) -> Array:
    """Stands for numpy's function of that name: an empty array, filled by its state."""
    if kind is not Array:
        raise NotPlain("an array of a class that is not numpy's")
    return Array()


def _scalar(dtype: Any, data: Any = None) -> Any:
    """Stands for numpy's ``scalar``: a number out of its bytes."""
    return _array((), dtype, data, "C")[()]


def _no_bytes() -> bytes:
    """What protocol 2 writes for the bytes of an empty array."""
    return b""


# what files call them -> what answers
GLOBALS: dict[str, Any] = {
    "numpy.ndarray": Array,
    "numpy.dtype": Dtype,
    "builtins.bytes": _no_bytes,
    "__builtin__.bytes": _no_bytes,
    **{
        f"numpy.{core}.multiarray.{name}": function
        for core in ("core", "_core")  # numpy 1, numpy 2
        for name, function in (("_reconstruct", _reconstruct), ("scalar", _scalar))
    },
}


def plain(content: Any, _seen: dict[int, Any] | None = None) -> Any:
    """The content of a file with arrays in place of their stand-ins, in dicts, lists and tuples.

    Raises:
        NotPlain: an array that was never filled, or containers nested too deep.
    """
    seen = {} if _seen is None else _seen
    if isinstance(content, (Array, Dtype)):
        if "value" not in content.__dict__:
            raise NotPlain("an array without content")
        return content.value
    if not isinstance(content, (dict, list, tuple)) or id(content) in seen:
        return seen.get(id(content), content)
    try:
        if isinstance(content, tuple):
            items = [plain(item, seen) for item in content]
            same = all(new is old for new, old in zip(items, content, strict=True))
            seen[id(content)] = content if same else tuple(items)
            return seen[id(content)]
        seen[id(content)] = content
        places: Any = content if isinstance(content, dict) else range(len(content))
        for place in places:
            new = plain(content[place], seen)
            if new is not content[place]:
                content[place] = new
    except RecursionError:
        raise NotPlain("containers nested too deep") from None
    return content
