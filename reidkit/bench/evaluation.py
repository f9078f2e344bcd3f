"""Ranking speed and memory at the size of Market-1501, against the ways in common use.

Generated clustered features (about 75 % mAP) of 3,368 queries and 15,913 gallery images; seconds
are CPU seconds of this process, so that other work on the machine disturbs them least.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reidkit.bench.table import Row
from reidkit.evaluation import (
    CosineMatcher,
    EuclideanMatcher,
    Labels,
    Matcher,
    RankingResult,
    relate,
    score,
)
from reidkit.evaluation.matchers import vectors_of
from reidkit.evaluation.metrics import average_precision
from reidkit.evaluation.protocols import PROTOCOLS
from reidkit.evaluation.ranking import rank_positives
from reidkit.structures import Embedding

MARKET = PROTOCOLS["market"]


@dataclass
class Features:
    """Generated unit features with their labels.

    Attributes:
        query: (Q, D) float32.
        gallery: (G, D) float32.
        q: labels of the queries.
        g: labels of the gallery.
    """

    query: NDArray[np.float32]
    gallery: NDArray[np.float32]
    q: Labels
    g: Labels


def make_features(
    n_query: int = 3368,
    n_gallery: int = 15913,
    dims: int = 2048,
    people: int = 750,
    distractors: int = 2798,
    seed: int = 0,
    noise: float = 0.64,
) -> Features:
    """Unit vectors that cluster by identity, unevenly, with a direction of its own per camera.

    Args:
        distractors: gallery images of identity 0.
        noise: length of the noise beside an identity's centre of length 1; each image's varies.
    """
    rng = np.random.default_rng(seed)
    subspace = min(dims, 32)  # nearness of identities is decided in few dimensions, as in practice
    centres = rng.standard_normal((people + 1, subspace), np.float32)
    cameras = rng.standard_normal((6, subspace), np.float32)

    def side(identities: NDArray[np.int64]) -> tuple[NDArray[np.float32], Labels]:
        camera = rng.integers(0, 6, len(identities))
        out = 0.02 * rng.standard_normal((len(identities), dims), np.float32)
        spread = noise * rng.uniform(0.4, 1.6, (len(identities), 1)).astype(np.float32)
        own = rng.standard_normal((len(identities), subspace), np.float32)
        base = np.where(identities[:, None] > 0, centres[identities], 0.0)
        out[:, :subspace] += base + spread * own + 0.3 * cameras[camera]
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        return out, Labels(identities, camera)

    q_ids = np.sort(rng.integers(1, people + 1, n_query))
    g_ids = np.concatenate(
        [np.zeros(distractors, np.int64), rng.integers(1, people + 1, n_gallery - distractors)]
    )
    query, q = side(q_ids)
    gallery, g = side(np.sort(g_ids))
    return Features(query, gallery, q, g)


def argsort_scores(table: NDArray, q: Labels, g: Labels) -> tuple[float, float]:
    """(mAP, R1) by sorting every row, gathering matches and scanning: the compiled peers' way.

    Vectorised over each row; the sort and the gathered matrix are of the whole size at once.
    """
    order = np.argsort(table, axis=1)
    matches = (g.identities[order] == q.identities[:, None]).astype(np.int32)
    precision, first = [], []
    for i in range(len(q)):
        row = order[i]
        out = (g.identities[row] == q.identities[i]) & (g.cameras[row] == q.cameras[i])
        hits = matches[i][~out]
        if hits.any():
            places = np.flatnonzero(hits)
            precision.append(np.mean(np.arange(1, len(places) + 1) / (places + 1)))
            first.append(places[0] == 0)
    return float(np.mean(precision)), float(np.mean(first))


def loop_scores(table: NDArray, q: Labels, g: Labels) -> tuple[float, float]:
    """(mAP, R1) as `argsort_scores`, with the peers' Python list over every gallery image."""
    order = np.argsort(table, axis=1)
    precision, first = [], []
    for i in range(len(q)):
        row = order[i]
        out = (g.identities[row] == q.identities[i]) & (g.cameras[row] == q.cameras[i])
        hits = (g.identities[row] == q.identities[i])[~out].astype(np.int32)
        if hits.any():
            found = [x / (k + 1.0) for k, x in enumerate(hits.cumsum())]
            precision.append((np.asarray(found) * hits).sum() / hits.sum())
            first.append(hits[0])
    return float(np.mean(precision)), float(np.mean(first))


class Given(Matcher):
    """Distances that are there already: the query's vectors are its row of them."""

    def compare(self, query: Embedding, gallery: Embedding, out=None) -> torch.Tensor:
        """A copy of the rows, since ranking writes into blocks."""
        assert out is not None  # ranking always gives it
        return out.copy_(vectors_of(query, self)[:, 0])


