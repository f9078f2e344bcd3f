"""Market-1501 and the sets of its layout: three folders, identity and camera in the name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from reidkit.data.datasets.files import list_images
from reidkit.data.datasets.reader import Reader, parse_names
from reidkit.data.datasets.times import Seconds, market_seconds, with_times
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS

NAME = re.compile(r"(-?\d+)_c(\d+)")


@DATASETS.register_module()
class Market1501(Reader):
    """Market-1501: ``bounding_box_train``, ``query``, ``bounding_box_test``.

    Where ``gt_bbox`` lies beside them, its images of the queries' people under the queries' cameras
    are the split "multi_query", for ``evaluation.protocol=multi-query``. Also the base for every
    set of this layout.

    Args:
        data_root: the folder in which all data sets lie.
        root: the data set's own folder in it.
        train_dir: a folder of style-transferred copies of the training images to train on
            instead ("bounding_box_train_duke_style"), with the base names of their originals,
            whose labels they have.
        keep_junk: keep identity -1 (bad boxes) in the gallery, where the evaluation ignores it;
            default off, as EANet lists it (15,913 images).
        check_counts: see ``Reader``.

    Raises:
        UserError: see ``Reader.prepare``; a styled image without an original of its base name.

    Source:
        Zheng et al., Scalable Person Re-identification (ICCV 2015); counts of EANet's release.
    """

    name = "market1501"
    title = "Market-1501"
    train, query, gallery = "bounding_box_train", "query", "bounding_box_test"
    boxes = "gt_bbox"  # further images of the queries' people; may be missing
    needed: tuple[str, ...] = ("bounding_box_train/", "query/", "bounding_box_test/")
    nestings: tuple[str, ...] = (
        "Market-1501-v15.09.15",
        "Market-1501-v15.09.15/Market-1501-v15.09.15",
        "Market1501",
    )
    counts: Mapping[str, tuple[int, int | None]] = {
        "train": (12936, 751),
        "query": (3368, 750),
        "gallery": (15913, 751),
    }
    junk_gallery = 19732  # with identity -1 kept; 0 where the set has no junk
    how = "unpack Market-1501-v15.09.15.zip there"
    example = "0002_c1s1_000451_03.jpg"
    seconds: Seconds = staticmethod(market_seconds)  # from file names; None: they tell none

    def __init__(
        self,
        data_root: str,
        root: str = "market1501",
        train_dir: str | None = None,
        keep_junk: bool = False,
        check_counts: str = "auto",
    ):
        super().__init__(data_root, root, check_counts)
        self.train_dir = train_dir or self.train
        self.keep_junk = keep_junk
        if keep_junk and "gallery" in self.counts and self.junk_gallery:
            identities = self.counts["gallery"][1]
            self.counts = {**self.counts, "gallery": (self.junk_gallery, identities)}

    def read(self, folder: Path) -> dict[str, Split]:
        """List the three folders; see ``Reader.read``."""
        if self.train_dir != self.train:
            self._check_styled(folder)
        parts = {"train": self.train_dir, "query": self.query, "gallery": self.gallery}
        splits = {key: self.read_folder(folder, sub, key) for key, sub in parts.items()}
        if self.train_dir != self.train:
            originals = self.read_folder(folder, self.train, "train")
            splits["train"] = replace(splits["train"], originals=originals)
        if (folder / self.boxes).is_dir():
            splits["multi_query"] = self._multi_query(folder, splits["query"])
        return with_times(splits, self.seconds)

    def _multi_query(self, folder: Path, query: Split) -> Split:
        """Hand-drawn boxes of the queries' people under the queries' cameras."""
        boxes = self.read_folder(folder, self.boxes, "multi_query")
        asked = set(zip(query.identities.tolist(), query.cameras.tolist(), strict=True))
        pairs = zip(boxes.identities.tolist(), boxes.cameras.tolist(), strict=True)
        return boxes.select(np.array([pair in asked for pair in pairs], dtype=bool))

    def read_folder(self, folder: Path, sub: str, split: str) -> Split:
        """One sub-folder as a split."""
        paths = [f"{sub}/{name}" for name in list_images(folder / sub)]
        identities, cameras = parse_names(paths, NAME, self.example)
        listed = Split(self.name, split, folder, tuple(paths), identities, cameras)
        if split == "gallery" and self.keep_junk:
            return listed
        junk = identities < 0
        return listed.select(~junk) if junk.any() else listed

    def describe(self) -> list[str]:
        """See ``Reader.describe``; names the folder when it is not the usual one."""
        lines = super().describe()
        if self.train_dir != self.train:
            lines[0] += f", from {self.train_dir}"
        return lines

    def _check_styled(self, folder: Path) -> None:
        styled = folder / self.train_dir
        if not styled.is_dir():
            raise UserError(
                f"{self.title}: train_dir {self.train_dir!r} is no folder of {folder.as_posix()}; "
                "put the style-transferred images there, or leave train_dir out"
            )
        originals = {name.rpartition(".")[0] for name in list_images(folder / self.train)}
        for name in list_images(styled):
            if name.rpartition(".")[0] not in originals:
                raise UserError(
                    f"{self.title}: {self.train_dir}/{name} has no original of that base name in "
                    f"{self.train}; labels could not be looked up"
                )
