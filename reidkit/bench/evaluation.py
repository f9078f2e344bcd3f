"""Ranking speed and memory at the size of Market-1501, against the ways in common use.

Generated clustered features (about 75 % mAP) of 3,368 queries and 15,913 gallery images; seconds
are CPU seconds of this process, so that other work on the machine disturbs them least.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reidkit.bench.measure import cpu_seconds, extra_mb
from reidkit.bench.reranking import (
    METAS,
    k_reciprocal_rows,
    lower,
    part_rows,
    verification_rows,
)
from reidkit.bench.table import Row
from reidkit.evaluation import (
    CosineMatcher,
    EuclideanMatcher,
    KReciprocal,
    Labels,
    Matcher,
    PrecomputedMatcher,
    RankingResult,
    RowIds,
    match_labels,
    score,
)
from reidkit.evaluation.metrics.ranked import average_precision
from reidkit.evaluation.protocols import PROTOCOLS
from reidkit.evaluation.ranking.ranks import rank_positives
from reidkit.structures import Embedding

MARKET = PROTOCOLS["market"]
SIZES = dict(blocks=1 << 24, table=1 << 27)  # distances of the bare product: 64 MB and 512 MB
MSMT17 = dict(n_query=11659, n_gallery=82161, dims=512, people=3060, distractors=0)


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
            precisions = [x / (k + 1.0) for k, x in enumerate(hits.cumsum())]
            precision.append((np.asarray(precisions) * hits).sum() / hits.sum())
            first.append(hits[0])
    return float(np.mean(precision)), float(np.mean(first))


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
    rows += verification_rows(data)
    rows += part_rows(len(data.q), len(data.g))
    rows += k_reciprocal_rows(data)
    if torch.cuda.is_available():
        rows += on_device(data)
    exact = _float64(data)
    print(f"{len(data.q):,} x {len(data.g):,}, {data.query.shape[1]} dims, CPU seconds; loop: from")
    print(f"{len(data.q) // 30} queries, extrapolated\n{result.report()}")
    print(f"mAP {result.metrics['mAP']:.7f}, with float64 distances {exact:.7f}")
    del data, result
    large = dict(MSMT17) if not quick else dict(n_query=400, n_gallery=3000, dims=64, people=80)
    data, size = make_features(**large), f", {large['n_gallery']:,} images"
    rows += _end_to_end(data, size)[0]
    if torch.cuda.is_available():
        rows += on_device(data, size=size)
    return rows


def _end_to_end(data: Features, size: str = "") -> tuple[list[Row], RankingResult]:
    """Features to metrics against the bare product, and memory against keeping all distances."""
    truth = match_labels(MARKET, data.q, data.g)
    query = Embedding(torch.from_numpy(data.query)[:, None])
    gallery = Embedding(torch.from_numpy(data.gallery)[:, None])

    def metrics(matcher: Matcher) -> RankingResult:
        ranks = rank_positives(query, gallery, truth, matcher)
        return score(ranks, truth, MARKET, type(matcher).__name__)

    works: dict[str, Callable[[], Any]] = {
        type(m).__name__: partial(metrics, m) for m in (CosineMatcher(), EuclideanMatcher())
    }
    most = len(data.q) * len(data.g)
    products = {name: np.empty(min(n, most), np.float32) for name, n in SIZES.items()}
    products["table"].fill(0)  # touched before: this one is not to pay for new memory
    works.update((name, partial(_product, data, memory)) for name, memory in products.items())
    # four times in turn: single runs differ by five percent, as much as is to be seen here
    seconds, results = cpu_seconds(works, times=4)
    del works["blocks"], works["table"], products
    memory = {name: extra_mb(work) for name, work in works.items()}  # without libraries' first use
    usual = 16 * len(data.q) * len(data.g) / (1 << 20)  # distances, int64 order, matches
    if not size:
        usual = extra_mb(lambda: argsort_scores(-(data.query @ data.gallery.T), data.q, data.g))
    rows = []
    for matcher, extra in memory.items():
        name = f"features -> metrics, {matcher}{size}"
        rows.append(lower(name, "bare numpy product", seconds["blocks"], seconds[matcher], "s"))
        rows.append(lower(name, "bare product, 512 MB", seconds["table"], seconds[matcher], "s"))
        rows.append(lower(f"{name}, memory", "all distances, argsort", usual, extra, "MB"))
    return rows, results["CosineMatcher"]


def _product(data: Features, memory: NDArray) -> None:
    """The bare matrix product, in as few calls as the memory holds rows for."""
    size = min(len(data.q), len(memory) // len(data.g))
    for start in range(0, len(data.q), size):
        part = data.query[start : start + size]
        out = memory[: len(part) * len(data.g)].reshape(len(part), len(data.g))
        np.matmul(part, data.gallery.T, out=out)


def on_device(data: Features, device: str = "cuda", size: str = "") -> list[Row]:
    """From features that lie on a device to metrics there, against the bare product there.

    Args:
        device: a GPU; on a CPU this is for tests.
        size: named in the rows; re-ranking is measured only without.
    """
    truth = match_labels(MARKET, data.q, data.g)
    query, gallery = (torch.from_numpy(x).to(device) for x in (data.query, data.gallery))
    embeddings = Embedding(query[:, None]), Embedding(gallery[:, None])
    wait = torch.cuda.synchronize if query.is_cuda else (lambda: None)

    def seconds(work: Callable[[], Any]) -> float:
        times = []
        for _ in range(4):
            wait()
            start = time.perf_counter()
            work()
            wait()
            times.append(time.perf_counter() - start)
        return min(times[1:])

    def metrics() -> None:
        ranks = rank_positives(*embeddings, truth, CosineMatcher(), 256)
        score(ranks, truth, MARKET, "CosineMatcher")

    def reranked() -> None:
        q, g, matcher = KReciprocal(block_mb=256).rerank(*embeddings, CosineMatcher(), *METAS)
        rank_positives(q, g, truth, matcher, 256)

    floor = seconds(lambda: query @ gallery.T)
    works = {"features -> metrics": metrics} | ({} if size else {"k-reciprocal": reranked})
    return [
        lower(f"{name} on {device}{size}", "bare product", floor, seconds(work), "s")
        for name, work in works.items()
    ]


def _scoring(data: Features, part: int) -> list[Row]:
    """Distances to metrics, against sorting whole rows."""
    table = -(data.query @ data.gallery.T)
    truth = match_labels(MARKET, data.q, data.g)
    row_ids = RowIds.arange(len(data.q)), RowIds.arange(len(data.g))
    some = np.linspace(0, len(data.q) - 1, part).astype(int)
    few = Labels(data.q.identities[some], data.q.cameras[some])
    works = {
        "ours": lambda: rank_positives(*row_ids, truth, PrecomputedMatcher(table)),
        "sort": lambda: argsort_scores(table, data.q, data.g),
        "loop": lambda: loop_scores(table[some], few, data.g),
    }
    # new memory for a block can take as long as ours does, so the first runs may not count
    seconds, results = cpu_seconds(works, times=4)
    ranks = results["ours"]
    mean = float(average_precision(ranks.ranks, ranks.starts).mean())
    if abs(mean - results["sort"][0]) > 1e-5:
        raise RuntimeError(f"the two ways disagree: mAP {mean} and {results['sort'][0]}")
    name = "distances -> ranks"
    loop = seconds["loop"] * len(data.q) / part
    return [
        lower(name, "argsort, gather, scan", seconds["sort"], seconds["ours"], "s"),
        lower(name, "argsort, Python loop", loop, seconds["ours"], "s"),
    ]


def _float64(data: Features) -> float:
    """mAP of the same features with float64 distances."""
    gallery = data.gallery.astype(np.float64).T
    total, count = 0.0, 0
    for start in range(0, len(data.q), 256):
        rows = slice(start, start + 256)
        labels = Labels(data.q.identities[rows], data.q.cameras[rows])
        truth = match_labels(MARKET, labels, data.g)
        table = -(data.query[rows].astype(np.float64) @ gallery)
        part = len(truth.valid)
        total += argsort_scores(table, labels, data.g)[0] * part if part else 0.0
        count += part
    return total / count
