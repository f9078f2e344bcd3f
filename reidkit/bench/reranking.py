"""Re-ranking, part distances and verification against straightforward ways of our own writing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reidkit.bench.measure import cpu_seconds, extra_mb
from reidkit.bench.table import Row
from reidkit.evaluation import (
    CosineMatcher,
    KReciprocal,
    PrecomputedMatcher,
    RowIds,
    match_labels,
)
from reidkit.evaluation.matchers.visible_parts import VisiblePartsMatcher
from reidkit.evaluation.metrics.ranked import average_precision
from reidkit.evaluation.metrics.verification import Verification
from reidkit.evaluation.protocols import PROTOCOLS
from reidkit.evaluation.ranking.blocks import blocks
from reidkit.evaluation.ranking.ranks import rank_positives
from reidkit.structures import Embedding, ImageMeta

MARKET = PROTOCOLS["market"]
METAS = ImageMeta(None), ImageMeta(None)


def lower(name: str, against: str, baseline: float, ours: float, unit: str) -> Row:
    """A comparison in which less is better."""
    return Row(name, against, baseline, ours, unit, higher_is_better=False)


def dense_distances(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared Euclidean distances of all pairs over their row's maximum (N, N)."""
    squares = (features * features).sum(1)
    table = features @ features.T
    table *= -2
    table += squares[:, None]
    table += squares[None]
    np.maximum(table, 0, out=table)
    table /= table.max(1, keepdims=True)
    return table


def dense_k_reciprocal(
    table: NDArray[np.float32], n_query: int, k1: int = 20, k2: int = 6, weight: float = 0.3
) -> NDArray[np.float32]:
    """Re-ranked distances (Q, G) with whole N x N arrays, as the published code has them."""
    count, half = len(table), (k1 + 2) // 2
    order = np.argsort(table, axis=1)
    weights = np.zeros_like(table)

    def mutual(i: int, size: int) -> NDArray:
        forward = order[i, :size]
        return forward[(order[forward, :size] == i).any(1)]

    for i in range(count):
        near = mutual(i, k1 + 1)
        expanded = near
        for candidate in near:
            theirs = mutual(candidate, half)
            if len(np.intersect1d(theirs, near)) > 2 / 3 * len(theirs):
                expanded = np.append(expanded, theirs)
        expanded = np.unique(expanded)
        own = np.exp(-table[i, expanded])
        weights[i, expanded] = own / own.sum()
    original = table[:n_query]
    if k2 > 1:
        mean = np.zeros_like(weights)
        for i in range(count):
            mean[i] = weights[order[i, :k2]].mean(0)
        weights = mean
    holders = [np.flatnonzero(weights[:, i]) for i in range(count)]
    out = np.zeros_like(original)
    for i in range(n_query):
        shared = np.zeros(count, np.float32)
        for j in np.flatnonzero(weights[i]):
            shared[holders[j]] += np.minimum(weights[i, j], weights[holders[j], j])
        out[i] = 1 - shared / (2 - shared)
    return (out * (1 - weight) + original * weight)[:, n_query:]


def k_reciprocal_rows(data: Any) -> list[Row]:
    """Ours against `dense_k_reciprocal`: time, time after the neighbours, memory, difference.

    Both ways run equally often, in turn; memory is looked at in runs of its own.
    """
    features, n_query = np.concatenate([data.query, data.gallery]), len(data.q)
    both = Embedding(torch.from_numpy(features)[:, None])
    step, row_ids = KReciprocal(), (RowIds.arange(n_query), RowIds.arange(len(data.g)))

    def distances(matcher: torch.nn.Module) -> Iterator[NDArray[np.float32]]:
        return (values.numpy() for _, values in blocks(*row_ids, matcher, 64))

    def use(matcher: torch.nn.Module) -> None:  # as ranking does
        for _ in distances(matcher):
            pass

    def ours() -> None:
        use(step.rerank(both[:n_query], both[n_query:], CosineMatcher(), *METAS)[2])

    with torch.inference_mode():
        halves = step.search(both, CosineMatcher(), n_query)
        rest = torch.inference_mode()(lambda: use(step.matcher(*halves, n_query)))
        matcher = step.matcher(*halves, n_query)
        table = np.concatenate([values.copy() for values in distances(matcher)])
    memory = {"ours": extra_mb(ours), "dense": extra_mb(lambda: Dense().run(features, n_query))}
    dense = Dense()
    seconds, results = cpu_seconds(
        {"ours": ours, "rest": rest, "dense": lambda: dense.run(features, n_query)}, times=2
    )
    gap = float(np.abs(table - results["dense"]).max())
    scores = [mean_precision(x, data) for x in (results["dense"], table)]
    print(
        f"k-reciprocal: largest difference {gap:.1e}, mAP dense {scores[0]:.7f}, "
        f"ours {scores[1]:.7f}"
    )
    size, against = f"k-reciprocal, N = {len(features):,}", "dense N x N arrays"
    given = "dense, distances given"
    return [
        lower(size, against, seconds["dense"], seconds["ours"], "s"),
        lower(f"{size}, without neighbours", given, dense.rest, seconds["rest"], "s"),
        lower(f"{size}, memory", against, memory["dense"], memory["ours"], "MB"),
    ]


