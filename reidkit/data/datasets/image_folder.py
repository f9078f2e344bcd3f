"""Your own crops, without code: identities and cameras from folders or from file names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from reidkit.data.datasets.crop_table import SPLITS, CropTable
from reidkit.data.datasets.files import folders_in, list_folder
from reidkit.data.datasets.patterns import NamePattern
from reidkit.data.datasets.reader import Reader
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS


@DATASETS.register_module()
class ImageFolder(Reader):
    """A folder of crops: ``[train|query|gallery/]<identity>/*.jpg``, or names that tell both.

    Those of the three folders that exist are read. Without any of them all images are divided: a
    share of the identities for testing, see ``reidkit.data.datasets.division``.

    The identity is the name of the sub-folder, or what ``identity`` finds in the name of the file,
    the same in all splits. Whole numbers from 1 are kept; where one is 0, or text, all are numbered
    from 1 in sorted order: 0 is somebody like everybody else, since only Market-1501 and its
    relatives mark distractors so. What is left out or numbered is said in ``notes``.

    Args:
        data_root: the folder in which all data sets lie.
        root: the data set's own folder in it.
        name: how results call it; default: the last part of ``root``.
        identity: regular expression with one group, searched in the file name (or, with a "/" in
            it, in the path below ``root``), that gives the identity: ``r"^p(\\d+)_"`` for
            ``p07_cam2_0031.jpg``. Images may then lie in any folder. None: the sub-folder.
        camera: the same for the camera: ``r"_cam(\\d+)"``. None: no cameras are known; queries
            count as camera 0, everything else as camera 1, so that no pair is left out.
        junk: the identity whose images are left out of every ranking, as Market-1501's -1.
        distractor: the identity of images of nobody who is looked for, as Market-1501's 0.
        holdout: share of the identities for testing, where the folder has to be divided.
        seed: of that division.

    Raises:
        ValueError: ``identity`` or ``camera`` without exactly one group, or ``holdout`` outside
            (0, 1).
        UserError: see ``Reader.prepare``; images that are in no sub-folder, or in one of another;
            a name without identity or camera; too few identities to divide.
    """

    title = "Image folder"
    needed = ("{train,query,gallery}/<identity>/*.jpg",)
    how = (
        "put crops into train/, query/ and gallery/ with one sub-folder per identity, or set the "
        "options identity and camera to patterns of the file names"
    )

    def __init__(
        self,
        data_root: str,
        root: str,
        name: str | None = None,
        identity: str | None = None,
        camera: str | None = None,
        junk: str | int | None = None,
        distractor: str | int | None = None,
        holdout: float = 0.5,
        seed: int = 0,
    ):
        super().__init__(data_root, root)
        self.name = name or Path(root).name
        self.title = f"Image folder {self.name}"
        self.identity = NamePattern("identity", identity) if identity else None
        self.camera = NamePattern("camera", camera) if camera else None
        if not 0 < holdout < 1:
            raise ValueError(f"holdout must be between 0 and 1, got {holdout}")
        self.junk, self.distractor = junk, distractor
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
        listed = self._listed(folder, given)
        rows = [(split, path) for split, paths in listed.items() for path in paths]
        people = [self._person(path, 1 if given else 0) for _, path in rows]
        cameras = [self.camera.of(path, self.title) for _, path in rows] if self.camera else None
        table = CropTable([path for _, path in rows], people, cameras)
        if given or not rows:
            table = replace(table, splits=[split for split, _ in rows])
        splits, notes = table.divided(
            self.name, folder, self.title, self.junk, self.distractor, self.holdout, self.seed
        )
        self.notes += notes
        empty = [name for name in given or ([] if rows else SPLITS) if name not in splits]
        return splits | {
            name: Split(self.name, name, folder, (), np.zeros(0), np.zeros(0)) for name in empty
        }

    def _listed(self, folder: Path, given: list[str]) -> dict[str, list[str]]:
        """Paths of the images by split; "" for all where there are no folders of splits."""
        listings = {s: list_folder(folder / s, recursive=True) for s in given}
        if not given:
            listings = {"": list_folder(folder, recursive=True)}
        for split, listing in listings.items():
            self.notes += [f"{split or '.'}/: {note}" for note in listing.notes()]
        others = sorted(set(folders_in(folder)) - set(SPLITS)) if given else []
        if others:
            text = ", ".join(f"{name}/" for name in others)
            self.notes.append(f"left out, beside {', '.join(f'{s}/' for s in given)}: {text}")
        return {
            split: [f"{split}/{name}" if split else name for name in listing.names]
            for split, listing in listings.items()
        }

    def _why_empty(self, folder: Path) -> str:
        """What lies there instead, if anything does."""
        return "; ".join([*self.notes, self.how])

    def _person(self, path: str, depth: int) -> str:
        """The identity's text: found in the name, or the folder ``depth`` folders down."""
        if self.identity:
            return self.identity.of(path, self.title)
        folders = path.split("/")[depth:-1]
        if len(folders) != 1:
            where = f"{len(folders)} sub-folders, one in another" if folders else "no sub-folder"
            raise UserError(
                f"{self.title}: {path} is in {where}; the name of the sub-folder is the "
                "identity, as in train/0001/a.jpg. Where the file names tell it, set the option "
                "identity to a pattern of them"
            )
        return folders[0]
