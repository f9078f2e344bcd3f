"""VIPeR: 632 people, one image in each of two views."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from reidkit.data.datasets.files import list_images
from reidkit.data.datasets.partitions import DrawnReader
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS

NAME = re.compile(r"(\d{1,18})_(\d+)\.")


@DATASETS.register_module()
class VIPeR(DrawnReader):
    """VIPeR: ``cam_a/NNN_AAA.bmp`` and ``cam_b/NNN_AAA.bmp``; ten random halves of 316 people.

    Images are paired by the person's number; the angle behind it differs between the views, and
    numbers are not contiguous. A person's identity is the number plus 1, since 0 marks distractors.
    There is no official partition: ten are drawn from a fixed seed and stored.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.
        split, query_view: see ``PartitionedReader``; view 1 is cam_a.

    Raises:
        ValueError: see ``PartitionedReader``.
        UserError: see ``Reader.prepare``; a person with no or two images in a view.

    Source:
        Gray, Brennan, Tao, Evaluating Appearance Models for Recognition, Reacquisition, and
        Tracking (PETS 2007).
    """

    name = "viper"
    title = "VIPeR"
    needed = ("cam_a/", "cam_b/")
    nestings = ("VIPeR", "VIPeR.v1.0")
    how = "unpack VIPeR.v1.0.zip there"
    test_people = 316

    def __init__(
        self,
        data_root: str,
        root: str = "viper",
        split: int | None = 0,
        query_view: int = 1,
        check_counts: str = "auto",
    ):
        super().__init__(data_root, root, split, query_view, check_counts)
        half = {"query": (316, 316), "gallery": (316, 316)}
        self.counts = {"train": (632, 316), **half}
        if split is None:
            self.counts = {"query": (632, 632), "gallery": (632, 632)}

    def read_views(self, folder: Path) -> tuple[Split, Split]:
        """See ``PartitionedReader.read_views``."""
        first, second = (self._view(folder, sub, i) for i, sub in enumerate(("cam_a", "cam_b"), 1))
        alone = np.setxor1d(first.identities, second.identities)
        if len(alone):
            raise UserError(
                f"{self.title}: person {alone[0] - 1:03d} has an image in one view only; restore "
                "the other one from the archive"
            )
        return first, second

    def _view(self, folder: Path, sub: str, camera: int) -> Split:
        paths = [f"{sub}/{name}" for name in list_images(folder / sub)]
        numbers = []
        for path in paths:
            match = NAME.match(path.rpartition("/")[2])
            if match is None:
                raise UserError(
                    f"{path}: the name does not tell the person; expected something like "
                    "001_45.bmp. Rename or remove the file"
                )
            numbers.append(int(match[1]))
        people, counts = np.unique(np.array(numbers, dtype=np.int64), return_counts=True)
        if len(people) and counts.max() > 1:
            raise UserError(
                f"{self.title}: {sub} has several images of person {people[counts.argmax()]:03d}; "
                "VIPeR has one in each view"
            )
        identities = np.array(numbers, dtype=np.int64) + 1
        cameras = np.full(len(paths), camera)
        return Split(self.name, sub, folder, tuple(paths), identities, cameras)
