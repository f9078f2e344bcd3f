"""LS-VID: lists of path prefixes, each a tracklet."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path

import numpy as np

from reidkit.data.datasets.files import list_images, read_lines
from reidkit.data.datasets.matlab import read_mat
from reidkit.data.datasets.reader import Reader, path_and_identity, refuse_twice
from reidkit.data.split import Split
from reidkit.data.tracklets import TrackletSplit, in_time
from reidkit.errors import UserError
from reidkit.registry import DATASETS

LISTS = ("list_sequence", "info")  # where the lists lie, in this copy or that
QUERY = "test/data/info_test.mat"


@DATASETS.register_module()
class LSVID(Reader):
    """LS-VID: ``list_seq_{train,val,test}.txt``, each line a path prefix and an identity.

    A tracklet's frames are the files whose path starts with its prefix (where two prefixes fit, the
    longer one counts); the camera is the third "_" field of the name. Queries are rows of the test
    list, and the gallery holds all rows, as in MARS.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.
        val: train on ``list_seq_val.txt`` too.

    Raises:
        UserError: see ``Reader.prepare``; no lists; a line of another form; a prefix without
            frames.

    Source:
        Li et al., Global-Local Temporal Representations (ICCV 2019). The files count people from 0,
        which everywhere else means distractor, so identities are one higher here.
    """

    name = "lsvid"
    title = "LS-VID"
    unit = "tracklets"
    protocol = "mars-official"
    needed = (QUERY,)
    nestings = ("LS-VID",)
    how = "unpack LS-VID there, with list_sequence/ and test/data/info_test.mat"

    def __init__(
        self, data_root: str, root: str = "lsvid", val: bool = False, check_counts: str = "auto"
    ):
        super().__init__(data_root, root, check_counts)
        self.val = val
        test = {"query": (3504, None), "gallery": (11333, None)}
        self.counts = test if val else {"train": (2831, 842), **test}

    def read(self, folder: Path) -> dict[str, Split]:
        """Read the lists; see ``Reader.read``."""
        parts = ["train", "val"] if self.val else ["train"]
        train = [row for part in parts for row in self._list(folder, part)]
        test = self._split(folder, "gallery", self._list(folder, "test"))
        query = read_mat(folder / QUERY, "query").reshape(-1) - 1
        if len(query) and not 0 <= query.min() <= query.max() < len(test):
            raise UserError(
                f"{(folder / QUERY).as_posix()} names row {query.max() + 1} of {len(test)} test "
                "tracklets; unpack the archive again"
            )
        asked = replace(test.select(query), name="query", label_key="")
        return {"train": self._split(folder, "train", train), "query": asked, "gallery": test}

    def _list(self, folder: Path, part: str) -> list[tuple[str, int]]:
        """Prefix and identity of every line."""
        files = [folder / place / f"list_seq_{part}.txt" for place in LISTS]
        file = next((one for one in files if one.is_file()), None)
        if file is None:
            places = " or ".join(one.parent.as_posix() for one in files)
            raise UserError(f"LS-VID: no list_seq_{part}.txt in {places}; unpack the archive again")
        rows = []
        for number, line in read_lines(file):
            prefix, identity = path_and_identity(file, number, line)
            rows.append((prefix.removeprefix("./"), identity))
        refuse_twice(file, [prefix for prefix, _ in rows])
        return rows

    def _split(self, folder: Path, name: str, rows: list[tuple[str, int]]) -> TrackletSplit:
        frames = _by_prefix(folder, [prefix for prefix, _ in rows])
        cameras = [_camera(one[0]) if one else 0 for one in frames]
        for (prefix, _), images in zip(rows, frames, strict=True):
            if not images:
                raise UserError(
                    f"LS-VID: no file of {folder.as_posix()} starts with {prefix!r}; unpack the "
                    "archive again"
                )
        people = np.array([identity + 1 for _, identity in rows], np.int64)
        return TrackletSplit.of(self.name, name, folder, frames, people, cameras)


def _by_prefix(folder: Path, prefixes: list[str]) -> list[list[str]]:
    """The frames of every prefix; folders are listed once."""
    places: dict[str, list[str]] = {}
    for prefix in prefixes:
        places.setdefault(prefix.rpartition("/")[0], [])
    for place in places:
        if (folder / place).is_dir():
            names = list_images(folder / place)
            places[place] = [f"{place}/{name}" if place else name for name in names]
    known = set(prefixes)
    owners: dict[str, list[str]] = {prefix: [] for prefix in prefixes}
    for prefix in prefixes:
        files = places[prefix.rpartition("/")[0]]
        for path in files[bisect_left(files, prefix) :]:
            if not path.startswith(prefix):
                break
            longer = (path[:end] for end in range(len(path), len(prefix), -1))
            if not any(other in known for other in longer):
                owners[prefix].append(path)
    return [in_time(owners[prefix]) for prefix in prefixes]


def _camera(path: str) -> int:
    fields = path.rpartition("/")[2].split("_")
    digits = re.sub(r"\D", "", fields[2]) if len(fields) > 2 else ""
    if not digits:
        raise UserError(f"{path}: no camera in the third '_' field of the name")
    return int(digits)
