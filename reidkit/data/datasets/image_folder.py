"""Your own crops, without code: one sub-folder per person."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from reidkit.data.datasets.reader import IMAGE_SUFFIXES, Reader, list_images
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS

SPLITS = ("train", "query", "gallery")


@DATASETS.register_module()
class ImageFolder(Reader):
    """A plain folder of crops: ``<root>/{train,query,gallery}/<identity>/<anything>.jpg``.

    Those of the three folders that exist are read. The same sub-folder name is the same identity
    everywhere: its number when all names are numbers (0 marks distractors, as everywhere), else its
    place in the sorted names, from 1. Without any of the three folders, the sub-folders of ``root``
    are divided: a share of the identities for testing, of which one image per camera is a query and
    the rest gallery.

    Args:
        data_root: the folder in which all data sets lie.
        root: the data set's own folder in it.
        name: how results call it; default: the last part of ``root``.
        camera: regular expression with one group, searched in the file name, that gives the
            camera number (``r"_c(\\d+)"``). None: no cameras are known; queries count as camera
            0, everything else as camera 1, so that no pair is left out for being of one camera.
        holdout: share of the identities for testing, where the folder has to be divided.
        seed: of that division.

    Raises:
        ValueError: ``camera`` without exactly one group, or ``holdout`` outside (0, 1).
        UserError: see ``Reader.prepare``; images that are in no sub-folder, or in one of another;
            a name without camera; too few identities to divide.
    """

    title = "Image folder"
    needed = ("{train,query,gallery}/<identity>/*.jpg",)
    how = "put crops into train/, query/ and gallery/ with one sub-folder per identity"

    def __init__(
        self,
        data_root: str,
        root: str,
        name: str | None = None,
        camera: str | None = None,
        holdout: float = 0.5,
        seed: int = 0,
    ):
        super().__init__(data_root, root)
        self.name = name or Path(root).name
        self.title = f"Image folder {self.name}"
        self.camera = re.compile(camera) if camera else None
        if self.camera and self.camera.groups != 1:
            raise ValueError(f"camera must have exactly one group, got {camera!r}")
        if not 0 < holdout < 1:
            raise ValueError(f"holdout must be between 0 and 1, got {holdout}")
        self.holdout, self.seed = holdout, seed

    def candidates(self) -> list[Path]:
        """Only the folder itself; see ``Reader.candidates``."""
        return [self.data_root / self.root]

    def find(self) -> Path:
        """See ``Reader.find``."""
        folder = self.candidates()[0]
        if not folder.is_dir():
            raise UserError(self._not_found())
        return folder

    def read(self, folder: Path) -> dict[str, Split]:
        """List the folders, or divide; see ``Reader.read``."""
        given = [s for s in SPLITS if (folder / s).is_dir()]
        listed = {s: [f"{s}/{file}" for file in list_images(folder / s, True)] for s in given}
        if not given:
            listed = {"": list_images(folder, recursive=True)}
        depth = 1 if given else 0
        people = {path: self._person(path, depth) for paths in listed.values() for path in paths}
        numbers = _numbers(set(people.values()))
        splits = {}
        for split, paths in listed.items():
            identities = np.array([numbers[people[path]] for path in paths], dtype=np.int64)
            cameras = self._cameras(paths, 0 if split == "query" else 1)
            splits[split] = Split(
                self.name, split or "all", folder, tuple(paths), identities, cameras
            )
        return splits if given else self._divide(splits[""])

    def _why_empty(self, folder: Path) -> str:
        """The endings of what lies there, if they are no images'."""
        files = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
        endings = sorted({path.suffix.lower() or "no ending" for path in files})
        others = [ending for ending in endings if ending not in IMAGE_SUFFIXES]
        if others and len(others) == len(endings):
            known = ", ".join(IMAGE_SUFFIXES)
            return f"it holds files with {', '.join(others)}, and images are read from {known}"
        return self.how

    def _person(self, path: str, depth: int) -> str:
        """Name of the folder that lies ``depth`` folders down and holds the image."""
        folders = path.split("/")[depth:-1]
        if len(folders) != 1:
            where = f"{len(folders)} sub-folders, one in another" if folders else "no sub-folder"
            raise UserError(
                f"{self.title}: {path} is in {where}; the name of the sub-folder is the "
                "identity, as in train/0001/a.jpg"
            )
        return folders[0]

    def _cameras(self, paths: list[str], unknown: int) -> np.ndarray:
        if self.camera is None:
            return np.full(len(paths), unknown, dtype=np.int64)
        cameras = []
        for path in paths:
            match = self.camera.search(path.rpartition("/")[2])
            if match is None or not match[1].isdigit():
                raise UserError(
                    f"{self.title}: {path} has no camera number after {self.camera.pattern!r}; "
                    "rename the file, or change the option camera"
                )
            cameras.append(int(match[1]))
        return np.array(cameras, dtype=np.int64)

    def _divide(self, every: Split) -> dict[str, Split]:
        """Identities at random into training and test; of the latter, one query per camera."""
        rng = np.random.default_rng(self.seed)
        known = np.unique(every.identities)
        count = round(len(known) * self.holdout)
        if not 0 < count < len(known):
            raise UserError(
                f"{self.title}: {len(known)} identities cannot be divided with "
                f"holdout={self.holdout}; make train/, query/ and gallery/ yourself"
            )
        test = np.isin(every.identities, rng.permutation(known)[:count])
        rows = rng.permutation(np.flatnonzero(test))
        pairs = np.stack([every.identities[rows], every.cameras[rows]], 1)
        first = np.unique(pairs, axis=0, return_index=True)[1]
        query = np.zeros(len(every), dtype=bool)
        query[rows[first]] = True
        masks = {"train": ~test, "query": query, "gallery": test & ~query}
        if not masks["gallery"].any():
            raise UserError(
                f"{self.title}: each of the {count} people for testing has one image per camera, "
                "which becomes a query, so that none is left for the gallery; add images of them, "
                "or make train/, query/ and gallery/ yourself"
            )
        return {name: self._part(every, name, mask) for name, mask in masks.items()}

    def _part(self, every: Split, name: str, mask: np.ndarray) -> Split:
        part = every.select(mask)
        cameras = part.cameras
        if self.camera is None:
            cameras = np.full(len(part), 0 if name == "query" else 1, dtype=np.int64)
        return Split(self.name, name, every.root, part.paths, part.identities, cameras)


def _numbers(names: set[str]) -> dict[str, int]:
    """Identity of every sub-folder name; 0 is left to distractors."""
    if all(name.isdigit() for name in names) and len({int(n) for n in names}) == len(names):
        return {name: int(name) for name in names}
    return {name: place for place, name in enumerate(sorted(names), 1)}
