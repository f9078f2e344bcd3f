"""Arrays of .npz and .npy files of strangers: plain ones alone, none larger than its bytes."""

from __future__ import annotations

import io
import math
import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from reidkit.errors import UserError
from reidkit.utils.trouble import MachineError

# what zipfile, zlib, numpy and pyarrow raise on files that are damaged
DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, OSError, EOFError,
    ValueError, TypeError, LookupError, OverflowError, RuntimeError, SyntaxError, MemoryError,
)  # fmt: skip
KINDS = "biufUSc"  # truth values, whole numbers, floats, text; complex ones for a better message
HEADER = 10_000  # bytes; numpy's own limit
SMALL = 1 << 30  # files that claim no more than this may be packed as tightly as they like
TIGHT = 100  # times its size on disk that a larger file may claim


def read_arrays(path: Path) -> dict[str, NDArray]:
    """The arrays of an .npz file by name, or that of an .npy file as ``features``.

    Args:
        path: the file, which is there.

    Raises:
        UserError: damage, objects in place of numbers, two arrays of one name, or a claim of more
            memory than the file can hold or the machine has.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "two.npz")
        >>> np.savez(file, features=np.zeros((2, 3)), pids=np.array([4, 5]))
        >>> {name: array.shape for name, array in read_arrays(file).items()}
        {'features': (2, 3), 'pids': (2,)}
    """
    try:
        if path.suffix == ".npy":
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                check_size(path, size)
                return {"features": _array(file, size, "the array")}
        with zipfile.ZipFile(path) as content:
            members = [info for info in content.infolist() if info.filename.endswith(".npy")]
            check_size(path, sum(info.file_size for info in members))
            arrays: dict[str, NDArray] = {}
            for info in members:
                name = info.filename.removesuffix(".npy")
                if name in arrays:
                    raise UserError(f"{path}: two arrays '{name}'; leave one of them")
                with content.open(info) as packed:
                    arrays[name] = _array(packed, info.file_size, f"'{name}'")
            return arrays
    except MemoryError:
        raise MachineError(
            f"{path}: out of memory: its arrays take more than this process may have (ulimit -v)"
        ) from None
    except DAMAGE as error:
        why = str(error) or type(error).__name__
        raise UserError(f"{path}: damaged, or no {path.suffix} file: {why}") from None


def check_size(path: Path, claimed: int) -> None:
    """Refuse a file that claims more memory than it can need, before memory is asked for.

    Args:
        path: the file.
        claimed: bytes of its content when unpacked.

    Raises:
        UserError: more than the machine has, or than any features can be packed.
    """
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    stored = path.stat().st_size
    if claimed > most or (claimed > SMALL and claimed > TIGHT * stored):
        raise UserError(
            f"{path}: claims {claimed / SMALL:,.1f} GB, unpacked from {stored:,} bytes; this "
            f"machine has {most / SMALL:,.1f} GB, and features do not pack so tightly"
        )


def _array(file: IO[bytes], size: int, name: str) -> NDArray:
    """One array of numpy's format in a file of ``size`` bytes, which it has to fill."""
    head = io.BytesIO(file.read(HEADER + 16))
    version = np.lib.format.read_magic(head)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"{name} is of numpy's format {version[0]}.{version[1]}")
    shape, by_columns, dtype = readers[version](head, max_header_size=HEADER)
    if dtype.kind not in KINDS or dtype.itemsize == 0:
        raise ValueError(
            f"{name} holds {dtype}; store numbers, and texts as fixed-width strings, not as objects"
        )
    claimed, held = math.prod(shape) * dtype.itemsize, size - head.tell()
    if any(length < 0 for length in shape) or claimed != held:
        raise ValueError(f"{name} claims {dtype} {shape}, and has {held:,} bytes for that")
    content = bytearray(held)
    start = head.read()
    content[: len(start)] = start
    with memoryview(content) as view:
        filled = len(start)
        while filled < held:
            part = file.read(min(held - filled, 1 << 24))
            if not part:
                raise EOFError(f"{name} ends after {filled:,} of {held:,} bytes")
            view[filled : filled + len(part)] = part
            filled += len(part)
    flat = np.frombuffer(content, dtype)
    if dtype.kind == "U":
        _check_letters(flat, name)
    return flat.reshape(shape, order="F" if by_columns else "C")


def _check_letters(texts: NDArray, name: str) -> None:
    """Refuse code points that no text has, at which Python breaks off; bytes of file names stay."""
    codes = texts.view(np.dtype(np.uint32).newbyteorder(texts.dtype.byteorder))
    half = (codes >= 0xD800) & (codes < 0xE000) & ~((codes >= 0xDC80) & (codes < 0xDD00))
    if bool((half | (codes > 0x10FFFF)).any()):
        raise ValueError(f"{name} holds text with letters that there are not")
