"""CUHK03 with its first protocol: 20 test sets of 100 people, images inside an HDF5 file."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from reidkit.data.datasets.files import list_images
from reidkit.data.datasets.partitions import Partition, PartitionedReader
from reidkit.data.split import Split
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.registry import DATASETS
from reidkit.utils.io import atomic_folder, atomic_write
from reidkit.utils.progress import track

MAT = "cuhk-03.mat"
INDEX = "people_and_testsets.json"
NAME = re.compile(r"(\d)_(\d{3,})_([12])_(\d\d)\.png")
PARTS = ("labeled", "detected")
MOST = 10_000_000  # numbers in an array of the file, which may claim any size


@DATASETS.register_module()
class CUHK03(PartitionedReader):
    """CUHK03, classic protocol: ``cuhk-03.mat`` (HDF5), 20 test sets of 100 people.

    ``prepare()`` unpacks the images to ``images_<part>/P_NNN_V_II.png`` (camera pair, person, view,
    image) beside the file, once; that needs h5py. Person numbers start again in every pair of
    cameras: an identity is a pair's person. Every pair has views 1 and 2. Tested as
    ``cuhk03-single-shot``, CMC only; numbers are not comparable with those of ``CUHK03NP``.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.
        part: "labeled" (boxes drawn by hand) or "detected" (by DPM).
        split, query_view: see ``PartitionedReader``.
        pairs: camera pairs to take people from: all 5 (1,367 to learn from), or the first 3 as the
            paper that introduced the set (1,260).

    Raises:
        ValueError: unknown ``part`` or ``pairs``; see ``PartitionedReader``.
        UserError: see ``Reader.prepare``; h5py is missing, or the file is not CUHK03's.

    Source:
        Li et al., DeepReID (CVPR 2014).
    """

    name = "cuhk03"
    title = "CUHK03"
    protocol = "cuhk03-single-shot"
    needed = (MAT,)
    nestings = ("cuhk03_release",)
    how = "unpack cuhk03_release.zip there"

    def __init__(
        self,
        data_root: str,
        root: str = "cuhk03",
        part: str = "detected",
        split: int | None = 0,
        query_view: int = 1,
        pairs: int = 5,
        check_counts: str = "auto",
    ):
        if part not in PARTS:
            raise ValueError(f"part must be 'labeled' or 'detected', got {part!r}")
        if pairs not in (1, 2, 3, 4, 5):
            raise ValueError(f"pairs must be 1 to 5, got {pairs}")
        self.name = f"cuhk03_{part}"
        super().__init__(data_root, root, split, query_view, check_counts)
        self.title = f"CUHK03 ({part})"
        self.part, self.pairs = part, pairs

    @property
    def images(self) -> str:
        """Folder of the unpacked images."""
        return f"images_{self.part}"

    def find(self) -> Path:
        """The folder of the unpacked images, or of the file; see ``Reader.find``."""
        for folder in self.candidates():
            if (folder / self.images / INDEX).is_file():
                return folder
        return super().find()

    def prepare(self) -> None:
        """Unpack the images where that is not done, and verify; see ``Reader.prepare``."""
        folder = self.find()
        if not (folder / self.images / INDEX).is_file():
            unpack(folder / MAT, self.part, folder / self.images)
        super().prepare()

    def read_views(self, folder: Path) -> tuple[Split, Split]:
        """See ``PartitionedReader.read_views``."""
        self._index(folder)  # says so where nothing is unpacked
        names = list_images(folder / self.images)
        numbers = np.array([self._parse(name) for name in names], dtype=np.int64).reshape(-1, 3)
        identities = self._identities(folder, numbers[:, :2])
        paths = tuple(f"{self.images}/{name}" for name in names)
        every = Split(self.name, "all", folder, paths, identities, numbers[:, 2])
        every = every.select(numbers[:, 0] <= self.pairs)
        return every.select(every.cameras == 1), every.select(every.cameras == 2)

    def partitions(self, folder: Path, people: np.ndarray) -> Sequence[Partition]:
        """The test sets of the file; everybody else is learned from."""
        partitions = []
        for number, rows in enumerate(self._index(folder)["testsets"]):
            test = self._identities(folder, np.array(rows, dtype=np.int64))
            unknown = np.setdiff1d(test, people)
            if len(unknown):
                raise UserError(
                    f"{self.title}: test set {number} names people without images (or of camera "
                    f"pairs beyond pairs={self.pairs}); unpack the archive again"
                )
            partitions.append(Partition(np.setdiff1d(people, test), np.sort(test)))
        return partitions

    def _index(self, folder: Path) -> dict:
        file = folder / self.images / INDEX
        if not file.is_file():
            raise UserError(f"{self.title}: {MAT} is not unpacked yet; call prepare()")
        return json.loads(file.read_text())

    def _identities(self, folder: Path, rows: np.ndarray) -> np.ndarray:
        """Identities, from 1, of (camera pair, person), both from 1."""
        sizes = np.array(self._index(folder)["people"])
        pair, person = rows[:, 0], rows[:, 1]
        wrong = (pair < 1) | (pair > len(sizes)) | (person < 1)
        wrong |= person > sizes[np.clip(pair, 1, len(sizes)) - 1]
        if wrong.any():
            first = rows[np.flatnonzero(wrong)[0]]
            raise UserError(
                f"{self.title}: there is no person {first[1]} in camera pair {first[0]}; unpack "
                "the archive again"
            )
        return np.concatenate([[0], np.cumsum(sizes)])[pair - 1] + person

    def _parse(self, name: str) -> tuple[int, int, int]:
        match = NAME.fullmatch(name)
        if match is None:
            raise UserError(
                f"{self.title}: {self.images}/{name}: expected something like 1_001_1_01.png; "
                f"remove the file, or the folder {self.images} to unpack it again"
            )
        return int(match[1]), int(match[2]), int(match[3])


def unpack(mat: Path, part: str, folder: Path) -> None:
    """Write the images of one part as PNG, with an index of people and test sets.

    Args:
        mat: ``cuhk-03.mat``, HDF5.
        part: "labeled" or "detected".
        folder: to write; appears whole or not at all.

    Raises:
        UserError: h5py is missing, or the file has another structure.
    """
    try:
        import h5py
    except ImportError:
        raise UserError(
            f"{mat}: images are unpacked from HDF5 with h5py: python -m pip install h5py"
        ) from None
    try:
        with h5py.File(mat, "r") as file, atomic_folder(folder) as unfinished:
            pairs = [_matlab(file, cell) for cell in _cells(file, part)]
            for number, pair in enumerate(track(pairs, len(pairs), f"unpacking {part}"), 1):
                for name, pixels in _crops(file, number, pair):
                    _write(unfinished / name, pixels)
            testsets = [_rows(file, cell) for cell in _cells(file, "testsets")]
            index = dict(people=[len(pair) for pair in pairs], testsets=testsets)
            with atomic_write(unfinished / INDEX, "w") as out:
                json.dump(index, out)
    except (OSError, RuntimeError, *WRONG_CONTENT) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise  # of the folder, not of the file
        raise UserError(
            f"{mat}: not the file of CUHK03 ({type(error).__name__}: {error}); unpack the archive "
            "again"
        ) from None


def _cells(file, name: str) -> np.ndarray:
    """References of a MATLAB cell vector."""
    return np.asarray(file[name][()]).ravel()


def _matlab(file, reference) -> np.ndarray:
    """A value as MATLAB has it: HDF5 holds the axes in the other order."""
    stored = file[reference]
    if stored.size > MOST:
        raise ValueError(f"it claims an array of shape {stored.shape}")
    return np.asarray(stored[()]).T


def _rows(file, reference) -> list[list[int]]:
    """The camera pairs and people of a test set, whole numbers (N, 2)."""
    rows = _matlab(file, reference)
    if rows.ndim != 2 or rows.shape[1] != 2 or rows.dtype.kind not in "iuf":
        raise ValueError(f"a test set is {rows.dtype} of shape {rows.shape}")
    if not np.isfinite(rows).all() or (rows != np.round(rows)).any():
        raise ValueError("a test set names people by numbers that are not whole")
    return rows.astype(int).tolist()


def _crops(file, number: int, pair: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Name and pixels (H, W, 3) of every image of a camera pair, (people, 10) references.

    The first five cells are view 1, the others view 2; any of them may be empty.
    """
    for person, cells in enumerate(pair, 1):
        for image, reference in enumerate(cells, 1):
            pixels = _matlab(file, reference)
            if pixels.ndim == 3:  # an empty cell is stored as its size
                if pixels.dtype != np.uint8 or pixels.shape[2] != 3 or not pixels.size:
                    raise ValueError(
                        f"image {image} of person {person} in pair {number} is {pixels.dtype} of "
                        f"shape {pixels.shape}, no picture"
                    )
                yield f"{number}_{person:03d}_{1 if image <= 5 else 2}_{image:02d}.png", pixels


def _write(path: Path, pixels: np.ndarray) -> None:
    done, data = cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR))
    if not done:
        raise UserError(f"{path.name}: the image could not be encoded")
    path.write_bytes(data.tobytes())
