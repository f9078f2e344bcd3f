"""What a distance says: the probability that two images show the same person.

Distances of different methods have no common unit. A logistic curve, fitted on pairs of images of
people whose identities are known, turns those of one model into probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from reidkit.structures import Embedding

PAIRS = 5000  # of each kind; more do not move the curve


@dataclass(frozen=True)
class Calibration:
    """A fitted curve: ``probability(d) = sigmoid(intercept - slope * d)``.

    Attributes:
        slope: by which a distance of 1 lowers the log-odds, >= 0.
        intercept: log-odds at distance 0.
        images_per_camera: of one person in one camera, on average, in the data it is fitted on.
        positives: pairs of one person that it is fitted on.
        negatives: pairs of two people.

    Raises:
        ValueError: a number that is not finite, or a slope below 0.

    Example:
        >>> Calibration(slope=10.0, intercept=5.0).probability([0.1, 0.5, 0.9]).round(3).tolist()
        [0.982, 0.5, 0.018]
    """

    slope: float
    intercept: float
    images_per_camera: float = 1.0
    positives: int = 0
    negatives: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not math.isfinite(value):
                raise ValueError(f"calibration: {name} must be a finite number, got {value!r}")
        if self.slope < 0:
            raise ValueError(f"calibration: slope must be at least 0, got {self.slope}")

    @staticmethod
    def of(content: Mapping[str, Any]) -> Calibration:
        """A calibration as it was stored.

        Raises:
            ValueError: keys that a calibration does not have, or lacks; see the class.
        """
        known = {field.name for field in fields(Calibration)}
        if set(content) != known:
            listed = ", ".join(sorted(known))
            raise ValueError(f"calibration: expected {listed}, got {', '.join(map(str, content))}")
        return Calibration(**content)

    def probability(self, distances: ArrayLike) -> NDArray[np.float64]:
        """That two images at these distances show the same person; same shape."""
        odds = self.intercept - self.slope * np.asarray(distances, np.float64)
        return 1 / (1 + np.exp(-np.clip(odds, -700, 700)))


def fit_calibration(
    distances: ArrayLike, same: ArrayLike, weights: ArrayLike | None = None
) -> tuple[float, float]:
    """Slope and intercept of the logistic curve through pairs, by scikit-learn's regression.

    Args:
        distances: of n pairs.
        same: whether a pair shows one person.
        weights: how many pairs each stands for; None: one.

    Shape:
        distances (n,) float, same (n,) bool, weights (n,) float.

    Raises:
        ValueError: pairs of one kind only, or distances that are not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> d = rng.uniform(0, 1, 20000)
        >>> same = rng.random(20000) < 1 / (1 + np.exp(12 * d - 4))
        >>> slope, intercept = fit_calibration(d, same)
        >>> bool(abs(slope - 12) < 0.6 and abs(intercept - 4) < 0.3)
        True
    """
    from sklearn.linear_model import LogisticRegression  # heavy; a check does not need it

    d, kind = np.asarray(distances, np.float64), np.asarray(same, bool)
    if not np.isfinite(d).all():
        raise ValueError("calibration: distances must be finite")
    if kind.all() or not kind.any():
        raise ValueError("calibration: needs pairs of one person and pairs of two people")
    middle, spread = d.mean(), d.std() or 1.0  # the solver wants numbers of about 1
    curve = LogisticRegression(C=1e6, max_iter=1000)
    curve.fit(((d - middle) / spread)[:, None], kind, weights)
    slope = -float(curve.coef_[0, 0]) / spread
    intercept = float(curve.intercept_[0]) + slope * middle
    return max(0.0, slope), intercept


@torch.inference_mode()
def calibrate(
    embedding: Embedding,
    identities: ArrayLike,
    cameras: ArrayLike,
    matcher: nn.Module,
    seed: int = 0,
) -> Calibration | None:
    """The calibration of a matcher on images of known people.

    Pairs are of different cameras, as those that a test asks for; of data from one camera, all.
    At most 5,000 pairs of each kind are drawn, and stand for all of their kind.

    Args:
        embedding: M raw embeddings.
        identities: people from 1; others take no part.
        cameras: of every image.
        matcher: a `Matcher`.
        seed: of the pairs that are drawn.

    Shape:
        identities and cameras (M,) integer.

    Returns:
        None where no two images of a person, or of two people, can be compared.
    """
    people, places = np.asarray(identities), np.asarray(cameras)
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(people > 0)
    apart = len(np.unique(places[rows])) > 1
    first, second = np.triu_indices(len(rows), 1)
    first, second = rows[first], rows[second]
    if apart:
        across = places[first] != places[second]
        first, second = first[across], second[across]
    kinds = people[first] == people[second]
    chosen, weights = [], []
    for kind in (True, False):
        pairs = np.flatnonzero(kinds == kind)
        if not len(pairs):
            return None
        drawn = rng.choice(pairs, min(PAIRS, len(pairs)), replace=False)
        chosen.append(drawn)
        weights.append(np.full(len(drawn), len(pairs) / len(drawn)))
    pairs = np.concatenate(chosen)
    distances = _distances(embedding, matcher, first[pairs], second[pairs])
    slope, intercept = fit_calibration(distances, kinds[pairs], np.concatenate(weights))
    groups = {(person, place) for person, place in zip(people[rows], places[rows], strict=True)}
    return Calibration(slope, intercept, len(rows) / len(groups), len(chosen[0]), len(chosen[1]))


def _distances(
    embedding: Embedding, matcher: Any, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Distances of pairs of rows, some hundreds at a time."""
    out = []
    for part in np.array_split(np.arange(len(first)), max(1, len(first) // 500)):
        sides = [torch.from_numpy(rows[part]) for rows in (first, second)]
        query = matcher.prepare(embedding[sides[0]], "query")
        gallery = matcher.prepare(embedding[sides[1]], "gallery")
        out.append(matcher.pairs(query, gallery).double().cpu())
    return Tensor(torch.cat(out)).numpy()
