"""RandPerson and ClonedPerson: people rendered by a game engine, with scene, camera and frame."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from reidkit.data.datasets.files import list_images
from reidkit.data.datasets.reader import Reader
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS

NAME = re.compile(r"(-?\d{1,18})_s(\d{1,18})_c(\d{1,18})_f(\d{1,18})(?!\d)")
RATE = 24.0  # frames per second
# RandPerson: where the frames of each scene and its cameras begin
FRAMES = (0, 160_000, 340_000, 490_000, 640_000, 1_070_000, 1_330_000, 1_590_000, 1_890_000,
          3_190_000, 3_490_000)  # fmt: skip
CAMERAS = (0, 2, 4, 6, 8, 9, 10, 12, 13, 14, 15)


class _Rendered(Reader):
    """Folders of images whose names tell identity, scene, camera and frame."""

    folders: dict[str, str] = {}
    example = "00000000_s00_c00_f000010.jpg"

    def read(self, folder: Path) -> dict[str, Split]:
        """List the folders; see ``Reader.read``."""
        return {split: self._split(folder, split, sub) for split, sub in self.folders.items()}

    def _split(self, folder: Path, name: str, sub: str) -> Split:
        files = list_images(folder / sub)
        numbers = np.empty((len(files), 4), dtype=np.int64)
        for row, file in enumerate(files):
            match = NAME.match(file)
            if match is None:
                raise UserError(
                    f"{sub}/{file}: the name does not tell identity, scene, camera and frame; "
                    f"expected something like {self.example}. Rename or remove the file"
                )
            numbers[row] = match.groups()
        identities, scenes, cameras, frames = numbers.T
        # people are numbered from 0, which everywhere else means distractor; -1 stays junk
        identities = np.where(identities >= 0, identities + 1, identities)
        paths = tuple(f"{sub}/{file}" for file in files)
        cameras, times = self.place(scenes, cameras, frames)
        return Split(self.name, name, folder, paths, identities, cameras, times=times)

    def place(
        self, scenes: np.ndarray, cameras: np.ndarray, frames: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Camera numbers that differ between scenes, and seconds."""
        return 100 * scenes + cameras, frames / RATE


@DATASETS.register_module()
class RandPerson(_Rendered):
    """RandPerson's subset: 8,000 rendered people for training; there are no test images.

    Names such as ``00000000_s00_c00_f000010.jpg``: identity, scene, camera, frame at 24 a second.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.

    Raises:
        UserError: see ``Reader.prepare``; a name of another form; a scene above 10.

    Source:
        Wang, Liao, Shao, Surpassing Real-World Source Training Data: Random 3D Characters (2020);
        cameras and frames as in QAConv's released code.
    """

    name = "randperson"
    title = "RandPerson"
    folders = {"train": "randperson_subset"}
    needed = ("randperson_subset/",)
    nestings = ("RandPerson", "randperson")
    counts = {"train": (132145, 8000)}
    how = "unpack randperson_subset there"

    def __init__(self, data_root: str, root: str = "randperson", check_counts: str = "auto"):
        super().__init__(data_root, root, check_counts)

    def place(
        self, scenes: np.ndarray, cameras: np.ndarray, frames: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cameras counted through all scenes, and scenes one after another in time."""
        if scenes.max(initial=0) >= len(CAMERAS):
            raise UserError(
                f"RandPerson has scenes 0 to {len(CAMERAS) - 1}, a file names scene {scenes.max()}"
            )
        return np.take(CAMERAS, scenes) + cameras, (np.take(FRAMES, scenes) + frames) / RATE


@DATASETS.register_module()
class ClonedPerson(_Rendered):
    """ClonedPerson: ``train``, ``test/query``, ``test/gallery``, people in photographed clothes.

    Names such as ``00000_s01_c02_f000123.jpg``: identity, scene, camera, frame at 24 a second.
    Cameras of different scenes are different cameras (100 x scene + camera); the clock starts
    anew in each scene, which does not matter where times are compared within a camera.

    Args:
        data_root, check_counts: see ``Reader``; no counts are known here.
        root: the data set's own folder in ``data_root``.

    Raises:
        UserError: see ``Reader.prepare``; a name of another form.

    Source:
        Wang, Liang, Liao, Cloning Outfits from Real-World Images to 3D Characters (2022). The
        authors' QAConv reader takes every image for one of scene 2, which merges cameras.
    """

    name = "clonedperson"
    title = "ClonedPerson"
    folders = {"train": "train", "query": "test/query", "gallery": "test/gallery"}
    needed = ("train/", "test/query/", "test/gallery/")
    nestings = ("ClonedPerson", "clonedperson")
    how = "unpack ClonedPerson there"
    example = "00000_s01_c02_f000123.jpg"

    def __init__(self, data_root: str, root: str = "clonedperson", check_counts: str = "auto"):
        super().__init__(data_root, root, check_counts)
