"""VeRi-776 and VehicleID: vehicles instead of people, everything else is the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reidkit.data.datasets.files import list_images, read_lines
from reidkit.data.datasets.reader import Reader, parse_names
from reidkit.data.split import Split, Trial
from reidkit.errors import UserError
from reidkit.registry import DATASETS

NAME = re.compile(r"(\d+)_c(\d+)_")
DRAWS = 10  # galleries of VehicleID's test
SIZES = (800, 1600, 2400, 3200, 6000, 13164)  # vehicles of its test lists


@DATASETS.register_module()
class VeRi776(Reader):
    """VeRi-776: ``image_train``, ``image_query``, ``image_test``; names as ``0001_c001_*.jpg``.

    576 vehicles under 20 cameras to learn from, 200 others to find. Where ``name_train.txt``,
    ``name_query.txt`` and ``name_test.txt`` lie beside the folders, they say which files count.
    The queries are images of the gallery, too; the rule that leaves out the query's own camera
    leaves those copies out.

    Args:
        data_root, check_counts: see ``Reader``; the number of training images is not compared,
            since releases differ in it (37,778 and 37,746).
        root: the data set's own folder in ``data_root``.

    Raises:
        UserError: see ``Reader.prepare``; a name of another form; a listed file that is missing.

    Source:
        Liu, Liu, Mei, Ma, A Deep Learning-Based Approach to Progressive Vehicle Re-identification
        (ECCV 2016), and the README of the data set.
    """

    name = "veri776"
    title = "VeRi-776"
    needed = ("image_train/", "image_query/", "image_test/")
    nestings = ("VeRi", "VeRi-776", "VeRi_with_plate")
    counts = {"query": (1678, 200), "gallery": (11579, 200)}
    how = "unpack VeRi.zip there, which its authors give on request"

    def __init__(self, data_root: str, root: str = "veri776", check_counts: str = "auto"):
        super().__init__(data_root, root, check_counts)

    def read(self, folder: Path) -> dict[str, Split]:
        """List the three folders; see ``Reader.read``."""
        parts = {"train": "train", "query": "query", "gallery": "test"}
        return {name: self._part(folder, name, part) for name, part in parts.items()}

    def _part(self, folder: Path, name: str, part: str) -> Split:
        files, listed = list_images(folder / f"image_{part}"), folder / f"name_{part}.txt"
        if listed.is_file():
            wanted = {line.rpartition("/")[2] for _, line in read_lines(listed)}
            missing = sorted(wanted - set(files))
            if missing:
                raise UserError(
                    f"{listed.as_posix()} lists {missing[0]}, which is not in image_{part}/ "
                    f"({len(missing)} such files); unpack the archive again"
                )
            extra = len(files) - len(wanted)
            self.notes += [f"left out: {extra} files of image_{part}/ not listed"] if extra else []
            files = sorted(wanted)
        paths = tuple(f"image_{part}/{file}" for file in files)
        identities, cameras = parse_names(paths, NAME, "0001_c001_00016450_0.jpg")
        return Split(self.name, name, folder, paths, identities, cameras)


@DATASETS.register_module()
class VehicleID(Reader):
    """VehicleID (PKU): ``image/*.jpg`` and lists "image vehicle" in ``train_test_split/``.

    A test list is divided ten times: one image of every vehicle, drawn at random, is the gallery
    and all others are queries; figures are means over the ten trials. There are no cameras:
    queries count as camera 0, the gallery as camera 1.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.
        vehicles: of the test list: 800 (small), 1600 (medium), 2400 (large), 3200, 6000 or 13164.
        seed: of the drawing; papers draw their own.

    Raises:
        ValueError: another number of vehicles.
        UserError: see ``Reader.prepare``; a line of another form; a listed file that is missing;
            an image listed twice.

    Source:
        Liu, Tian, Wang, Pang, Huang, Deep Relative Distance Learning (CVPR 2016).
    """

    name = "vehicleid"
    title = "VehicleID"
    nestings = ("VehicleID_V1.0", "VehicleID")
    counts = {"train": (113346, 13164)}
    how = "unpack VehicleID_V1.0 there, which its authors give on request"

    def __init__(
        self,
        data_root: str,
        root: str = "vehicleid",
        vehicles: int = 800,
        seed: int = 0,
        check_counts: str = "auto",
    ):
        super().__init__(data_root, root, check_counts)
        if vehicles not in SIZES:
            raise ValueError(f"vehicles must be one of {SIZES}, got {vehicles}")
        self.seed, self.list = seed, f"train_test_split/test_list_{vehicles}.txt"
        self.needed = ("image/", "train_test_split/train_list.txt", self.list)
        self._trials: list[Trial] = []

    def read(self, folder: Path) -> dict[str, Split]:
        """Read the two lists; see ``Reader.read``."""
        there = set(list_images(folder / "image"))
        train = _rows(folder, "train_test_split/train_list.txt", there)
        test = _rows(folder, self.list, there)
        people = np.array([vehicle for _, vehicle in test])
        self._trials = [_trial(people, self.seed, number) for number in range(DRAWS)]
        parts = {"train": (train, 1), "query": (test, 0), "gallery": (test, 1)}
        return {
            name: Split(
                self.name,
                name,
                folder,
                tuple(path for path, _ in rows),
                np.array([vehicle for _, vehicle in rows], dtype=np.int64),
                np.full(len(rows), camera),
                # query and gallery are the same images: one label store serves both
                label_key=f"{self.name}/{'train' if name == 'train' else Path(self.list).stem}",
            )
            for name, (rows, camera) in parts.items()
        }

    def trials(self) -> Sequence[Trial]:
        """Ten drawings of the gallery; see ``Reader.trials``."""
        self.splits()
        return self._trials


def _trial(vehicles: np.ndarray, seed: int, number: int) -> Trial:
    """One image of every vehicle as gallery."""
    order = np.random.default_rng([seed, number]).permutation(len(vehicles))
    gallery = np.zeros(len(vehicles), dtype=bool)
    gallery[order[np.unique(vehicles[order], return_index=True)[1]]] = True
    return Trial(~gallery, gallery, str(number))


def _rows(folder: Path, name: str, there: set[str]) -> list[tuple[str, int]]:
    """Path and vehicle of every line, sorted; vehicles count from 1, since 0 marks distractors."""
    rows: dict[str, int] = {}
    for number, line in read_lines(folder / name):
        image, _, vehicle = line.partition(" ")
        if not re.fullmatch(r"[0-9]{1,18}", vehicle.strip()):
            raise UserError(
                f"{(folder / name).as_posix()}:{number}: expected 'image vehicle', got {line!r}; "
                "unpack the archive again"
            )
        file = image if image.lower().endswith(".jpg") else f"{image}.jpg"
        if file not in there:
            raise UserError(
                f"{(folder / name).as_posix()}:{number} lists {file}, which is not in image/; "
                "unpack the archive again"
            )
        if file in rows:
            raise UserError(
                f"{(folder / name).as_posix()}:{number} lists {file} for the second time; unpack "
                "the archive again"
            )
        rows[file] = int(vehicle) + 1
    return sorted((f"image/{file}", vehicle) for file, vehicle in rows.items())
