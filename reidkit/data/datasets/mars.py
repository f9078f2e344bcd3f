"""MARS: tracklets as rows of tables over lists of frame names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from reidkit.data.datasets.files import read_lines
from reidkit.data.datasets.matlab import read_mat
from reidkit.data.datasets.reader import Reader
from reidkit.data.split import Split
from reidkit.data.tracklets import TrackletSplit, in_time
from reidkit.errors import UserError
from reidkit.registry import DATASETS

NAME = re.compile(r"(00-1|\d{4})C(\d{1,18})T(\d{4})F(\d{3,})\.\w+$")
FRAME = re.compile(r"F(\d+)$")


@DATASETS.register_module()
class MARS(Reader):
    """MARS: ``bbox_train``, ``bbox_test`` and the tables in ``info``.

    The tables decide what a tracklet is: rows (start, end, identity, camera) with start and end
    1-based and inclusive line numbers of the name lists. Junk ("00-1" in names) has identity -1,
    distractors 0. Queries are rows of the test table, so the gallery holds them too: the official
    protocol leaves each query's own identity under its own camera out, and with it the query.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.
        gallery: "all" rows of the test table (official, 12,180); "minus_queries" leaves the query
            rows out, as several code bases do: 140 queries then have no match left.

    Raises:
        ValueError: unknown ``gallery``.
        UserError: see ``Reader.prepare``; tables that do not fit the name lists.

    Source:
        Zheng et al., MARS (ECCV 2016), and its evaluation code.
    """

    name = "mars"
    title = "MARS"
    unit = "tracklets"
    protocol = "mars-official"
    needed: tuple[str, ...] = (
        "bbox_train/",
        "bbox_test/",
        *(f"info/{name}" for name in ("train_name.txt", "test_name.txt", "query_IDX.mat")),
        "info/tracks_train_info.mat",
        "info/tracks_test_info.mat",
    )
    nestings: tuple[str, ...] = ("MARS", "MARS-v160809")
    counts: Mapping[str, tuple[int, int | None]] = {
        "train": (8298, 625),
        "query": (1980, 626),
        "gallery": (12180, 635),
    }
    how = (
        "unpack bbox_train.zip and bbox_test.zip there, and the folder info of the authors' "
        "MARS-evaluation repository"
    )

    def __init__(
        self,
        data_root: str,
        root: str = "mars",
        gallery: str = "all",
        check_counts: str = "auto",
    ):
        super().__init__(data_root, root, check_counts)
        if gallery not in ("all", "minus_queries"):
            raise ValueError(f"gallery must be 'all' or 'minus_queries', got {gallery!r}")
        self.gallery = gallery
        if gallery == "minus_queries" and "gallery" in self.counts:
            self.counts = {**self.counts, "gallery": (10200, None)}

    def read(self, folder: Path) -> dict[str, Split]:
        """Read the tables; see ``Reader.read``."""
        train = self._table(folder, "train")
        test = self._table(folder, "test")
        query = read_mat(folder / "info/query_IDX.mat", "query_IDX").reshape(-1) - 1
        if len(query) and not 0 <= query.min() <= query.max() < len(test):
            raise UserError(
                f"{folder.as_posix()}/info/query_IDX.mat names row {query.max() + 1} of "
                f"{len(test)} test tracklets; unpack the archive again"
            )
        asked = test.select(query)
        kept = np.ones(len(test), bool)
        if self.gallery == "minus_queries":
            kept[query] = False
        return {
            "train": train,
            "query": replace(asked, name="query", label_key=""),
            "gallery": replace(test.select(kept), name="gallery", label_key=""),
        }

    def _table(self, folder: Path, part: str) -> TrackletSplit:
        """All tracklets of one table."""
        file = folder / f"info/tracks_{part}_info.mat"
        rows = read_mat(file, f"track_{part}_info")
        lines = [line for _, line in read_lines(folder / f"info/{part}_name.txt")]
        fits = rows.shape[1] == 4 and (rows[:, 0] >= 1).all() and (rows[:, 1] <= len(lines)).all()
        if not fits or (rows[:, 0] > rows[:, 1]).any():
            raise UserError(
                f"{file.as_posix()}: {rows.shape} rows do not fit the {len(lines)} lines of "
                f"{part}_name.txt; both must be of the same archive"
            )
        frames = [
            in_time([f"bbox_{part}/{name[:4]}/{name}" for name in lines[start - 1 : end]], FRAME)
            for start, end in rows[:, :2]
        ]
        for (_, _, identity, camera), paths in zip(rows, frames, strict=True):
            _agree(file, paths[0] if paths else "", int(identity), int(camera))
        split = TrackletSplit.of(self.name, part, folder, frames, rows[:, 2], rows[:, 3])
        _there(split, folder)
        return split


def _agree(file: Path, path: str, identity: int, camera: int) -> None:
    """The table's identity and camera are those of the file name."""
    match = NAME.match(path.rpartition("/")[2])
    if match is None:
        raise UserError(f"{path}: no name of MARS's kind, such as 0065C1T0002F016.jpg")
    own = -1 if match[1] == "00-1" else int(match[1])  # int("00-1") fails
    if (own, int(match[2])) != (identity, camera):
        raise UserError(
            f"{file.as_posix()}: identity {identity}, camera {camera} for {path}; the table and "
            "the name list are not of the same archive"
        )


def _there(split: TrackletSplit, folder: Path) -> None:
    """The first and the last listed frame exist."""
    for path in (split.frame_paths[:1] + split.frame_paths[-1:]) if len(split) else ():
        if not (folder / path).is_file():
            raise UserError(
                f"{folder.as_posix()}/info lists {path}, which is not there; unpack the images "
                "again"
            )
