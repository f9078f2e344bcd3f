"""A list of tracklets: one person under one camera as frames in temporal order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from reidkit.data.datasets.files import list_images
from reidkit.data.split import Split
from reidkit.errors import UserError

_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, eq=False)
class TrackletSplit(Split):
    """The tracklets of one split: a ``Split`` with one row per tracklet, and the frames of each.

    A tracklet is named by its first frame, so everything that takes a ``Split`` (evaluation, ranked
    lists) takes this one. Made by ``TrackletSplit.of``.

    Args:
        dataset, name, root, paths, identities, cameras, times, keypoints, part_label_paths, boxes,
            label_key: see ``Split``; a row is a tracklet.
        frame_paths: paths of all frames, tracklet after tracklet, each in temporal order.
        starts: (M + 1,) int64; tracklet i has ``frame_paths[starts[i]:starts[i + 1]]``.

    Raises:
        ValueError: starts that do not fit the frames.
        UserError: a tracklet without frames.

    Example:
        >>> frames = [["a/1.jpg", "a/2.jpg"], ["b/1.jpg"]]
        >>> split = TrackletSplit.of("toy", "train", Path("toy"), frames, [7, 3], [1, 2])
        >>> len(split), split.lengths.tolist(), split.frames_of(0)
        (2, [2, 1], ('a/1.jpg', 'a/2.jpg'))
        >>> split.select([1]).frame_paths, len(split.crops())
        (('b/1.jpg',), 3)
    """

    frame_paths: tuple[str, ...] = ()
    starts: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "starts", np.asarray(self.starts, np.int64))
        wanted = (len(self.paths) + 1,)
        if self.starts.shape != wanted or self.starts[-1] != len(self.frame_paths):
            raise ValueError(
                f"TrackletSplit: starts {self.starts.shape} for {len(self.paths)} tracklets of "
                f"{len(self.frame_paths)} frames"
            )
        empty = np.flatnonzero(self.lengths < 1)
        if len(empty):
            row = int(empty[0])
            raise UserError(
                f"{self.dataset}/{self.name}: tracklet {row + 1} of {len(self)} (identity "
                f"{self.identities[row]}, camera {self.cameras[row]}) has no frames; unpack the "
                "archive again"
            )

    @classmethod
    def of(
        cls,
        dataset: str,
        name: str,
        root: Path,
        frames: Sequence[Sequence[str]],
        identities: Sequence[int] | np.ndarray,
        cameras: Sequence[int] | np.ndarray,
        label_key: str = "",
    ) -> TrackletSplit:
        """From one list of frame paths per tracklet; see the class."""
        lengths = [len(one) for one in frames]
        return cls(
            dataset,
            name,
            root,
            tuple(one[0] if one else "" for one in frames),
            np.asarray(identities, np.int64),
            np.asarray(cameras, np.int64),
            label_key=label_key,
            frame_paths=tuple(path for one in frames for path in one),
            starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        )

    @property
    def lengths(self) -> np.ndarray:
        """Number of frames of every tracklet, (M,) int64."""
        return np.diff(self.starts)

    def frames_of(self, index: int) -> tuple[str, ...]:
        """Paths of one tracklet's frames."""
        return self.frame_paths[self.starts[index] : self.starts[index + 1]]

    def crops(self) -> Split:
        """All frames as single crops, each with its tracklet's identity and camera."""
        rows = np.repeat(np.arange(len(self)), self.lengths)
        return Split(
            self.dataset,
            self.name,
            self.root,
            self.frame_paths,
            self.identities[rows],
            self.cameras[rows],
            label_key=self.label_key,
            pictures=self.pictures,
        )

    def fingerprint(self) -> str:
        """sha256 over frames, their division into tracklets, identities and cameras."""
        digest = hashlib.sha256("\n".join(self.frame_paths).encode(errors="surrogateescape"))
        for array in (self.starts, self.identities, self.cameras):
            digest.update(b"\0" + array.astype("<i8").tobytes())
        return digest.hexdigest()

    def select(self, index: Sequence[int] | np.ndarray) -> TrackletSplit:
        """The split with only these tracklets, in this order.

        Args:
            index: row numbers, or a boolean mask of M.
        """
        rows = np.asarray(index)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        frames = [self.frames_of(int(i)) for i in rows]
        labels = {name: values[rows] for name, values in self.labels.items()}
        return replace(
            self,
            paths=tuple(self.paths[i] for i in rows),
            identities=self.identities[rows],
            cameras=self.cameras[rows],
            labels=labels,
            frame_paths=tuple(path for one in frames for path in one),
            starts=np.concatenate([[0], np.cumsum([len(one) for one in frames])]).astype(np.int64),
        )


def in_time(paths: Sequence[str], pattern: re.Pattern[str] | None = None) -> list[str]:
    """Frames sorted by their number, which is not the order of the names once widths differ.

    Args:
        paths: of the frames of one tracklet.
        pattern: whose first group is the number; by default the last number of the base name.

    Raises:
        UserError: a name without a number.

    Example:
        >>> in_time(["a/f10.jpg", "a/f9.jpg"])
        ['a/f9.jpg', 'a/f10.jpg']
    """

    def number(path: str) -> tuple[int, str]:
        name = path.rpartition("/")[2].rpartition(".")[0]
        match = pattern.search(name) if pattern else None
        numbers = [match[1]] if match else [] if pattern else _NUMBERS.findall(name)
        if not numbers:
            raise UserError(f"{path}: the name does not tell the frame's number; rename the file")
        return int(numbers[-1]), path

    return sorted(paths, key=number)


def frames_in(root: Path, folder: str, pattern: re.Pattern[str] | None = None) -> list[str]:
    """The images of one folder in temporal order, as paths relative to ``root``."""
    return in_time([f"{folder}/{name}" for name in list_images(root / folder)], pattern)
