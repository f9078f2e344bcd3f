"""Thresholds of a search in which the person may be absent, at a stated rate of false answers.

People whose identities are known, and whom the model has not learned from, are searched for among
each other. A table of their distances says what a gallery of any size would have answered: the
chance that the j-th nearest of M people is the nearest one in a gallery of N drawn at random is a
matter of counting, so no galleries have to be drawn. FPIR and FNIR are those of ISO/IEC 19795-1.

Shape letters: n probes, P people, M = P - 1 others, V numbers of enrolled images.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reidkit.errors import UserError
from reidkit.evaluation.open_set.counts import (
    CURVES,
    answers,
    distance_at,
    false_answers,
    fitted,
    left_out,
    strangers_of,
)
from reidkit.utils.io import atomic_write, read_regular

FILE = "open_set.npz"
GROUPS = 20  # of people, left out in turn
MOST_BYTES = 1 << 30
MADE_BY = "reidkit gallery calibrate"


@dataclass(frozen=True)
class Threshold:
    """Distance up to which a search answers, and how sure that is.

    Attributes:
        value: an identity is answered at this distance or less.
        low, high: its 95 % interval: how far it would move with other people (jackknife).
        rate: the FPIR it stands for: searches for absent people that answer anyone.
        size: identities of the gallery.
        resolved: the people calibrated on are enough to tell this rate: at least one of them would
            be expected to be answered wrongly.
        beyond: the gallery has more identities than people were calibrated on; it is then taken
            for several galleries that do not depend on each other.
    """

    value: float
    low: float
    high: float
    rate: float
    size: int
    resolved: bool = True
    beyond: bool = False


@dataclass(frozen=True, eq=False)
class OpenSet:
    """Distances of probes to people: that of the nearest of a person's enrolled images.

    Args:
        distances: inf where a person has no image to compare with.
        owner: column of each probe's own person.
        images: of each person that are enrolled, for each table, ascending.
        seen: the model was trained on these people, so that strangers look too certain.
        across: probes are compared with images of other cameras alone.
        model: fingerprint of the model whose distances they are.

    Shape:
        distances (V, n, P) float32; owner (n,) and images (V,) int64.

    Raises:
        ValueError: arrays that do not fit each other, or distances that are not numbers.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> table = rng.uniform(0.5, 1.0, (1, 300, 100)).astype(np.float32)
        >>> known = OpenSet(table, np.arange(300) % 100, np.array([1]))
        >>> known.threshold(0.1, size=10).value < known.threshold(0.1, size=5).value
        True
    """

    distances: NDArray[np.float32]
    owner: NDArray[np.int64]
    images: NDArray[np.int64]
    seen: bool = False
    across: bool = True
    model: str = ""
    _memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        table, owner, images = self.distances, self.owner, self.images
        good = table.ndim == 3 and table.shape[2] >= 2 and table.shape[1] >= 1
        if not good or owner.shape != table.shape[1:2] or images.shape != table.shape[:1]:
            raise ValueError("open set: expected distances (V, n, P), owner (n,) and images (V,)")
        whole = [np.issubdtype(a.dtype, np.integer) for a in (owner, images)]
        if not all(whole) or np.isnan(table).any() or (table == -np.inf).any():
            raise ValueError("open set: distances must be numbers, owner and images whole ones")
        if (
            owner.min() < 0
            or owner.max() >= table.shape[2]
            or (np.diff(images, prepend=0) < 1).any()
        ):
            raise ValueError("open set: an owner that has no column, or images that do not ascend")

    @property
    def people(self) -> int:
        """How many people it knows."""
        return self.distances.shape[2]

    def threshold(self, fpir: float, size: int, images: float = 1.0) -> Threshold:
        """The threshold for a stated rate of false answers.

        Args:
            fpir: share of the searches for absent people that may answer someone, in (0, 1).
            size: identities of the gallery, >= 1.
            images: of each of them, on average.

        Raises:
            ValueError: a rate or a size outside its bounds.
        """
        if not 0 < fpir < 1 or size < 1:
            raise ValueError(f"fpir must lie in (0, 1) and size be at least 1, got {fpir}, {size}")
        key = ("threshold", fpir, size, self._table(images))
        if key not in self._memo:
            table = self.distances[key[3]]
            value = distance_at(table, self.owner, size, fpir)
            error = _standard_error(table, self.owner, size, fpir)
            resolved = fpir * len(np.unique(self.owner)) >= 1
            beyond = size > self.people - 1
            bounds = value - 1.96 * error, value + 1.96 * error
            self._memo[key] = Threshold(value, *bounds, fpir, size, resolved, beyond)
        return self._memo[key]

    def match_threshold(self, fmr: float) -> Threshold:
        """The threshold at which a share of the pairs of two people's images match (FMR)."""
        return self.threshold(fmr, size=1, images=1)

    def probability(
        self, size: int, images: float = 1.0, mated: float = 0.5, curve: str = "isotonic"
    ) -> Callable[[ArrayLike], NDArray[np.float64]]:
        """That the nearest identity of a search is the right one, as a function of its distance.

        Args:
            size: identities of the gallery.
            images: of each of them, on average.
            mated: share of the searches whose person is enrolled, in (0, 1).
            curve: "isotonic", or "logistic".

        Raises:
            ValueError: another curve; a size or share outside its bounds.
        """
        if curve not in CURVES or not 0 < mated < 1 or size < 1:
            raise ValueError(f"curve must be one of {CURVES}, mated in (0, 1), size at least 1")
        key = ("probability", size, self._table(images), mated, curve)
        if key not in self._memo:
            table = self.distances[key[2]]
            distances, right, weights = answers(table, self.owner, size, mated)
            self._memo[key] = fitted(curve, distances, right, weights)
        return self._memo[key]

    def position(self, distances: ArrayLike, size: int, images: float = 1.0) -> NDArray[np.float64]:
        """Where distances to the nearest stranger stand among those known: 0 to 1, nearest first.

        Args:
            distances: (n,).
            size: identities of the gallery.
            images: of each of them, on average.
        """
        values, cumulated = false_answers(self.distances[self._table(images)], self.owner, size)
        place = np.searchsorted(values, np.asarray(distances), "right")
        return np.concatenate([[0.0], cumulated])[place] / max(cumulated[-1], 1e-12)

    def position_error(self, size: int) -> float:
        """Standard error of a mean position (``position``), as far as the people here are few.

        Args:
            size: identities of the gallery.
        """
        table = self.distances[0]
        strangers = strangers_of(table, self.owner)
        size = min(size, strangers.shape[1])
        weights = -np.diff(left_out(strangers.shape[1], size))
        places = (self.position(strangers, size) * weights).sum(1)
        counts = np.bincount(self.owner, minlength=self.people)
        means = np.bincount(self.owner, places, self.people)[counts > 0] / counts[counts > 0]
        return float(means.std() / np.sqrt(len(means)))

    def _table(self, images: float) -> int:
        """Number of the table whose number of enrolled images is nearest, by ratio."""
        return int(np.abs(np.log(self.images) - np.log(max(images, 1.0))).argmin())

    def save(self, file: str | Path) -> None:
        """Write it; the file holds distances and numbers, nothing of a person."""
        with atomic_write(file) as out:
            out.write(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The content of a file."""
        buffer = io.BytesIO()
        flags = np.array([self.seen, self.across])
        tables: dict[str, Any] = dict(
            distances=self.distances, owner=self.owner, images=self.images
        )
        model = np.frombuffer(self.model.encode(), np.uint8)
        np.savez_compressed(buffer, allow_pickle=False, **tables, flags=flags, model=model)
        return buffer.getvalue()

    @staticmethod
    def read(file: str | Path) -> OpenSet:
        """What was saved; nothing in it is executed.

        Raises:
            UserError: another file, or a damaged one.
        """
        try:
            content = read_regular(file, MOST_BYTES)
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                flags = arrays["flags"]
                seen, across = bool(flags[0]), bool(flags[1])
                table = arrays["distances"].astype(np.float32)
                model = arrays["model"].tobytes().decode()
                return OpenSet(table, arrays["owner"], arrays["images"], seen, across, model)
        except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError) as error:
            reason = error
        except (zipfile.BadZipFile, NotImplementedError, MemoryError) as error:
            reason = error  # type: ignore[assignment]
        raise UserError(
            f"{file}: not the distances of a calibration ({reason}); {MADE_BY} writes it anew"
        )


def _standard_error(table: NDArray, owner: NDArray, size: int, rate: float) -> float:
    """Of the threshold: groups of people are left out in turn, as probes and as strangers."""
    groups = min(GROUPS, table.shape[1] // 2)
    group = np.random.default_rng(0).permutation(table.shape[1]) % max(1, groups)
    values = []
    for one in range(groups):
        left = group != one
        rows, place = left[owner], np.cumsum(left) - 1
        if rows.any() and left.sum() > 1:
            part = table[rows][:, left]
            values.append(distance_at(part, place[owner[rows]], size, rate))
    if len(values) < 2:
        return float("inf")
    return float(np.sqrt((len(values) - 1) * np.var(values)))
