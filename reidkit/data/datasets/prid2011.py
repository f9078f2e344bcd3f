"""PRID2011 and iLIDS-VID: two cameras, ten random halves of the people, one tracklet each."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from reidkit.data.datasets.matlab import read_mat
from reidkit.data.datasets.reader import Reader
from reidkit.data.split import Split, Trial
from reidkit.data.tracklets import TrackletSplit, frames_in
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.registry import DATASETS
from reidkit.utils.io import read_regular

DIVISIONS = 10
LEAST = 22  # frames in both cameras of a person that PRID2011's protocol uses


class TwoCameraVideo(Reader):
    """What both sets share: folders of people under two cameras, and ten random halves of them.

    Published numbers are means over ten divisions with a model trained for each.

    Args:
        data_root, root, check_counts: see ``Reader``.
        split: 0..9, which of the divisions; None lists everybody for the test and the ten test
            halves as trials, for a model that was trained on other data.

    Raises:
        ValueError: no such split.
    """

    unit = "tracklets"
    protocol = "two-camera"
    cameras: tuple[str, str] = ("", "")  # folders of the query camera and the gallery camera

    def __init__(self, data_root: str, root: str, split: int | None, check_counts: str):
        super().__init__(data_root, root, check_counts)
        if split is not None and not 0 <= split < DIVISIONS:
            raise ValueError(f"{self.title}: split must be 0..9 or None, got {split}")
        self.split = split
        self._trials: list[Trial] = []

    def halves(self, folder: Path, number: int) -> tuple[list[str], list[str]]:
        """Folder names of the people to train on and to test on, in one division."""
        raise NotImplementedError(f"{type(self).__name__} must implement halves(folder, number)")

    def read(self, folder: Path) -> dict[str, Split]:
        """List the tracklets of both halves; see ``Reader.read``."""
        numbers = list(range(DIVISIONS)) if self.split is None else [self.split]
        divided = [self.halves(folder, number) for number in numbers]
        test = sorted({person for _, half in divided for person in half})
        rows = [np.flatnonzero(np.isin(test, half)) for _, half in divided]
        self._trials = [
            Trial(row, row, f"split {number}") for row, number in zip(rows, numbers, strict=True)
        ]
        splits: dict[str, Split] = {}
        if self.split is not None:
            both = [(person, camera) for person in divided[0][0] for camera in (0, 1)]
            splits["train"] = self._tracklets(folder, "train", both)
        for name, camera in (("query", 0), ("gallery", 1)):
            splits[name] = self._tracklets(folder, name, [(person, camera) for person in test])
        return splits

    def trials(self) -> list[Trial]:
        """The test half of the chosen division, or of all ten."""
        self.splits()
        return self._trials

    def _tracklets(self, folder: Path, name: str, rows: list[tuple[str, int]]) -> TrackletSplit:
        frames, digits = [], []
        for person, camera in rows:
            place = f"{self.cameras[camera]}/{person}"
            if not (folder / place).is_dir():
                raise UserError(
                    f"{self.title}: a division names {place}, which is not in "
                    f"{folder.as_posix()}; unpack the archive again"
                )
            frames.append(frames_in(folder, place))
            digits.append(re.sub(r"[^0-9]", "", person))
            if len(digits[-1]) > 18:  # more than int64 holds
                raise UserError(
                    f"{self.title}: {place}: expected a number of a person in the name of the "
                    "folder, such as person_0001; rename or remove it"
                )
        cameras = [camera + 1 for _, camera in rows]
        people = [int(one) for one in digits]
        key = f"{self.name}/{'all' if self.split is None else f'split{self.split}'}/{name}"
        return TrackletSplit.of(self.name, name, folder, frames, people, cameras, key)


@DATASETS.register_module()
class PRID2011(TwoCameraVideo):
    """PRID2011, multi-shot: 178 people with more than 21 frames under both cameras.

    Query is camera a, gallery camera b. The archive has no division of the people: the field uses
    ``splits_prid2011.json``, a list of ten ``{"train": [...], "test": [...]}`` of folder names.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.
        split: 0..9, which of the ten; None: see ``TwoCameraVideo``.
        splits: file of the divisions, relative to the folder; "random" draws halves of the 178
            by number instead, which is not comparable with published numbers person by person.

    Raises:
        ValueError: no such split.
        UserError: see ``Reader.prepare``; a file of another form.

    Source:
        Hirzer et al., Person Re-identification by Descriptive and Discriminative Classification
        (SCIA 2011); the protocol of Wang et al. (ECCV 2014).
    """

    name = "prid2011"
    title = "PRID2011"
    cameras = ("multi_shot/cam_a", "multi_shot/cam_b")
    nestings = ("prid_2011", "PRID2011", "prid2011")
    counts = {"train": (178, 89), "query": (89, 89), "gallery": (89, 89)}
    how = (
        'unpack prid_2011.zip there and put splits_prid2011.json beside it, or set splits="random"'
    )

    def __init__(
        self,
        data_root: str,
        root: str = "prid2011",
        split: int | None = 0,
        splits: str = "splits_prid2011.json",
        check_counts: str = "auto",
    ):
        super().__init__(data_root, root, split, check_counts)
        self.splits_file = splits
        self.needed = ("multi_shot/cam_a/", "multi_shot/cam_b/")
        if splits == "random":
            self.name = "prid2011_random"
        else:
            self.needed += (splits,)

    def halves(self, folder: Path, number: int) -> tuple[list[str], list[str]]:
        """See ``TwoCameraVideo.halves``."""
        if self.splits_file == "random":
            return self._drawn(folder, number)
        file = folder / self.splits_file
        try:
            chosen = json.loads(read_regular(file).decode("utf-8-sig"))[number]
            halves = [_names(chosen[part]) for part in ("train", "test")]
        except (OSError, *WRONG_CONTENT) as error:
            raise UserError(
                f"{file.as_posix()}: expected a list of ten dicts with train and test, lists of "
                f"folder names ({type(error).__name__}: {error})"
            ) from None
        both = sorted(set(halves[0]) & set(halves[1]))
        if both:
            raise UserError(
                f"{file.as_posix()}: division {number} has {both[0]} in train and in test "
                f"({len(both)} such people); nobody who is tested on may be learned from"
            )
        return halves[0], halves[1]

    def _drawn(self, folder: Path, number: int) -> tuple[list[str], list[str]]:
        places = [folder / camera for camera in self.cameras]
        both = sorted(p.name for p in places[0].iterdir() if (places[1] / p.name).is_dir())
        used = [
            person
            for person in both
            if all(len(frames_in(place, person)) >= LEAST for place in places)
        ]
        order = np.random.default_rng(number).permutation(len(used))
        half = [used[i] for i in order[: len(used) // 2]]
        return sorted(half), sorted(set(used) - set(half))


def _names(listed: object) -> list[str]:
    """Names of folders of one half, sorted."""
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise TypeError("a half must be a list of names")
    if len(set(listed)) < len(listed):
        raise ValueError("a name stands twice in one half")
    odd = [name for name in listed if "/" in name or name in ("", ".", "..")]
    if odd or not all(re.search("[0-9]", name) for name in listed):
        raise ValueError(f"{(odd or listed)[0]!r} is no name of a folder such as person_0001")
    return sorted(listed)


@DATASETS.register_module()
class ILIDSVID(TwoCameraVideo):
    """iLIDS-VID: 300 people under two airport cameras, ten official divisions.

    Query is cam1, gallery cam2. The rows of ``ls_set`` are 1-based positions in the sorted list of
    folders (identities are not contiguous); the first half of a row is the test set.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.
        split: 0..9, which of the ten; None: see ``TwoCameraVideo``.

    Raises:
        ValueError: no such split.
        UserError: see ``Reader.prepare``; cameras with different people; positions that are not
            in the list.

    Source:
        Wang et al., Person Re-identification by Video Ranking (ECCV 2014).
    """

    name = "ilidsvid"
    title = "iLIDS-VID"
    cameras = ("i-LIDS-VID/sequences/cam1", "i-LIDS-VID/sequences/cam2")
    file = "train-test people splits/train_test_splits_ilidsvid.mat"
    needed = ("i-LIDS-VID/sequences/cam1/", "i-LIDS-VID/sequences/cam2/", file)
    nestings = ("ilids-vid", "iLIDS-VID")
    counts = {"train": (300, 150), "query": (150, 150), "gallery": (150, 150)}
    how = "unpack iLIDS-VID.tar there"

    def __init__(
        self,
        data_root: str,
        root: str = "ilidsvid",
        split: int | None = 0,
        check_counts: str = "auto",
    ):
        super().__init__(data_root, root, split, check_counts)

    def halves(self, folder: Path, number: int) -> tuple[list[str], list[str]]:
        """See ``TwoCameraVideo.halves``."""
        one, two = (
            sorted(p.name for p in (folder / camera).iterdir() if p.is_dir())
            for camera in self.cameras
        )
        if one != two:
            odd = sorted(set(one) ^ set(two))
            raise UserError(
                f"iLIDS-VID: {odd[0]} is under one camera only in {folder.as_posix()}; "
                "unpack the archive again"
            )
        rows = read_mat(folder / self.file, "ls_set")
        wanted = list(range(1, len(one) + 1))
        if rows.ndim != 2 or number >= len(rows) or sorted(rows[number]) != wanted:
            raise UserError(
                f"{(folder / self.file).as_posix()}: row {number} of ls_set {rows.shape} is no "
                f"order of the {len(one)} people of {folder.as_posix()}"
            )
        people = [one[i - 1] for i in rows[number]]
        half = len(people) // 2
        return sorted(people[half:]), sorted(people[:half])
