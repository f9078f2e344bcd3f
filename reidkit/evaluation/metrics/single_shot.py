"""CUHK03's classic test: the gallery shows one image of each person, none of the query's camera.

Which image that is, is chance. So a score is an expectation over the choice, and it has a closed
form: with the shown image o of the query's own person fixed, another person j is ahead of it with
probability f_j(o), the share of j's images that are closer than o; these events are independent,
so the number of people ahead is Poisson-binomial, and

    P(rank <= k) = mean over o of P(at most k - 1 of the Bernoulli(f_j(o)) are 1).

``sampled`` draws the choice instead, as the original code did (100 times; later ones 10 times).

Shape letters: V valid queries, K ranks, n images of the query's person, J other people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reidkit.data.identities import DISTRACTOR, JUNK
from reidkit.evaluation.labelled import Labels
from reidkit.evaluation.protocols import GroundTruth
from reidkit.evaluation.ranking.blocks import blocks
from reidkit.structures import Embedding


def rank_distribution(ahead: NDArray[np.float64], depth: int) -> NDArray[np.float64]:
    """P(rank <= k) for k = 1..depth when each of J people is ahead with its own probability.

    Args:
        ahead: (n, J) probabilities.
        depth: K.

    Shape:
        returns (n, K) float64.

    Example:
        >>> rank_distribution(np.array([[0.5, 0.5]]), 3)
        array([[0.25, 0.75, 1.  ]])
    """
    chance = np.zeros((len(ahead), depth))
    chance[:, 0] = 1.0
    for f in ahead.T[(ahead > 0).any(0)]:
        moved = chance[:, :-1] * f[:, None]
        chance *= 1 - f[:, None]
        chance[:, 1:] += moved
    return np.minimum(chance.cumsum(1), 1.0)


def sampled_ranks(
    ahead: NDArray[np.float64], depth: int, repeats: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """As the mean over o of `rank_distribution`, from ``repeats`` drawn galleries (K,)."""
    own = rng.integers(len(ahead), size=repeats)
    ranks = (rng.random((repeats, ahead.shape[1])) < ahead[own]).sum(1)
    return np.bincount(np.minimum(ranks, depth), minlength=depth + 1)[:depth].cumsum() / repeats


@dataclass(frozen=True)
class _Others:
    """The images that a query of one camera may meet, person by person.

    Attributes:
        columns: gallery indices, those of one person next to each other.
        starts: where each person begins in ``columns``; every distractor is a person.
        people: identity of each, 0 for distractors.
        counts: images of each.
    """

    columns: NDArray[np.int64]
    starts: NDArray[np.int64]
    people: NDArray[np.int64]
    counts: NDArray[np.int64]


def _others(gallery: Labels, camera: int) -> _Others:
    columns = np.flatnonzero((gallery.cameras != camera) & (gallery.identities != JUNK))
    identities = gallery.identities[columns]
    columns = columns[np.argsort(identities, kind="stable")]
    identities = gallery.identities[columns]
    new = np.ones(len(columns), bool)
    new[1:] = (identities[1:] != identities[:-1]) | (identities[1:] == DISTRACTOR)
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, len(columns)))
    return _Others(columns, starts, identities[starts], counts)


@torch.inference_mode()
def single_shot_cmc(
    query: Embedding,
    gallery: Embedding,
    truth: GroundTruth,
    query_labels: Labels,
    gallery_labels: Labels,
    matcher: nn.Module,
    depth: int,
    block_mb: float = 64,
    repeats: int | None = None,
    seed: int = 0,
    queries: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Chance of the positive within the first k, for each valid query.

    Args:
        query: Q raw embeddings.
        gallery: G raw embeddings.
        truth: from `match_labels`.
        query_labels: of the queries.
        gallery_labels: of the gallery.
        matcher: smaller is closer.
        depth: largest k.
        block_mb: memory of a block of distances, megabytes.
        repeats: galleries drawn for each query; None for the exact expectation.
        seed: of the drawing, which also depends on the query's index but on nothing else.
        queries: indices of the queries to score; default: all valid ones.

    Shape:
        returns (3, V, depth) float64: ties in gallery order, positives behind ties, before ties.
    """
    valid = truth.valid if queries is None else queries
    out = np.zeros((3, len(valid), depth))
    others = {
        c: _others(gallery_labels, c) for c in np.unique(query_labels.cameras[valid]).tolist()
    }
    chosen = query[torch.from_numpy(valid)]
    for rows, values in blocks(chosen, gallery, matcher, block_mb):
        for i, row in zip(range(rows.start, rows.stop), values.cpu().numpy(), strict=True):
            index = int(valid[i])
            own, positive = truth.of(index)
            met = others[int(query_labels.cameras[index])]
            ways = _ahead(row, own[positive], met, int(query_labels.identities[index]))
            for kind, ahead in enumerate(ways):
                if repeats is None:
                    out[kind, i] = rank_distribution(ahead, depth).mean(0)
                else:
                    rng = np.random.default_rng([seed, index])
                    out[kind, i] = sampled_ranks(ahead, depth, repeats, rng)
    return out


def _ahead(row: NDArray, own: NDArray, met: _Others, identity: int) -> list[NDArray]:
    """f_j(o) as (n, J): ties by gallery order, ties ahead, ties behind."""
    if not len(met.columns):
        return [np.zeros((len(own), 1))] * 3

    def share(closer: NDArray) -> NDArray:
        shares = np.add.reduceat(closer, met.starts, axis=1, dtype=np.int64) / met.counts
        shares[:, met.people == identity] = 0.0
        return shares

    distances, limit = row[met.columns][None], row[own][:, None]
    behind = distances < limit
    tied = distances == limit
    lowest = share(behind)
    if not tied.any():
        return [lowest] * 3
    first = behind | (tied & (met.columns[None] < own[:, None]))
    return [share(first), share(behind | tied), lowest]
