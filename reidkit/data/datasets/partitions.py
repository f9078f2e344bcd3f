"""Sets of two views whose people are divided into training and test in several official ways."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reidkit.data.datasets.reader import Reader
from reidkit.data.identities import DISTRACTOR
from reidkit.data.split import Split, Trial
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.utils.io import atomic_write, read_regular


@dataclass(frozen=True, eq=False)
class Partition:
    """One division of the people.

    Args:
        train: identities to learn from.
        test: identities to test on; nobody is in both.
    """

    train: np.ndarray
    test: np.ndarray

    def __post_init__(self) -> None:
        both = np.intersect1d(self.train, self.test)
        if len(both):
            raise ValueError(f"identity {both[0]} is in training and in test")


class PartitionedReader(Reader):
    """A reader of a set with several official partitions; sub-classes list views and partitions.

    With a number as ``split``, "train" holds the training people of that partition in both views,
    "query" the test people in one view, "gallery" those in the other and the distractors. Without
    one there is no "train": "query" and "gallery" hold everybody, and every partition is a trial,
    over which the evaluation averages. That is for models trained elsewhere; one trained here has
    seen the test people of all partitions but its own.

    Cameras are 1 and 2, the two views. Identities are numbered from 1; 0 marks distractors.

    Args:
        data_root, root, check_counts: see ``Reader``.
        split: number of the partition, from 0; None for a test over all.
        query_view: 1 or 2: the view of the queries. Published figures take either, or both.

    Raises:
        ValueError: unknown ``query_view``, or a negative ``split``.
        UserError: see ``Reader.prepare``; a partition that the set does not have.
    """

    def __init__(
        self,
        data_root: str,
        root: str,
        split: int | None = 0,
        query_view: int = 1,
        check_counts: str = "auto",
    ):
        super().__init__(data_root, root, check_counts)
        if split is not None and split < 0:
            raise ValueError(f"split must be the number of a partition, from 0, got {split}")
        if query_view not in (1, 2):
            raise ValueError(f"query_view must be 1 or 2, got {query_view}")
        self.split, self.query_view = split, query_view
        if split is not None:
            self.name = f"{self.name}-{split}"
        self._trials: list[Trial] = []

    # -- to be written by sub-classes -------------------------------------------------------
    @abstractmethod
    def read_views(self, folder: Path) -> tuple[Split, Split]:
        """All images of view 1 and of view 2, distractors included; their names do not matter."""

    @abstractmethod
    def partitions(self, folder: Path, people: np.ndarray) -> Sequence[Partition]:
        """The official partitions of the people (sorted identities, seen in either view)."""

    # -- for users --------------------------------------------------------------------------
    def trials(self) -> Sequence[Trial]:
        """One per partition where ``split`` is None; see ``Reader.trials``."""
        self.splits()
        return self._trials

    def read(self, folder: Path) -> dict[str, Split]:
        """List the two views and divide them; see ``Reader.read``."""
        views = self.read_views(folder)
        ordered = views if self.query_view == 1 else views[::-1]
        query, gallery = (
            Split(self.name, name, folder, view.paths, view.identities, view.cameras)
            for name, view in zip(("query", "gallery"), ordered, strict=True)
        )
        people = np.union1d(query.identities, gallery.identities)
        partitions = self.partitions(folder, people[people > DISTRACTOR])
        if self.split is None:
            self._trials = [_trial(p, query, gallery, str(i)) for i, p in enumerate(partitions)]
            return {"query": query, "gallery": gallery}
        if self.split >= len(partitions):
            raise UserError(
                f"{self.title}: split={self.split}, but {folder.as_posix()} has partitions 0 to "
                f"{len(partitions) - 1}"
            )
        partition = partitions[self.split]
        trial = _trial(partition, query, gallery)
        return {
            "train": _joined(self.name, views, partition.train),
            "query": query.select(trial.query),
            "gallery": gallery.select(trial.gallery),
        }


def _trial(partition: Partition, query: Split, gallery: Split, name: str = "") -> Trial:
    gallery_people = np.append(partition.test, DISTRACTOR)
    return Trial(
        np.isin(query.identities, partition.test), np.isin(gallery.identities, gallery_people), name
    )


def _joined(dataset: str, views: tuple[Split, Split], people: np.ndarray) -> Split:
    """The images of some people in both views as the training split, sorted by path."""
    chosen = [view.select(np.isin(view.identities, people)) for view in views]
    paths = [path for view in chosen for path in view.paths]
    order = sorted(range(len(paths)), key=paths.__getitem__)
    return Split(
        dataset,
        "train",
        views[0].root,
        tuple(paths[i] for i in order),
        np.concatenate([view.identities for view in chosen])[order],
        np.concatenate([view.cameras for view in chosen])[order],
    )


def random_partitions(people: np.ndarray, count: int, test: int, seed: int = 0) -> list[Partition]:
    """Partitions at random, for sets that come without: a pure function of the arguments.

    Args:
        people: sorted identities.
        count: number of partitions.
        test: test people in each.
        seed: of the drawing.

    Example:
        >>> [p.test.tolist() for p in random_partitions(np.arange(1, 7), 2, 3)]
        [[3, 4, 6], [2, 4, 5]]
    """
    partitions = []
    for number in range(count):
        turned = np.random.default_rng([seed, number]).permutation(people)
        partitions.append(Partition(np.sort(turned[test:]), np.sort(turned[:test])))
    return partitions


def load_partitions(file: Path, people: np.ndarray) -> list[Partition]:
    """Stored partitions.

    Args:
        file: of ``save_partitions``.
        people: sorted identities of the set as it lies there.

    Raises:
        UserError: not such a file, or one for other people.
    """
    try:
        stored = json.loads(read_regular(file))
        same = stored["people"] == people.tolist()
        tests = [np.array(test, dtype=np.int64) for test in stored["test"]]
    except (OSError, *WRONG_CONTENT) as error:
        raise UserError(
            f"{file}: no stored partitions ({type(error).__name__}: {error}); remove it, and it is "
            "written again"
        ) from None
    if not same:
        raise UserError(
            f"{file}: partitions of {len(stored['people'])} people, but the data set has others "
            f"({len(people)}); restore the missing images, or remove the file to draw new ones"
        )
    return [Partition(np.setdiff1d(people, test), np.sort(test)) for test in tests]


def save_partitions(
    file: Path, people: np.ndarray, partitions: Sequence[Partition], note: str
) -> None:
    """Store the test people of every partition, whole or not at all.

    Args:
        file: JSON file to write.
        people: sorted identities of the set.
        partitions: to be stored.
        note: where they come from, for readers of the file.
    """
    tests = [partition.test.tolist() for partition in partitions]
    with atomic_write(file, "w") as out:
        json.dump({"note": note, "people": people.tolist(), "test": tests}, out)


class DrawnReader(PartitionedReader):
    """A ``PartitionedReader`` of a set without official partitions: they are drawn and stored.

    ``prepare()`` writes them beside the data, so that later runs, and other tools, use the same
    ones. In a folder that cannot be written they are drawn anew each time, to the same result.
    """

    count = 10
    seed = 0
    test_people = 0  # of the published set; of a smaller one at most half

    def partitions_file(self, folder: Path) -> Path:
        """Where the partitions are stored."""
        return folder / f"reidkit_splits_{self.test_people}.json"

    def partitions(self, folder: Path, people: np.ndarray) -> Sequence[Partition]:
        """The stored ones, or those that ``prepare`` would store."""
        file = self.partitions_file(folder)
        if file.is_file():
            return load_partitions(file, people)
        if len(people) < 2:
            raise UserError(f"{self.title}: {len(people)} people in {folder}; it takes at least 2")
        test = min(self.test_people, (len(people) + 1) // 2)
        return random_partitions(people, self.count, test, self.seed)

    def prepare(self) -> None:
        """Verify the data and store the partitions; see ``Reader.prepare``."""
        super().prepare()
        folder = self.find()
        file = self.partitions_file(folder)
        if file.is_file():
            return
        first, second = self.read_views(folder)
        people = np.union1d(first.identities, second.identities)
        note = f"test people of {self.count} random partitions, drawn by reidkit, seed {self.seed}"
        try:
            save_partitions(file, people, self.partitions(folder, people), note)
        except OSError:  # a read-only folder; the partitions are the same without the file
            return
