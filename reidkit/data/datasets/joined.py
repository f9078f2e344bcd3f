"""Several data sets as one: identities and cameras are shifted apart, label stores stay per set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.split import Split, Trial
from reidkit.data.tracklets import TrackletSplit
from reidkit.errors import UserError
from reidkit.registry import DATASETS


@dataclass(frozen=True, eq=False)
class JoinedSplit(Split):
    """The crops of several splits, one after the other.

    Args:
        parts: the splits as they are in their own sets, with their own label stores; the other
            arguments: see ``Split``.
    """

    parts: tuple[Split, ...] = ()

    def select(self, index: Sequence[int] | np.ndarray) -> Split:
        """The split with only these rows; without the parts, whose label stores have other rows."""
        return replace(super().select(index), parts=())  # type: ignore[call-arg]


@dataclass(frozen=True, eq=False)
class JoinedTracklets(TrackletSplit):
    """The tracklets of several splits, one after the other; see ``JoinedSplit``."""

    parts: tuple[TrackletSplit, ...] = ()

    def select(self, index: Sequence[int] | np.ndarray) -> TrackletSplit:
        """The split with only these tracklets; without the parts, as for ``JoinedSplit``."""
        return replace(super().select(index), parts=())  # type: ignore[call-arg]

    def crops(self) -> Split:
        """All frames as single crops, in the order of the parts."""
        crops, parts = super().crops(), tuple(one.crops() for one in self.parts)
        own = {name: getattr(crops, name) for name in Split.__dataclass_fields__}
        return JoinedSplit(**own, parts=parts)


@dataclass(frozen=True, eq=False)
class LabelArrays:
    """The labels of a split that has no store of its own: from those of its parts, or its whole.

    Attributes:
        keypoints: (M, 17, 3) float32.
        image_sizes: (M, 2) int64.
        part_maps: (M, h, w) uint8, or None where a store has none.
    """

    keypoints: np.ndarray
    image_sizes: np.ndarray
    part_maps: np.ndarray | None

    @classmethod
    def joined(cls, stores: Sequence[Any]) -> LabelArrays:
        """From the stores of the parts, in their order."""
        maps = [store.part_maps for store in stores]
        return cls(
            np.concatenate([store.keypoints for store in stores]),
            np.concatenate([store.image_sizes for store in stores]),
            None if any(one is None for one in maps) else np.concatenate(maps),
        )

    @classmethod
    def selected(cls, store: Any, rows: np.ndarray) -> LabelArrays:
        """Some rows of the store of the whole."""
        maps = store.part_maps
        return cls(
            store.keypoints[rows], store.image_sizes[rows], None if maps is None else maps[rows]
        )


@DATASETS.register_module()
class JoinedSets:
    """Several data sets as one, to train on all of them: what ``data.source=[a,b]`` means.

    Splits that all sets have are joined, set after set. Identities and cameras of the second set
    follow those of the first, and so on, over all splits of a set; junk (-1) stays junk. A
    distractor (0) of a later set becomes an identity that no query has, which ranks the same.

    Args:
        sets: DATASETS configs, two or more; all of images or all of tracklets.
        data_root: the folder in which all data sets lie. Supplied by the framework.
        settings: of the run, for readers that declare them. Supplied by the framework.

    Raises:
        ValueError: fewer than two sets.
        UserError: on reading, what the sets' readers raise; sets of images and of tracklets. On
            testing, sets that are tested in different ways.

    Example:
        >>> import reidkit.data
        >>> sets = [dict(type="Market1501"), dict(type="MSMT17")]
        >>> JoinedSets(sets, data_root="data").name
        'market1501+msmt17'
    """

    def __init__(
        self,
        sets: Sequence[Mapping[str, Any]],
        data_root: str,
        settings: Mapping | None = None,
    ):
        if len(sets) < 2:
            raise ValueError(f"JoinedSets joins two sets or more, got {len(sets)}")
        self.readers = [
            DATASETS.build(dict(one), dict(data_root=data_root, settings=settings)) for one in sets
        ]
        self.name = "+".join(reader.name for reader in self.readers)
        self._splits: dict[str, Split] | None = None

    @property
    def protocol(self) -> str:
        """How the sets are tested, where all of them are tested in one way."""
        protocols = {reader.name: reader.protocol for reader in self.readers}
        if len(set(protocols.values())) > 1:
            listing = ", ".join(f"{name}: {protocol}" for name, protocol in protocols.items())
            raise UserError(
                f"{self.name}: tested in different ways ({listing}); test on one of them"
            )
        return str(next(iter(protocols.values())))

    @property
    def pictures(self) -> str:
        """What the first set's pictures are; see ``Split.pictures``."""
        return str(getattr(self.readers[0], "pictures", "photographs"))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels that all sets bring."""
        first, *others = [getattr(reader, "labels", ()) for reader in self.readers]
        return tuple(name for name in first if all(name in names for names in others))

    def prepare(self) -> None:
        """Prepare every set; see ``Reader.prepare``."""
        for reader in self.readers:
            reader.prepare()

    def splits(self) -> dict[str, Split]:
        """The joined splits by name; listed once, then remembered."""
        if self._splits is None:
            listed = [reader.splits() for reader in self.readers]
            moves = _moves(listed)
            self._splits = {
                name: _joined(self.name, name, [splits[name] for splits in listed], moves)
                for name in listed[0]
                if all(name in splits for splits in listed)
            }
        return self._splits

    def expected(self, split: str) -> tuple[int, int] | None:
        """Rows and identities that a split must have; None where a set does not tell."""
        counts: list[Any] = [getattr(r, "expected", lambda _: None)(split) for r in self.readers]
        if None in counts:
            return None
        return sum(c[0] for c in counts), sum(c[1] for c in counts)

    def trials(self) -> Sequence[Trial]:
        """None: sets whose test is repeated are tested on their own.

        Raises:
            UserError: a set has repetitions.
        """
        repeated = [reader.name for reader in self.readers if reader.trials()]
        if repeated:
            raise UserError(f"{self.name}: {repeated[0]} has several trials; test on it alone")
        return ()

    def describe(self) -> list[str]:
        """The lines of all sets."""
        return [line for reader in self.readers for line in reader.describe()]


def _moves(listed: Sequence[Mapping[str, Split]]) -> list[tuple[int, int]]:
    """What is added to identities and to cameras of each set."""
    moves, identity, camera = [], 0, 0
    for splits in listed:
        moves.append((identity, camera))
        identity += 1 + max(int(one.identities.max(initial=0)) for one in splits.values())
        camera += 1 + max(int(one.cameras.max(initial=0)) for one in splits.values())
    return moves


def _joined(
    dataset: str, name: str, parts: Sequence[Split], moves: Sequence[tuple[int, int]]
) -> Split:
    videos = [isinstance(one, TrackletSplit) for one in parts]
    if any(videos) != all(videos):
        raise UserError(f"{dataset}: sets of images and of tracklets cannot be joined")
    roots = [Path(os.path.realpath(one.root)) for one in parts]
    root = Path(os.path.commonpath(roots))
    inside = [one.relative_to(root).as_posix() for one in roots]
    own: dict[str, Any] = dict(
        dataset=dataset,
        name=name,
        root=root,
        parts=tuple(parts),
        paths=_paths(inside, [one.paths for one in parts]),
        identities=_shifted([one.identities for one in parts], [move[0] for move in moves]),
        cameras=_shifted([one.cameras for one in parts], [move[1] for move in moves]),
    )
    if any(one.boxes is not None for one in parts):  # a set of whole files beside one of boxes
        own["boxes"] = np.concatenate(
            [np.full((len(one), 4), np.nan) if one.boxes is None else one.boxes for one in parts]
        )
    for field_name in ("times", "keypoints"):
        arrays = [getattr(one, field_name) for one in parts]
        if all(one is not None for one in arrays):
            own[field_name] = np.concatenate(arrays)
    shared = [n for n in parts[0].labels if all(n in one.labels for one in parts)]
    own["labels"] = {name: np.concatenate([one.labels[name] for one in parts]) for name in shared}
    if not all(videos):
        return JoinedSplit(**own)
    tracklets: Sequence[Any] = parts
    ends = np.cumsum(np.concatenate([one.lengths for one in tracklets]))
    frames = _paths(inside, [one.frame_paths for one in tracklets])
    return JoinedTracklets(**own, frame_paths=frames, starts=np.concatenate([[0], ends]))


def _paths(folders: Sequence[str], paths: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Paths of the parts, relative to the folder that holds all of them; addresses as they are."""
    return tuple(
        path if "://" in path or folder == "." else f"{folder}/{path}"
        for folder, own in zip(folders, paths, strict=True)
        for path in own
    )


def _shifted(numbers: Sequence[np.ndarray], moves: Sequence[int]) -> np.ndarray:
    """Numbers of the parts, moved apart; negative ones stay."""
    return np.concatenate(
        [np.where(own < 0, own, own + move) for own, move in zip(numbers, moves, strict=True)]
    )
