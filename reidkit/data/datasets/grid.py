"""QMUL underGround Re-IDentification (GRID): 250 pairs among 775 further people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reidkit.data.datasets.files import list_images
from reidkit.data.datasets.matlab import read_cells
from reidkit.data.datasets.partitions import Partition, PartitionedReader
from reidkit.data.datasets.reader import parse_names
from reidkit.data.identities import DISTRACTOR
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS

NAME = re.compile(r"(\d{4})_(\d)_")


@DATASETS.register_module()
class GRID(PartitionedReader):
    """GRID: ``probe/`` and ``gallery/IIII_C_FFFFF_x_y_w_h.jpeg``; ten partitions in a .mat file.

    125 people to learn from, 125 to test on; in the gallery of a test stand also the 775 images of
    identity 0000, which are nobody's: 900 in all. Cameras count as 1 (probe) and 2 (gallery), not
    as the station's number in the name: both images of a pair may have the same one, and leaving
    out matches of the same camera would take the true match away.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.
        split: see ``PartitionedReader``.

    Raises:
        ValueError: see ``PartitionedReader``.
        UserError: see ``Reader.prepare``; a probe without its gallery image; partitions that
            cannot be read.

    Source:
        Loy, Liu, Gong, Person Re-Identification by Manifold Ranking (ICIP 2013).
    """

    name = "grid"
    title = "GRID"
    needed = ("probe/", "gallery/", "features_and_partitions.mat")
    nestings = ("underground_reid", "GRID/underground_reid")
    how = "unpack underground_reid.zip there"
    example = "0001_1_00004_107_32_106_221.jpeg"

    def __init__(
        self,
        data_root: str,
        root: str = "grid",
        split: int | None = 0,
        check_counts: str = "auto",
    ):
        super().__init__(data_root, root, split, 1, check_counts)
        self.counts = {"train": (250, 125), "query": (125, 125), "gallery": (900, 126)}
        if split is None:
            self.counts = {"query": (250, 250), "gallery": (1025, 251)}

    def read_views(self, folder: Path) -> tuple[Split, Split]:
        """See ``PartitionedReader.read_views``."""
        views = []
        for camera, sub in enumerate(("probe", "gallery"), 1):
            paths = [f"{sub}/{name}" for name in list_images(folder / sub)]
            identities = parse_names(paths, NAME, self.example)[0]
            cameras = np.full(len(paths), camera)
            views.append(Split(self.name, sub, folder, tuple(paths), identities, cameras))
        probe, gallery = views
        if (probe.identities == DISTRACTOR).any():
            raise UserError(
                f"{self.title}: probe/ has images of identity 0000, which marks people who are "
                "never asked for; move them to gallery/"
            )
        alone = np.setdiff1d(probe.identities, gallery.identities)
        if len(alone):
            raise UserError(
                f"{self.title}: person {alone[0]:04d} has a probe and no gallery image; restore it "
                "from the archive"
            )
        return probe, gallery

    def partitions(self, folder: Path, people: np.ndarray) -> Sequence[Partition]:
        """Those of ``features_and_partitions.mat``: ``trainIdxAll`` lists the training people."""
        file = folder / "features_and_partitions.mat"
        cells = read_cells(file, "trainIdxAll")
        partitions = []
        for number, cell in enumerate(cells):
            train = _people_in(cell, people)
            if train is None:
                raise UserError(
                    f"{file}: partition {number} of trainIdxAll lists no half of the "
                    f"{len(people)} people; restore the file from the archive"
                )
            partitions.append(Partition(train, np.setdiff1d(people, train)))
        return partitions


def _people_in(vectors: Sequence[np.ndarray], people: np.ndarray) -> np.ndarray | None:
    """The one vector that lists half of the people, sorted."""
    for values in vectors:
        distinct = np.unique(values)
        whole = len(distinct) == values.size and (distinct == np.round(distinct)).all()
        if whole and len(distinct) == len(people) // 2 and np.isin(distinct, people).all():
            return distinct.astype(np.int64)
    return None
