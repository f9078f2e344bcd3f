"""Tracked people of MOT sequences as crops, without cutting them out first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reidkit.data.datasets.crop_table import CropTable
from reidkit.data.datasets.mot import MOTSequence, find_sequences
from reidkit.data.datasets.reader import Reader
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS


@DATASETS.register_module()
class MOTSequences(Reader):
    """Sequences in MOTChallenge's format: ``img1/``, ``gt/gt.txt``, ``seqinfo.ini`` in each folder.

    A crop is a box in a frame, cut out when it is read. Track numbers count within a sequence, so
    that an identity is a track of a sequence, and nobody is known to be seen by two cameras:
    the test is ``single-camera``. Where the same number is the same person in every sequence, as
    in recordings of one place by several cameras, ``shared=True`` makes sequences cameras. A share
    of the identities is held out.

    Args:
        data_root: the folder in which all data sets lie.
        root: the data set's own folder in it: one sequence, or sequences up to two folders down.
        name: how results call it; default: the last part of ``root``.
        shared: whether one number is one person in all sequences.
        every: only each n-th frame; frames one after the other hardly differ.
        classes: that are kept, where the file tells classes; 1 is a pedestrian.
        min_visibility: share of the person that is seen, at least.
        min_height: of a crop, in pixels.
        holdout: share of the identities for testing.
        seed: of the division.

    Raises:
        ValueError: ``every`` below 1, or ``holdout`` outside (0, 1).
        UserError: see ``Reader.prepare``; no sequences, or one that cannot be read; no boxes left.

    Source:
        Dendorfer et al., MOTChallenge (IJCV 2021), and motchallenge.net/instructions.
    """

    title = "MOT sequences"
    how = "put sequences there, folders with img1/, gt/gt.txt and seqinfo.ini"

    def __init__(
        self,
        data_root: str,
        root: str,
        name: str | None = None,
        shared: bool = False,
        every: int = 10,
        classes: Sequence[int] = (1,),
        min_visibility: float = 0.3,
        min_height: float = 48,
        holdout: float = 0.5,
        seed: int = 0,
    ):
        super().__init__(data_root, root)
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        if not 0 < holdout < 1:
            raise ValueError(f"holdout must be between 0 and 1, got {holdout}")
        self.name = name or Path(root).name
        self.title = f"MOT sequences {self.name}"
        self.protocol = "market" if shared else "single-camera"
        self.shared, self.every, self.classes = shared, every, tuple(classes)
        self.min_visibility, self.min_height = min_visibility, min_height
        self.holdout, self.seed = holdout, seed

    def candidates(self) -> list[Path]:
        """Only the folder itself; see ``Reader.candidates``."""
        return [self.data_root / self.root]

    def find(self) -> Path:
        """See ``Reader.find``."""
        folder = self.candidates()[0]
        if not folder.is_dir():
            raise UserError(self._not_found())
        return folder

    def read(self, folder: Path) -> dict[str, Split]:
        """Read the sequences; see ``Reader.read``."""
        places, notes = find_sequences(folder)
        paths: list[str] = []
        people: list[str] = []
        cameras: list[str] = []
        parts, times = [], []
        for number, place in enumerate(places, 1):
            sequence = MOTSequence.read(place)
            own = sequence.crops(self.every, self.classes, self.min_visibility, self.min_height)
            inside = place.relative_to(folder).as_posix()
            paths += [_below(inside, sequence.images[frame]) for frame in own.frames.tolist()]
            people += [self._person(sequence.name, track) for track in own.tracks.tolist()]
            cameras += [str(number)] * len(own.frames)
            parts.append(own)
            times.append((own.frames - 1) / sequence.rate)
        if not paths:
            raise UserError(
                f"{self.title}: no box is left in {len(places)} sequences with classes="
                f"{list(self.classes)}, min_visibility={self.min_visibility:g}, min_height="
                f"{self.min_height:g}, every={self.every}; change these options"
            )
        table = CropTable(
            paths,
            people,
            cameras if self.shared else None,
            times=np.concatenate(times),
            boxes=np.concatenate([part.boxes for part in parts]),
        )
        splits, more = table.divided(
            self.name, folder, self.title, holdout=self.holdout, seed=self.seed
        )
        self.notes += [*notes, *more]
        return splits

    def _person(self, sequence: str, track: int) -> str:
        return f"{track}" if self.shared else f"{sequence}/{track}"


def _below(folder: str, path: str) -> str:
    return path if folder == "." else f"{folder}/{path}"
