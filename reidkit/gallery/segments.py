"""Enrolled images on disk: folders that never change, one array per file, memory-mapped when read.

```
000007/    vectors.npy, visibility.npy, maps.npy (those the model gives)
           identities.npy, paths.npy, sources.npy (UTF-8 bytes), cameras.npy,
           times.npy, enrolled.npy, expires.npy
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reidkit.errors import UserError
from reidkit.structures import Embedding
from reidkit.utils.checksums import checksums, verify
from reidkit.utils.io import atomic_folder

TENSORS = ("vectors", "visibility", "maps")
TEXTS = ("identities", "paths", "sources")
NUMBERS = {"cameras": np.int64, "times": np.float64, "enrolled": np.float64, "expires": np.float64}
COLUMNS = (*TEXTS, *NUMBERS)
STEP_MB = 16  # copied at a time
ADVICE = "copy it again from where it was saved"
NO_CAMERA = -1


@dataclass(frozen=True, eq=False)
class Images:
    """N images with what is known of each.

    Args:
        embedding: raw, float32, on the CPU.
        columns: identities, paths and sources as UTF-8 bytes (N,), the numbers as NUMBERS says;
            a camera of -1 and a time of NaN are not known, an expiry of inf is never.
    """

    embedding: Embedding
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.embedding)


@dataclass(frozen=True, eq=False)
class Segment:
    """A folder of images, opened when one of its arrays is asked for.

    Args:
        folder: of it.
        rows: images in it.
        files: checksums by file name.
    """

    folder: Path
    rows: int
    files: Mapping[str, str]

    def __len__(self) -> int:
        return self.rows

    @cached_property
    def embedding(self) -> Embedding:
        """The raw embeddings, memory-mapped."""
        names = [name for name in TENSORS if f"{name}.npy" in self.files]
        return Embedding(**{name: torch.from_numpy(self._array(name)) for name in names})

    @cached_property
    def columns(self) -> dict[str, NDArray[Any]]:
        """What is known of the images, memory-mapped."""
        return {name: self._array(name) for name in COLUMNS}

    def _array(self, name: str) -> NDArray[Any]:
        file = self.folder / f"{name}.npy"
        try:
            array = np.load(file, mmap_mode="c", allow_pickle=False)
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise UserError(f"{file}: damaged ({error}); {ADVICE}") from None
        kind = "f" if name in TENSORS else "S" if name in TEXTS else np.dtype(NUMBERS[name]).kind
        if len(array) != self.rows or array.dtype.kind != kind:
            raise UserError(f"{file}: damaged, {array.shape} {array.dtype}; {ADVICE}")
        return array

    def verify(self, tensors: bool) -> None:
        """Compare the files with their checksums.

        Args:
            tensors: those of the embeddings too, about a second per GB.

        Raises:
            UserError: a file is missing or differs.
        """
        large = {f"{name}.npy" for name in TENSORS}
        chosen = {n: d for n, d in self.files.items() if tensors or n not in large}
        verify(self.folder, chosen, ADVICE)

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum((self.folder / name).stat().st_size for name in self.files)


def write_segment(
    folder: Path, parts: Sequence[Images | Segment], kept: Sequence[NDArray | None]
) -> dict[str, str]:
    """Write images one behind the other as a new segment, some megabytes at a time.

    Args:
        folder: does not exist; it appears whole or not at all.
        parts: whose embeddings have the same tensors and shapes.
        kept: rows of each part; None for all.

    Returns:
        Checksums by file name.
    """
    with atomic_folder(folder) as new:
        for name in parts[0].embedding._tensors():
            arrays = [part.embedding._tensors()[name].numpy() for part in parts]
            _write(new / f"{name}.npy", arrays, kept, np.dtype(np.float32))
        for name in COLUMNS:
            arrays = [part.columns[name] for part in parts]
            kind = max((a.dtype for a in arrays), key=lambda d: d.itemsize)
            _write(new / f"{name}.npy", arrays, kept, np.dtype(NUMBERS.get(name, kind)))
        return checksums(new)


def _write(
    file: Path, arrays: Sequence[NDArray], kept: Sequence[NDArray | None], dtype: np.dtype
) -> None:
    """One .npy file of some rows of several arrays."""
    counts = [len(a) if k is None else len(k) for a, k in zip(arrays, kept, strict=True)]
    header = dict(
        descr=np.lib.format.dtype_to_descr(dtype),
        fortran_order=False,
        shape=(sum(counts), *arrays[0].shape[1:]),
    )
    with open(file, "wb") as out:
        np.lib.format.write_array_header_1_0(out, header)
        for array, rows in zip(arrays, kept, strict=True):
            for part in _steps(array, rows):
                out.write(np.ascontiguousarray(part, dtype).tobytes())


def _steps(array: NDArray, rows: NDArray | None) -> Iterator[NDArray]:
    width = max(1, array.nbytes // max(1, len(array)))
    step = max(1, (STEP_MB << 20) // width)
    for start in range(0, len(array) if rows is None else len(rows), step):
        yield array[start : start + step] if rows is None else array[rows[start : start + step]]
