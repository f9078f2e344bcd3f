"""MSMT17, version 1 and 2: two folders and four lists."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reidkit.data.datasets.files import read_lines
from reidkit.data.datasets.reader import Reader, parse_names, path_and_identity, refuse_twice
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS

NAME = re.compile(r"(\d+)_\d+_(\d+)")
LISTS = ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt")
FOLDERS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}


@DATASETS.register_module()
class MSMT17(Reader):
    """MSMT17: ``list_{train,val,query,gallery}.txt`` over ``train`` and ``test``.

    In version 2 (faces masked) the folders are ``mask_train_v2`` and ``mask_test_v2``. Lines are
    "0000/0000_000_01_0303morning_0008_0.jpg 0": path and identity; the camera is the third number
    of the name.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.
        version: "V1" or "V2".
        val: add ``list_val.txt`` to the training images (32,621), as EANet does.
        combine_all: train on everything, test images included (identities of the test half are
            shifted behind those of the other), for pre-training; query and gallery stay.

    Raises:
        ValueError: unknown ``version``.
        UserError: see ``Reader.prepare``; a line that is not "path identity"; a listed file that
            is not there; an image listed twice.

    Source:
        Wei et al., Person Transfer GAN to Bridge Domain Gap (CVPR 2018).
    """

    title = "MSMT17"
    how = "unpack MSMT17_V1.tar.gz (or V2) there"

    def __init__(
        self,
        data_root: str,
        root: str = "msmt17",
        version: str = "V1",
        val: bool = True,
        combine_all: bool = False,
        check_counts: str = "auto",
    ):
        super().__init__(data_root, root, check_counts)
        if version not in FOLDERS:
            raise ValueError(f"version must be 'V1' or 'V2', got {version!r}")
        self.val, self.combine_all = val, combine_all
        self.folders = FOLDERS[version]
        self.name = "msmt17" if version == "V1" else "msmt17_v2"
        self.title = f"MSMT17 {version}"
        self.nestings = (f"MSMT17_{version}", f"MSMT17_{version}/MSMT17_{version}", "MSMT17")
        self.needed = (*(f"{folder}/" for folder in self.folders), *LISTS)
        train = (32621, 1041) if val else (30248, 1041)
        train = (126441 if val else 124068, 4101) if combine_all else train
        self.counts = {"train": train, "query": (11659, 3060), "gallery": (82161, 3060)}

    def read(self, folder: Path) -> dict[str, Split]:
        """List the four text files; see ``Reader.read``."""
        rows = {
            part: _read_list(folder, f"list_{part}.txt", self.folders[part in ("query", "gallery")])
            for part in ("train", "val", "query", "gallery")
        }
        self._refuse_shared(folder, rows)
        train = rows["train"] + (rows["val"] if self.val else [])
        name = "train"
        if self.combine_all:
            shift = max((identity for _, identity in train), default=-1) + 1
            train = train + [(p, i + shift) for p, i in rows["query"] + rows["gallery"]]
            name = "train_all"
        query, gallery = rows["query"], rows["gallery"]
        return {
            "train": self._split(folder, "train", train, f"{self.name}/{name}"),
            "query": self._split(folder, "query", query, f"{self.name}/query"),
            "gallery": self._split(folder, "gallery", gallery, f"{self.name}/gallery"),
        }

    def _refuse_shared(self, folder: Path, rows: Mapping[str, Sequence[tuple[str, int]]]) -> None:
        """No image may be in two lists."""
        owner: dict[str, str] = {}
        for part, listed in rows.items():
            for path, _ in listed:
                other = owner.setdefault(path, part)
                if other != part:
                    raise UserError(
                        f"{self.title}: list_{other}.txt and list_{part}.txt of "
                        f"{folder.as_posix()} both list {path}; unpack the archive again"
                    )

    def _split(self, folder: Path, name: str, rows: Sequence[tuple[str, int]], key: str) -> Split:
        rows = sorted(rows)
        paths = tuple(path for path, _ in rows)
        _, cameras = parse_names(paths, NAME, "0000_000_01_0303morning_0008_0.jpg")
        # the files count people from 0, which everywhere else means distractor
        identities = np.array([identity + 1 for _, identity in rows], dtype=np.int64)
        return Split(self.name, name, folder, paths, identities, cameras, label_key=key)


def _read_list(folder: Path, name: str, images: str) -> list[tuple[str, int]]:
    """Path (relative to the data set) and identity of every line; all files must be there."""
    file = folder / name
    rows = []
    for number, line in read_lines(file):
        path, identity = path_and_identity(file, number, line)
        rows.append((f"{images}/{path}", identity))
    refuse_twice(file, [path for path, _ in rows])
    missing = [path for path, _ in rows if not (folder / path).is_file()]
    if missing:
        raise UserError(
            f"{file.as_posix()} lists {missing[0]}, which is not there ({len(missing):,} such "
            "files); unpack the archive again (versions 1 and 2 name their files differently: "
            "option version)"
        )
    return rows
