"""The base of all readers: find a data set, check its counts, explain what is missing."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reidkit.data.corrections import corrected
from reidkit.data.split import Split, Trial
from reidkit.errors import UserError

SHOWN = 12  # entries of a folder named in a message


class Reader:
    """A reader of one layout; sub-classes name the tree they expect and list the crops.

    ``prepare()`` finds the folder (in ``data_root/root``, in the nestings in which the archives
    unpack, and in ``data_root`` itself) and verifies it; ``splits()`` lists it. Nothing is written.

    Args:
        data_root: the folder in which all data sets lie.
        root: the data set's own folder, relative to ``data_root`` (or absolute).
        check_counts: "auto" compares the numbers of images and identities with the published
            ones when at least half of the published number of training images is there (of query
            images for sets without training images): then the full set is meant, and another
            count is an error. Smaller trees are taken as deliberate subsets, which
            ``describe()`` says. "always" compares in any case, "never" in none.

    Raises:
        ValueError: unknown ``check_counts``.
    """

    name: str = ""
    title: str = ""
    needed: tuple[str, ...] = ()  # must exist in the folder
    nestings: tuple[str, ...] = ()  # sub-folders in which archives unpack
    counts: Mapping[str, tuple[int, int | None]] = {}  # split -> published rows, identities
    unit: str = "images"  # what a row of a split is
    how: str = ""  # how to lay it out, one sentence
    pictures: str = "photographs"  # or "synthped": see ``Split.pictures``
    brings_keypoints: bool = False  # of all crops, so that nobody has to find them
    protocol: str = "market"  # how papers test on it: a name in reidkit.evaluation.PROTOCOLS

    def __init__(self, data_root: str, root: str, check_counts: str = "auto"):
        if check_counts not in ("auto", "always", "never"):
            raise ValueError(
                f"check_counts must be 'auto', 'always' or 'never', got {check_counts!r}"
            )
        self.data_root = Path(data_root)
        self.root = root
        self.check_counts = check_counts
        self.notes: list[str] = []  # what a user should know of what was read
        self._splits: dict[str, Split] | None = None
        self.as_labelled: dict[str, Split] = {}  # without the corrections that lie beside it

    # -- to be written by sub-classes -------------------------------------------------------
    def read(self, folder: Path) -> dict[str, Split]:
        """List the splits found in ``folder``, which holds everything in ``needed``."""
        raise NotImplementedError(f"{type(self).__name__} must implement read(folder)")

    # -- for users --------------------------------------------------------------------------
    def prepare(self) -> None:
        """Verify that the data is there and complete.

        Raises:
            UserError: not found (with the tree expected, what is there and how to lay it out), a
                file whose name does not fit, or counts that differ from the published ones.
        """
        self.splits()

    def splits(self) -> dict[str, Split]:
        """The splits by name ("train", "query", "gallery"); listed once, then remembered."""
        if self._splits is None:
            folder = self.find()
            self.notes = []
            splits = self.read(folder)
            self._check(splits, folder)
            self.as_labelled = splits
            self._splits = corrected(splits, folder, self.notes)
        return self._splits

    def expected(self, split: str) -> tuple[int, int] | None:
        """Rows and identities that a split must have; None where only reading it tells."""
        rows, identities = self.counts.get(split, (0, None))
        return None if identities is None or self.check_counts == "never" else (rows, identities)

    def trials(self) -> Sequence[Trial]:
        """The repetitions of its test, as rows of the query and gallery splits; none: one test."""
        return ()

    def find(self) -> Path:
        """The folder that holds everything in ``needed``.

        Raises:
            UserError: no candidate does.
        """
        for folder in self.candidates():
            if all((folder / entry).exists() for entry in self.needed):
                return folder
        raise UserError(self._not_found())

    def candidates(self) -> list[Path]:
        """Folders in which the data set may lie, most wanted first."""
        own = self.data_root / self.root
        bases = [own, self.data_root] if own != self.data_root else [own]
        return [base / nest for base in bases for nest in ("", *self.nestings)]

    def describe(self) -> list[str]:
        """One line per split: counts, and whether it is a subset; then what else to know."""
        lines = []
        for key, split in self.splits().items():
            line = (
                f"{self.name}/{key}: {len(split):,} {self.unit}, "
                f"{split.num_identities:,} identities, {len(np.unique(split.cameras))} cameras"
            )
            if key in self.counts and len(split) != self.counts[key][0]:
                line += f" (the published set has {self.counts[key][0]:,} {self.unit})"
            lines.append(line)
        return [*lines, *self.notes]

    # -- helpers ----------------------------------------------------------------------------
    def _not_found(self) -> str:
        tree = [f"      {entry}" for entry in self.needed]
        own = self.data_root / self.root
        also = ", ".join(f"{own.as_posix()}/{nest}" for nest in self.nestings)
        also = f"  also looked in: {also}, and the same in {self.data_root.as_posix()}"
        lines = [
            f"{self.title or self.name}: not found in {own.as_posix()}",
            f"  expected: {own.as_posix()}/ with",
            *tree,
            *([also] if self.nestings else []),
            f"  found: {_found(own, self.data_root)}",
            f"  to fix: {self.how or 'put the data set there'}; or set settings.data_root or the "
            "reader's option root",
        ]
        return "\n".join(lines)

    def _why_empty(self, folder: Path) -> str:
        """What to do about a split without rows."""
        return "unpack the archive again"

    def _check(self, splits: dict[str, Split], folder: Path) -> None:
        empty = [key for key, split in splits.items() if not len(split)]
        if empty:
            raise UserError(
                f"{self.title or self.name}: no {self.unit} for {', '.join(empty)} in "
                f"{folder.as_posix()}; {self._why_empty(folder)}"
            )
        if self.check_counts == "never" or not self.counts:
            return
        anchor = "train" if "train" in self.counts else "query"
        count = len(splits[anchor]) if anchor in splits else 0
        if self.check_counts == "auto" and 2 * count < self.counts[anchor][0]:
            return
        rows = []
        for key, (images, identities) in self.counts.items():
            if key in splits:
                have = (len(splits[key]), splits[key].num_identities)
                if identities is None:  # not published
                    identities = have[1]
                if have != (images, identities):
                    rows.append(
                        f"  {key}: expected {images:,} {self.unit} of {identities:,} identities, "
                        f"found {have[0]:,} of {have[1]:,}"
                    )
        if rows:
            raise UserError(
                f"{self.title or self.name}: {folder.as_posix()} differs from the published set\n"
                + "\n".join(rows)
                + '\n  to fix: unpack the archive again, or set check_counts="never" to use it as '
                "it is"
            )


def _found(own: Path, data_root: Path) -> str:
    """What lies where the data set should be, for a message."""
    for folder in (own, data_root):
        if folder.is_dir():
            names = sorted(
                e.name + ("/" if os.path.isdir(e.path) else "") for e in os.scandir(folder)
            )
            listing = ", ".join(names[:SHOWN]) or "nothing"
            rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            missing = "" if folder == own else f"no folder {own.as_posix()}; "
            return f"{missing}{folder.as_posix()} holds {listing}{rest}"
    return f"no folder {own.as_posix()} and no folder {data_root.as_posix()}"


def parse_names(
    paths: Sequence[str], pattern: re.Pattern[str], example: str
) -> tuple[np.ndarray, np.ndarray]:
    """Identities and cameras from file names.

    Args:
        paths: relative paths; only the base name is looked at.
        pattern: matched from the start of the base name; groups: identity, camera.
        example: a name that fits, for the message.

    Raises:
        UserError: the first path whose name does not fit.
    """
    numbers = np.empty((len(paths), 2), dtype=np.int64)
    for row, path in enumerate(paths):
        match = pattern.match(path.rpartition("/")[2])
        if match is None:
            raise UserError(
                f"{path}: the name does not tell identity and camera; expected something like "
                f"{example}. Rename or remove the file"
            )
        try:
            numbers[row] = match.groups()
        except OverflowError:
            raise UserError(
                f"{path}: a number of the name has more digits than any identity or camera; "
                f"expected something like {example}. Rename or remove the file"
            ) from None
    return numbers[:, 0].copy(), numbers[:, 1].copy()


def path_and_identity(file: Path, number: int, line: str) -> tuple[str, int]:
    """The two cells of a line of a list: a path with forward slashes, and a number.

    Args:
        file: of the list, for the message.
        number: of the line.
        line: its text.

    Raises:
        UserError: a line of another form.
    """
    path, _, identity = line.replace("\t", " ").rpartition(" ")
    if not path.strip() or not re.fullmatch(r"[0-9]{1,18}", identity):
        raise UserError(
            f"{file.as_posix()}:{number}: expected 'path identity', got {line[:80]!r}; unpack the "
            "archive again"
        )
    return path.strip().replace("\\", "/"), int(identity)


def refuse_twice(file: Path, paths: Sequence[str]) -> None:
    """Refuse a list that names something twice, which would count twice.

    Raises:
        UserError: it does, with the first such name.
    """
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            raise UserError(
                f"{file.as_posix()} lists {path} more than once, which would count it twice; "
                "unpack the archive again, or remove the line"
            )
        seen.add(path)
