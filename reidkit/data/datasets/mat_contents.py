"""Run by ``matlab.read``, alone in a process: what a MATLAB file holds under a name, as JSON.

SciPy's reader and HDF5 follow the sizes and offsets that a damaged file states, and may take the
process down with them.
"""

from __future__ import annotations

import json
import sys

import numpy as np

MOST = 50_000_000  # numbers: a file may claim any size


def contents(file: str, key: str) -> dict:
    """Either ``kind``, ``shape`` and ``values`` of an array of numbers, or ``cells``: the numeric
    vectors inside every cell or struct.

    Raises:
        ValueError: no such array, or one of something else.
    """
    with open(file, "rb") as opened:
        head = opened.read(520)
    hdf5 = b"\x89HDF\r\n\x1a\n" in (head[:8], head[512:])
    array = _hdf5(file, key) if hdf5 else _version5(file, key)
    if array.dtype.kind in "iufb":
        return dict(kind=array.dtype.kind, shape=array.shape, values=array.tolist())
    if array.dtype == object and array.ndim or array.dtype.names:
        return dict(cells=[[v.tolist() for v in _vectors(cell)] for cell in array.ravel()])
    raise ValueError(f"it is {array.dtype} of shape {array.shape}")


def _version5(file: str, key: str) -> np.ndarray:
    from scipy.io import loadmat, whosmat

    shapes = {name: shape for name, shape, _ in whosmat(file)}
    if key not in shapes:
        raise ValueError(f"it has: {', '.join(shapes) or 'nothing'}")
    if np.prod(shapes[key], dtype=np.float64) > MOST:
        raise ValueError(f"it claims shape {shapes[key]}")
    return np.asarray(loadmat(file, variable_names=[key])[key])


def _hdf5(file: str, key: str) -> np.ndarray:
    import h5py

    with h5py.File(file, "r") as opened:
        if opened.get(key, getclass=True) is not h5py.Dataset:
            raise ValueError(f"it has: {', '.join(opened) or 'nothing'}, none of them this array")
        if opened[key].size is None or opened[key].size > MOST:
            raise ValueError(f"it claims shape {opened[key].shape}")
        return np.asarray(opened[key][()]).T  # HDF5 holds MATLAB's arrays transposed


def _vectors(cell):
    """Numeric arrays of a MATLAB value, flat; fields and cells opened."""
    if isinstance(cell, np.void):
        for value in cell.item():
            yield from _vectors(value)
    elif isinstance(cell, np.ndarray) and (cell.dtype == object or cell.dtype.names):
        for value in cell.ravel():
            yield from _vectors(value)
    elif isinstance(cell, np.ndarray) and cell.dtype.kind in "iuf":
        yield cell.ravel()


if __name__ == "__main__":
    try:
        answer = contents(*sys.argv[1:])
    except Exception as error:  # scipy and h5py raise almost anything for a damaged file
        reason = str(error.args[0]) if error.args else type(error).__name__
        answer = dict(refused=reason[:200])
    json.dump(answer, sys.stdout)
