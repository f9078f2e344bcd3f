"""CUHK01 ("campus"): 971 people, two images in each of two views."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from reidkit.data.datasets.files import list_images
from reidkit.data.datasets.partitions import DrawnReader
from reidkit.data.datasets.reader import parse_names
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS

NAME = re.compile(r"(\d{4})(\d{3})\.")


@DATASETS.register_module()
class CUHK01(DrawnReader):
    """CUHK01: ``campus/PPPPIII.png``; images 1 and 2 are view 1, images 3 and 4 are view 2.

    There is no official partition: ten are drawn from a fixed seed and stored. Queries are single
    images; ``evaluation.protocol=multi-query`` pools both images of a query's person.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.
        split, query_view: see ``PartitionedReader``.
        test_people: people to test on: 486 (485 to learn from) or 100 (871). Another number is
            taken as it is.

    Raises:
        ValueError: ``test_people`` below 1; see ``PartitionedReader``.
        UserError: see ``Reader.prepare``; an image number above 4.

    Source:
        Li, Zhao, Wang, Human Reidentification with Transferred Metric Learning (ACCV 2012).
    """

    name = "cuhk01"
    title = "CUHK01"
    needed = ("campus/",)
    nestings = ("CUHK01",)
    how = "unpack CUHK01.zip there"
    example = "0001001.png"

    def __init__(
        self,
        data_root: str,
        root: str = "cuhk01",
        split: int | None = 0,
        query_view: int = 1,
        test_people: int = 486,
        check_counts: str = "auto",
    ):
        if test_people < 1:
            raise ValueError(f"test_people must be at least 1, got {test_people}")
        super().__init__(data_root, root, split, query_view, check_counts)
        self.test_people = test_people
        learnt, half = 971 - test_people, (2 * test_people, test_people)
        self.counts = {"train": (4 * learnt, learnt), "query": half, "gallery": half}
        if split is None:
            self.counts = {"query": (1942, 971), "gallery": (1942, 971)}

    def read_views(self, folder: Path) -> tuple[Split, Split]:
        """See ``PartitionedReader.read_views``."""
        paths = [f"campus/{name}" for name in list_images(folder / "campus")]
        identities, images = parse_names(paths, NAME, self.example)
        if len(images) and not (images.min() >= 1 and images.max() <= 4):
            odd = paths[int(np.flatnonzero((images < 1) | (images > 4))[0])]
            raise UserError(f"{self.title}: {odd}: images of a person are numbered 001 to 004")
        every = Split(self.name, "all", folder, tuple(paths), identities, (images + 1) // 2)
        return every.select(every.cameras == 1), every.select(every.cameras == 2)

    def read(self, folder: Path) -> dict[str, Split]:
        """See ``Reader.read``; the queries themselves are the images that multi-query pools."""
        splits = super().read(folder)
        query = splits["query"]
        return {**splits, "multi_query": replace(query, name="multi_query", label_key="")}
