"""Is a claim seen? Paired differences of two rows over queries and seeds, and a verdict by rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEEDS = 3  # fewer give no verdict
DRAWS = 5000
RULE = (
    "Verdicts: the difference of two rows is taken query by query on equal seeds, and queries and "
    f"seeds are drawn anew together, with replacement, {DRAWS:,} times. It **shows** when the 95 % "
    "interval of the mean difference lies above zero, it is **reversed** when it lies below, and "
    f"**open** otherwise; with fewer than {SEEDS} seeds there is no verdict. A control **holds** "
    "when the interval does not lie above zero."
)
NOT_MEASURED = "not measured on present code"

# which queries they are, and the score of each in percent, nan where a query has no positive
Scores = tuple[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Finding:
    """What was found of one claim.

    Attributes:
        claim: in words.
        key: test set and metric, "source mAP".
        differences: mean difference of each seed, in percent points, or as logged.
        low, high: 95 % interval of the mean over seeds, None without a verdict.
        verdict: shows, reversed, open, holds, fails, or why there is none.
        published: the paper's gain, in words; "" where the paper has no such row.
        commits: of the runs compared.
    """

    claim: str
    key: str
    differences: list[float]
    low: float | None
    high: float | None
    verdict: str
    published: str = ""
    commits: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """For a results file."""
        return asdict(self)

    def gain(self) -> str:
        """The mean difference with its interval, or nothing."""
        if not self.differences:
            return ""
        digits = 2 if self.key.startswith("log ") else 1
        mean = f"{np.mean(self.differences):+.{digits}f}"
        if self.low is None or self.high is None:
            return mean
        return f"{mean} [{self.low:+.{digits}f}, {self.high:+.{digits}f}]"


def paired_interval(
    gaps: NDArray[np.float64], draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a mean difference, queries and seeds drawn anew together.

    Args:
        gaps: (S, Q) difference of each seed and query; Q = 1 for values that are one per run.
        draws: number of resampled means.
        seed: of the drawing.

    Raises:
        ValueError: no gap.

    Example:
        >>> gaps = np.random.default_rng(0).normal(0.1, 0.5, (3, 200))
        >>> low, high = paired_interval(gaps)
        >>> 0 < low < 0.1 < high < 0.2
        True
    """
    if not gaps.size:
        raise ValueError("paired_interval needs a seed and a query at least")
    rng = np.random.default_rng([seed, 2])
    seeds, queries = gaps.shape
    means = np.empty(draws)
    for number in range(draws):
        weights = np.bincount(rng.integers(0, seeds, seeds), minlength=seeds) / seeds
        drawn = rng.integers(0, queries, queries) if queries > 1 else np.zeros(1, int)
        means[number] = (weights @ gaps)[drawn].mean()
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def verdict(low: float, high: float, expect: str = "gain") -> str:
    """The verdict on an interval.

    Args:
        low, high: of the difference.
        expect: "gain", or "no gain" for a control.

    Example:
        >>> verdict(0.1, 0.4), verdict(-0.2, 0.4), verdict(-0.2, 0.4, "no gain")
        ('shows', 'open', 'holds')
    """
    if expect == "no gain":
        return "fails" if low > 0 else "holds"
    return "shows" if low > 0 else "reversed" if high < 0 else "open"


def judge(direction: Mapping[str, Any], scores: Mapping[str, Sequence[Scores | None]]) -> Finding:
    """The finding on one direction of a plan.

    Args:
        direction: of the plan: ``better``, ``worse`` and what else a plan may say of it.
        scores: row -> one entry per seed, None where the seed was not run; rows of which nothing
            was run are missing. Seeds are left out whose queries differ from the others'.
    """
    key = f"{direction.get('test', 'target')} {direction.get('metric', 'mAP')}"
    claim = direction.get("claim") or f"{direction['better']} > {direction['worse']} ({key})"
    published = str(direction.get("published", ""))
    rows = claim_rows(direction)
    if any(row not in scores for row in rows):
        return Finding(claim, key, [], None, None, "not run", published)
    by_seed = zip(*(scores[row] for row in rows), strict=True)
    gaps = _gaps(by_seed, len(direction["better"].split(" - ")))
    if not len(gaps):
        return Finding(claim, key, [], None, None, "not measured", published)
    means = [float(np.nanmean(gap)) for gap in gaps]
    if len(gaps) < SEEDS:
        return Finding(claim, key, means, None, None, "too few seeds to say", published)
    low, high = paired_interval(gaps[:, np.isfinite(gaps).all(0)])
    said = verdict(low, high, direction.get("expect", "gain"))
    return Finding(claim, key, means, low, high, said, published)


def claim_rows(direction: Mapping[str, Any]) -> list[str]:
    """The rows that a direction compares, first those of its better side.

    Example:
        >>> claim_rows(dict(better="First - First, cut", worse="Second"))
        ['First', 'First, cut', 'Second']
    """
    return [row for side in ("better", "worse") for row in direction[side].split(" - ")]


def _gaps(seeds: Iterable[tuple[Scores | None, ...]], first: int) -> NDArray[np.float64]:
    """(S, Q) difference of two sides, the first so many rows and the others, of the seeds run."""
    gaps, queries = [], None
    for entries in seeds:
        run = [entry for entry in entries if entry is not None]
        names = {name for name, _ in run}
        if len(run) < len(entries) or len(names | (queries or names)) > 1:
            continue
        queries = names
        values = [score for _, score in run]
        better, worse = (
            side[0] - sum(side[1:], np.zeros(1)) for side in (values[:first], values[first:])
        )
        gaps.append(better - worse)
    return np.array(gaps)
