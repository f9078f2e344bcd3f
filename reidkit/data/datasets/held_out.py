"""Validation without test people: a share of a set's training identities as query and gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reidkit.data.split import Split, Trial
from reidkit.data.tracklets import TrackletSplit
from reidkit.errors import UserError
from reidkit.registry import DATASETS


@dataclass(frozen=True, eq=False)
class SelectedSplit(Split):
    """Some crops of a split, whose label store stays that of the whole.

    Args:
        whole: the split they were taken from; the other arguments: see ``Split``.
        rows: (M,) int64, their rows in it.
    """

    whole: Split | None = None
    rows: np.ndarray | None = None

    def select(self, index: Sequence[int] | np.ndarray) -> Split:
        """The split with only these rows, in this order; see ``Split.select``."""
        assert self.rows is not None  # given by `selected`
        return replace(super().select(index), rows=self.rows[index])  # type: ignore[call-arg]


@dataclass(frozen=True, eq=False)
class SelectedTracklets(TrackletSplit):
    """Some tracklets of a split; see ``SelectedSplit``."""

    whole: TrackletSplit | None = None
    rows: np.ndarray | None = None

    def select(self, index: Sequence[int] | np.ndarray) -> TrackletSplit:
        """The split with only these tracklets, in this order."""
        assert self.rows is not None  # given by `selected`
        return replace(super().select(index), rows=self.rows[index])  # type: ignore[call-arg]

    def crops(self) -> Split:
        """All frames as single crops."""
        assert self.whole is not None and self.rows is not None
        frames = [np.arange(*self.whole.starts[row : row + 2]) for row in self.rows]
        return selected(self.whole.crops(), np.concatenate(frames), self.dataset, self.name)


def selected(whole: Split, rows: np.ndarray, dataset: str, name: str) -> Split:
    """Some rows of a split as one of another name, with the labels of the whole.

    Args:
        whole: crops or tracklets.
        rows: (M,) of the whole, in the order wanted.
        dataset, name: of the new split.
    """
    part = replace(whole.select(rows), dataset=dataset, name=name)
    if isinstance(whole, TrackletSplit):
        own = {field: getattr(part, field) for field in TrackletSplit.__dataclass_fields__}
        return SelectedTracklets(**own, whole=whole, rows=rows)
    own = {field: getattr(part, field) for field in Split.__dataclass_fields__}
    return SelectedSplit(**own, whole=whole, rows=rows)


@DATASETS.register_module()
class HeldOutIdentities:
    """A set's training identities alone: most to learn from, the others to test on.

    What ``data=<set>_val`` means: for choosing settings without a look at the set's own query and
    gallery, which are not part of it. Of the identities held out, one image of each camera, drawn
    at random, is a query; the gallery holds all their images. The protocol leaves each query's own
    image out, for being of its camera. Where no identity is seen by two cameras, protocol
    single-camera, which leaves out only the query's own file, takes the place of the set's.

    The identities are drawn from ``seed`` alone, so that every run, of whatever seed, is tested on
    the same ones, and a style-transferred copy of the set leaves out the same. Part labels are
    those of the whole training split.

    Args:
        set: DATASETS config of the set; it must have a training split.
        share: of the training identities that are held out, in (0, 1).
        seed: of the drawing.
        data_root: the folder in which all data sets lie. Supplied by the framework.
        settings: of the run, for readers that declare them. Supplied by the framework.

    Raises:
        ValueError: ``share`` outside (0, 1).
        UserError: on reading, what the set's reader raises; no training split; too few
            identities to hold any out.

    Example:
        >>> import reidkit.data
        >>> HeldOutIdentities(dict(type="Market1501"), data_root="data").name
        'market1501-val'
    """

    def __init__(
        self,
        set: Mapping[str, Any],
        share: float = 1 / 3,
        seed: int = 0,
        data_root: str = "data",
        settings: Mapping | None = None,
    ):
        if not 0 < share < 1:
            raise ValueError(f"share must be between 0 and 1, got {share}")
        supply = dict(data_root=data_root, settings=settings)
        self.reader: Any = DATASETS.build(dict(set), supply)
        self.share, self.seed = share, seed
        self.name = f"{self.reader.name}-val"
        self.unit = getattr(self.reader, "unit", "images")
        self._splits: dict[str, Split] | None = None

    @property
    def protocol(self) -> str:
        """The set's own, or single-camera where no identity is seen by two."""
        held = self.splits()["gallery"]
        pairs = np.unique(np.stack([held.identities, held.cameras]), axis=1)
        two = pairs.shape[1] > held.num_identities
        return str(self.reader.protocol) if two else "single-camera"

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels that the set brings."""
        return tuple(getattr(self.reader, "labels", ()))

    def prepare(self) -> None:
        """Prepare the set; see ``Reader.prepare``."""
        self.reader.prepare()

    def splits(self) -> dict[str, Split]:
        """train, query and gallery; "multi_query" is the gallery again, for that protocol."""
        if self._splits is None:
            listed = self.reader.splits()
            if "train" not in listed:
                raise UserError(
                    f"{self.name}: {self.reader.name} has no training split to hold identities "
                    "out of"
                )
            whole = listed["train"]
            held = np.isin(whole.identities, self._drawn(whole.identities))
            rows = dict(
                train=np.flatnonzero(~held),
                query=self._queries(whole, np.flatnonzero(held)),
                gallery=np.flatnonzero(held),
                multi_query=np.flatnonzero(held),
            )
            self._splits = {n: selected(whole, r, self.name, n) for n, r in rows.items()}
        return self._splits

    def expected(self, split: str) -> None:
        """Which rows a split has is known once the set is read."""
        return None

    def trials(self) -> Sequence[Trial]:
        """None: one test."""
        return ()

    def describe(self) -> list[str]:
        """One line for each split; see ``Reader.describe``."""
        return [
            f"{self.name}/{name}: {len(split):,} {self.unit}, {split.num_identities:,} identities, "
            f"{len(np.unique(split.cameras))} cameras"
            for name, split in self.splits().items()
            if name != "multi_query"
        ]

    def _drawn(self, identities: np.ndarray) -> np.ndarray:
        """The identities that are held out."""
        known = np.unique(identities[identities > 0])
        count = round(self.share * len(known))
        if not 2 <= count <= len(known) - 2:
            raise UserError(
                f"{self.name}: {count} of {len(known)} training identities would be held out with "
                f"share={self.share:g}; at least 2 must be, and 2 must be left to learn from"
            )
        return np.random.default_rng(self.seed).permutation(known)[:count]

    def _queries(self, whole: Split, held: np.ndarray) -> np.ndarray:
        """One row of each identity and camera among those held out, ascending."""
        mixed = np.random.default_rng([self.seed, 1]).permutation(held)
        pairs = np.stack([whole.identities[mixed], whole.cameras[mixed]], 1)
        return np.sort(mixed[np.unique(pairs, axis=0, return_index=True)[1]])