class Dense:
    """The dense way; ``rest`` is the least time of what comes after its distances."""

    def __init__(self) -> None:
        self.rest = float("inf")

    def run(self, features: NDArray[np.float32], n_query: int) -> NDArray[np.float32]:
        """Re-ranked distances (Q, G)."""
        table = dense_distances(features)
        start = time.process_time()
        distances = dense_k_reciprocal(table, n_query)
        self.rest = min(self.rest, time.process_time() - start)
        return distances


def mean_precision(table: NDArray[np.float32], data: Any) -> float:
    """mAP of given distances under the market rule."""
    truth = match_labels(MARKET, data.q, data.g)
    row_ids = RowIds.arange(len(data.q)), RowIds.arange(len(data.g))
    ranks = rank_positives(*row_ids, truth, PrecomputedMatcher(table))
    return float(average_precision(ranks.ranks, ranks.starts).mean())


def part_rows(n_query: int, n_gallery: int, parts: int = 6, dims: int = 512) -> list[Row]:
    """The part-visibility distance of all pairs against its bare products."""
    rng = np.random.default_rng(0)
    embeddings, raw = [], []
    for count in (n_query, n_gallery):
        vectors = rng.standard_normal((count, parts, dims), np.float32)
        seen = rng.random((count, parts), np.float32)
        raw.append(np.ascontiguousarray(vectors.transpose(1, 0, 2)))
        embeddings.append(Embedding(torch.from_numpy(vectors), torch.from_numpy(seen)))

    def products() -> None:  # in blocks of 64 MB, so that no table of all pairs is touched
        size = max(1, (64 << 20) // (4 * n_gallery))
        out = np.empty((size, n_gallery), np.float32)
        for start in range(0, n_query, size):
            for left, right in zip(*raw, strict=True):
                some = left[start : start + size]
                np.matmul(some, right.T, out=out[: len(some)])

    def ours() -> None:
        for _ in blocks(embeddings[0], embeddings[1], VisiblePartsMatcher(), 64):
            pass

    extra = extra_mb(ours)
    seconds, _ = cpu_seconds({"products": products, "ours": ours}, times=2)
    name = f"part-visibility distance, {parts} x {dims}"
    whole = parts * n_query * n_gallery * 4 / (1 << 20)
    return [
        lower(name, f"{parts} bare products", seconds["products"], seconds["ours"], "s"),
        lower(f"{name}, memory", "distances of every part", whole, extra, "MB"),
    ]


def verification_rows(data: Any) -> list[Row]:
    """TAR@FAR in the ranking's pass against scikit-learn's roc_curve over all pairs."""
    from sklearn.metrics import roc_curve

    truth = match_labels(MARKET, data.q, data.g)
    table = 1 - data.query @ data.gallery.T
    row_ids = RowIds.arange(len(data.q)), RowIds.arange(len(data.g))
    rates = (1e-4, 1e-3, 1e-2)
    keep = int(max(rates) * truth.n_impostors(truth.people)) + 2

    def ours(verify: bool) -> list[float | None]:
        seen = Verification(0.0, 2.0, keep) if verify else None
        rank_positives(*row_ids, truth, PrecomputedMatcher(table), 64, truth.people, seen)
        return [] if seen is None else [seen.tar_at_far(rate)["tar"] for rate in rates]

    def curve() -> list[float]:
        same = data.g.identities[None] == data.q.identities[:, None]
        out = same & (data.g.cameras[None] == data.q.cameras[:, None])
        out |= (data.g.identities == -1)[None]
        fpr, tpr, _ = roc_curve(same[~out], -table[~out])
        return [float(tpr[fpr <= rate].max()) for rate in rates]

    works = {"ours": lambda: ours(True), "ranking": lambda: ours(False), "curve": curve}
    seconds, results = cpu_seconds(works, times=1)
    if not np.allclose(results["ours"], results["curve"], atol=1e-6):
        raise RuntimeError(f"TAR@FAR disagrees: {results['ours']} and {results['curve']}")
    more = max(seconds["ours"] - seconds["ranking"], 1e-9)
    name = f"TAR@FAR and EER, {truth.n_impostors(truth.people) / 1e6:.1f} M pairs"
    return [lower(name, "sklearn roc_curve", seconds["curve"], more, "s")]
