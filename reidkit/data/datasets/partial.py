"""Partial-REID and Partial-iLIDS: queries show a part of the body; testing only, no cameras."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reidkit.data.datasets.files import list_images
from reidkit.data.datasets.reader import Reader
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS


class _Partial(Reader):
    """Two folders of which the queries count as camera 0 and the gallery as camera 1."""

    folders: tuple[str, str] = ("", "")
    digits: int | None = None  # leading characters of the name that are the identity; None: all

    def read(self, folder: Path) -> dict[str, Split]:
        """List both folders; see ``Reader.read``."""
        return {
            name: self._split(folder, name, sub, camera)
            for camera, (name, sub) in enumerate(
                zip(("query", "gallery"), self.folders, strict=True)
            )
        }

    def _split(self, folder: Path, name: str, sub: str, camera: int) -> Split:
        files = list_images(folder / sub)
        stems = [file.rpartition(".")[0][: self.digits] for file in files]
        for file, stem in zip(files, stems, strict=True):
            if not stem.isdecimal():
                raise UserError(
                    f"{sub}/{file}: the name must start with the identity, as 001.jpg; rename or "
                    "remove the file"
                )
        identities = np.array([int(stem) for stem in stems], dtype=np.int64)
        paths = tuple(f"{sub}/{file}" for file in files)
        return Split(self.name, name, folder, paths, identities, np.full(len(files), camera))


@DATASETS.register_module()
class PartialREID(_Partial):
    """Partial-REID: 60 people, 5 partial, 5 occluded and 5 whole images each.

    The identity is the first three characters of the name. There are no cameras: queries count as
    camera 0, gallery images as camera 1, so no pair is left out.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.
        query: "partial" (``partial_body_images``) or "occluded" (``occluded_body_images``).

    Raises:
        ValueError: unknown ``query``.
        UserError: see ``Reader.prepare``.

    Source:
        Zheng et al., Partial Person Re-identification (ICCV 2015).
    """

    title = "Partial-REID"
    nestings = ("Partial-REID_Dataset", "Partial_REID", "PartialREID")
    counts = {"query": (300, 60), "gallery": (300, 60)}
    digits = 3
    how = "unpack Partial-REID_Dataset there"

    def __init__(
        self,
        data_root: str,
        root: str = "partial_reid",
        query: str = "partial",
        check_counts: str = "auto",
    ):
        if query not in ("partial", "occluded"):
            raise ValueError(f"query must be 'partial' or 'occluded', got {query!r}")
        super().__init__(data_root, root, check_counts)
        self.name = "partial_reid" if query == "partial" else "partial_reid_occluded"
        self.folders = (f"{query}_body_images", "whole_body_images")
        self.needed = tuple(f"{folder}/" for folder in self.folders)


@DATASETS.register_module()
class PartialILIDS(_Partial):
    """Partial-iLIDS: 119 people, one partial and one whole image each.

    The identity is the whole name; cameras as for ``PartialREID``.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.

    Raises:
        UserError: see ``Reader.prepare``.

    Source:
        Zheng, Gong, Xiang, Person Re-identification by Probabilistic Relative Distance Comparison
        (CVPR 2011); partial version of Zheng et al. 2015.
    """

    name = "partial_ilids"
    title = "Partial-iLIDS"
    needed = ("Probe/", "Gallery/")
    folders = ("Probe", "Gallery")
    nestings = ("Partial_iLIDS", "Partial-iLIDS", "PartialILIDS")
    counts = {"query": (119, 119), "gallery": (119, 119)}
    how = "unpack Partial_iLIDS there"

    def __init__(self, data_root: str, root: str = "partial_ilids", check_counts: str = "auto"):
        super().__init__(data_root, root, check_counts)