def run(quick: bool = False) -> list[Row]:
    """Measure everything, print what the table cannot say, and return the comparisons.

    Args:
        quick: a small fraction of the sizes, to see that it works.

    Raises:
        RuntimeError: two ways that should agree do not.
    """
    sizes = dict(n_query=300, n_gallery=1500, dims=256, distractors=200, people=75) if quick else {}
    data = make_features(**sizes)
    rows, result = _end_to_end(data)
    rows += _scoring(data, part=len(data.q) // 30)
    exact = _float64(data)
    print(f"{len(data.q):,} x {len(data.g):,}, {data.query.shape[1]} dims, CPU seconds; loop: from")
    print(f"{len(data.q) // 30} queries, extrapolated\n{result.report()}")
    print(f"mAP {result.metrics['mAP']:.7f}, with float64 distances {exact:.7f}")
    return rows


def _end_to_end(data: Features) -> tuple[list[Row], RankingResult]:
    """Features to metrics against the bare product, and memory against keeping all distances."""
    relations = relate(MARKET, data.q, data.g)
    query = Embedding(torch.from_numpy(data.query)[:, None])
    gallery = Embedding(torch.from_numpy(data.gallery)[:, None])

    def metrics(matcher: Matcher) -> RankingResult:
        ranks = rank_positives(query, gallery, relations, matcher)
        return score(ranks, relations, MARKET, type(matcher).__name__)

    works: dict[str, Callable[[], Any]] = {
        type(m).__name__: partial(metrics, m) for m in (CosineMatcher(), EuclideanMatcher())
    }
    memory = {name: extra_mb(work) for name, work in works.items()}
    usual = extra_mb(lambda: argsort_scores(-(data.query @ data.gallery.T), data.q, data.g))
    full = np.empty((len(data.q), len(data.g)), np.float32)
    works["product"] = lambda: np.matmul(data.query, data.gallery.T, out=full)
    seconds, results = cpu_seconds(works, times=2)
    rows = []
    for matcher, extra in memory.items():
        name = f"features -> metrics, {matcher}"
        rows.append(_row(name, "bare numpy product", seconds["product"], seconds[matcher], "s"))
        rows.append(_row(f"{name}, memory", "all distances, argsort", usual, extra, "MB"))
    return rows, results["CosineMatcher"]


def _scoring(data: Features, part: int) -> list[Row]:
    """Distances to metrics, against sorting whole rows."""
    table = -(data.query @ data.gallery.T)
    relations = relate(MARKET, data.q, data.g)
    given = Embedding(torch.from_numpy(table)[:, None])
    gallery = Embedding(torch.from_numpy(data.gallery)[:, None])
    some = np.linspace(0, len(data.q) - 1, part).astype(int)
    few = Labels(data.q.identities[some], data.q.cameras[some])
    works = {
        "ours": lambda: rank_positives(given, gallery, relations, Given()),
        "sort": lambda: argsort_scores(table, data.q, data.g),
        "loop": lambda: loop_scores(table[some], few, data.g),
    }
    seconds, results = cpu_seconds(works, times=2)
    ranks = results["ours"]
    mean = float(average_precision(ranks.ranks, ranks.starts).mean())
    if abs(mean - results["sort"][0]) > 1e-5:
        raise RuntimeError(f"the two ways disagree: mAP {mean} and {results['sort'][0]}")
    name = "distances -> ranks"
    loop = seconds["loop"] * len(data.q) / part
    return [
        _row(name, "argsort, gather, scan", seconds["sort"], seconds["ours"], "s"),
        _row(name, "argsort, Python loop", loop, seconds["ours"], "s"),
    ]


def _float64(data: Features) -> float:
    """mAP of the same features with float64 distances."""
    gallery = data.gallery.astype(np.float64).T
    total, count = 0.0, 0
    for start in range(0, len(data.q), 256):
        rows = slice(start, start + 256)
        labels = Labels(data.q.identities[rows], data.q.cameras[rows])
        relations = relate(MARKET, labels, data.g)
        table = -(data.query[rows].astype(np.float64) @ gallery)
        part = len(relations.valid)
        total += argsort_scores(table, labels, data.g)[0] * part if part else 0.0
        count += part
    return total / count


def _row(name: str, against: str, baseline: float, ours: float, unit: str) -> Row:
    return Row(name, against, baseline, ours, unit, higher_is_better=False)


def cpu_seconds(
    works: Mapping[Any, Callable[[], Any]], times: int
) -> tuple[dict[Any, float], dict[Any, Any]]:
    """Least CPU seconds of each work over interleaved runs, and what its last run returned."""
    best = dict.fromkeys(works, float("inf"))
    results = {}
    for _ in range(times):
        for name, work in works.items():
            start = time.process_time()
            results[name] = work()
            best[name] = min(best[name], time.process_time() - start)
    return best, results


def extra_mb(work: Callable[[], object]) -> float:
    """Megabytes of main memory that a piece of work adds at its peak, looked at every 2 ms."""
    page = os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def resident() -> float:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * page

    before = peak = resident()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, resident())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(peak, resident()) - before
