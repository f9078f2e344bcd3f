"""Means, bounds over ties and per-query values, from ranks or from chances of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidkit.evaluation.metrics import ranked as metrics
from reidkit.evaluation.protocols import GroundTruth, Protocol
from reidkit.evaluation.ranking.ranks import Ranks
from reidkit.evaluation.result import RankingResult

Columns = dict[str, NDArray[np.float64]]


def score(
    ranks: Ranks,
    truth: GroundTruth,
    protocol: Protocol,
    matcher: str,
    topk: Sequence[int] = (1, 5, 10),
    invalid: str = "drop",
) -> RankingResult:
    """Scores of rankings that hold every image of the gallery.

    Args:
        ranks: of the positives of the valid queries.
        truth: of all queries.
        protocol: named in the result.
        matcher: its name, for the report.
        topk: depths k of the CMC figures "R<k>".
        invalid: queries without a positive are left out of the means ("drop"), or count as 0
            ("zero").
    """

    def columns(of: NDArray) -> Columns:
        return {
            "mAP": metrics.average_precision(of, ranks.starts),
            "mAP_official": metrics.average_precision_official(of, ranks.starts),
            "mINP": metrics.inverse_negative_penalty(of, ranks.starts),
            **{f"R{k}": metrics.cmc(of, ranks.starts, k) for k in topk},
        }

    ways = [columns(of) for of in (ranks.ranks, ranks.highest, ranks.lowest)]
    per_query = {
        "AP": ways[0]["mAP"],
        "AP_official": ways[0]["mAP_official"],
        "INP": ways[0]["mINP"],
        "first_rank": metrics.first_ranks(ranks.ranks, ranks.starts),
    }
    return _result(ways, per_query, truth, protocol, matcher, invalid)


def score_single_shot(
    chances: NDArray[np.float64],
    truth: GroundTruth,
    protocol: Protocol,
    matcher: str,
    topk: Sequence[int] = (1, 5, 10),
    invalid: str = "drop",
    how: str = "exact",
) -> RankingResult:
    """Scores of rankings that hold one image of each person.

    Args:
        chances: (3, V, depth) of `single_shot_cmc`; depth is at least the largest of ``topk``, or
            the size of the gallery, by which every positive is found.
        how: stands behind the protocol's label: "exact", or how galleries were drawn.
        truth, protocol, matcher, topk, invalid: as for `score`.
    """
    depth = chances.shape[2]
    ways = [{f"R{k}": chances[way][:, min(k, depth) - 1] for k in topk} for way in range(3)]
    return _result(ways, dict(ways[0]), truth, protocol, matcher, invalid, f" ({how})")


def _result(
    ways: Sequence[Columns],
    per_query: dict[str, Any],
    truth: GroundTruth,
    protocol: Protocol,
    matcher: str,
    invalid: str,
    suffix: str = "",
) -> RankingResult:
    """A result from per-query values: ties in gallery order, worst case, best case."""
    n_query, valid = len(truth.n_positives), truth.valid
    divisor = n_query if invalid == "zero" else len(valid)
    values, low, high = (
        {name: float(column.sum() / divisor) for name, column in way.items()} for way in ways
    )
    return RankingResult(
        metrics=values,
        bounds={name: (low[name], high[name]) for name in values},
        n_query=n_query,
        n_valid=len(valid),
        n_gallery=truth.n_gallery - len(truth.junk),
        n_junk=len(truth.junk),
        invalid=truth.invalid,
        policy=invalid,
        protocol=protocol.label + suffix,
        matcher=matcher,
        per_query={
            **{name: _spread(column, valid, n_query) for name, column in per_query.items()},
            "n_positives": truth.n_positives,
        },
    )


def _spread(values: NDArray, valid: NDArray, n_query: int) -> NDArray[np.float64]:
    out = np.full(n_query, np.nan)
    out[valid] = values
    return out


def mean_over_trials(results: Sequence[RankingResult]) -> RankingResult:
    """One result from those of several trials: mean, standard deviation, all queries listed.

    Args:
        results: one per trial, of the same metrics.
    """
    first, count = results[0], len(results)

    def over(name: str, pick) -> NDArray[np.float64]:
        return np.array([pick(result)[name] for result in results])

    values = {name: over(name, lambda r: r.metrics) for name in first.metrics}
    bounds = {name: over(name, lambda r: r.bounds).mean(0) for name in first.metrics}
    per_query = {
        name: np.concatenate([r.per_query[name] for r in results]) for name in first.per_query
    }
    sizes = [len(r.per_query["n_positives"]) for r in results]
    return RankingResult(
        metrics={name: float(v.mean()) for name, v in values.items()},
        bounds={name: (float(low), float(high)) for name, (low, high) in bounds.items()},
        n_query=sum(r.n_query for r in results),
        n_valid=sum(r.n_valid for r in results),
        n_gallery=round(sum(r.n_gallery for r in results) / count),
        n_junk=round(sum(r.n_junk for r in results) / count),
        invalid=[
            (index, f"{reason} (trial {number})")
            for number, r in enumerate(results)
            for index, reason in r.invalid
        ],
        policy=first.policy,
        protocol=first.protocol,
        matcher=first.matcher,
        per_query={"trial": np.repeat(np.arange(count), sizes), **per_query},
        n_trials=count,
        hints=tuple(dict.fromkeys(hint for r in results for hint in r.hints)),
        verification=_mean([r.verification for r in results]),
        spread={name: float(v.std(ddof=1)) if count > 1 else 0.0 for name, v in values.items()},
    )


def _mean(values: Sequence[Any]) -> Any:
    """The mean of equally built dicts and lists of numbers, number by number, without None."""
    if isinstance(values[0], dict):
        return {key: _mean([value[key] for value in values]) for key in values[0]}
    if isinstance(values[0], list):
        return [_mean(list(column)) for column in zip(*values, strict=True)]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
