"""Same person or not: TAR@FAR, EER, and open-set search, from the blocks that ranking makes.

A *genuine* pair is a query with a positive, an *impostor* pair one with an image of
another person or a distractor; junk is in neither. A pair is accepted when its distance is at most
the threshold t:

    FAR(t) = accepted impostor pairs / impostor pairs      TAR(t) = accepted genuine / genuine pairs

Of the impostor distances (54 million on Market-1501) only the smallest are kept, as many as the
largest FAR asked for needs, and a histogram.

Shape letters: b queries of a block, G gallery images, n genuine pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reidkit.structures import Embedding

Figures = dict[str, float | None]
BINS = 1 << 16
CHUNK = 1 << 18  # distances looked at together; fits the processor's cache
PROBES = 256  # queries and gallery images that set the histogram's range


@dataclass
class Verification:
    """What one pass over the blocks gathers; shares of several processes can be joined.

    Args:
        low, high: range of the histogram; distances outside fall into its ends.
        keep: how many of the smallest impostor distances are kept.

    Attributes:
        genuine: distances of genuine pairs, block by block.
        smallest: the smallest impostor distances, not in order.
        counts: histogram of the impostor distances.
        mates: distance of the best positive of each query, inf without one.
        impostors: distance of the nearest impostor of each query.
        queries: the queries of ``mates`` and ``impostors``.
    """

    low: float
    high: float
    keep: int
    genuine: list[NDArray] = field(default_factory=list)
    smallest: NDArray = field(default_factory=lambda: np.zeros(0, np.float32))
    counts: NDArray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    mates: list[NDArray] = field(default_factory=list)
    impostors: list[NDArray] = field(default_factory=list)
    queries: list[NDArray] = field(default_factory=list)
    _bound: float = float("inf")
    _waiting: list[NDArray] = field(default_factory=list)  # to be joined with ``smallest``

    def add(self, queries: NDArray, values: Tensor, genuine: NDArray, counts: NDArray) -> None:
        """Take in a block.

        Args:
            queries: indices of its queries.
            values: (b, G) distances, infinite where the pair is no impostor pair.
            genuine: distances of its genuine pairs, query by query, ascending.
            counts: genuine pairs of each query (b,).
        """
        self.queries.append(queries)
        self.genuine.append(genuine)
        best = np.full(len(queries), np.inf, np.float32)
        first = np.cumsum(counts) - counts
        best[counts > 0] = genuine[first[counts > 0]]
        self.mates.append(best)
        self.impostors.append(values.amin(1).cpu().numpy())
        if values.device.type == "cpu":
            for chunk in np.array_split(values.numpy().reshape(-1), -(-values.numel() // CHUNK)):
                self._add_chunk(chunk)
        else:
            self._add_device(values.flatten())
        self._join()

    def _add_chunk(self, chunk: NDArray) -> None:
        place = chunk - self.low
        place *= BINS / (self.high - self.low)
        np.clip(place, 0, BINS - 1, out=place)
        self.counts += np.bincount(place.astype(np.int64), minlength=BINS)
        finite = chunk < np.inf
        self.counts[-1] -= len(chunk) - np.count_nonzero(finite)  # pairs left out fell in there
        self._keep(chunk[finite if self._bound == np.inf else chunk <= self._bound])

    def _add_device(self, values: Tensor) -> None:
        finite = values[torch.isfinite(values)]
        place = ((finite - self.low) * (BINS / (self.high - self.low))).clamp(0, BINS - 1).long()
        self.counts += torch.bincount(place, minlength=BINS).cpu().numpy()
        below = finite[finite <= self._bound]
        if len(below) > self.keep:
            below = below.topk(self.keep, largest=False).values
        self._keep(below.cpu().numpy())

    def _keep(self, below: NDArray) -> None:
        self._waiting.append(below)
        if sum(map(len, self._waiting)) > self.keep:
            self._join()

    def _join(self) -> None:
        self.smallest = np.concatenate([self.smallest, *self._waiting])
        self._waiting = []
        if len(self.smallest) > 2 * self.keep:
            self._cut()

    def _cut(self) -> None:
        if len(self.smallest) > self.keep:
            self.smallest = np.partition(self.smallest, self.keep - 1)[: self.keep].copy()
            self._bound = float(self.smallest.max())

    @staticmethod
    def join(parts: Sequence[Verification]) -> Verification:
        """Several processes' shares as one."""
        whole = Verification(parts[0].low, parts[0].high, parts[0].keep)
        for part in parts:
            for name in ("genuine", "mates", "impostors", "queries"):
                getattr(whole, name).extend(getattr(part, name))
            whole.counts += part.counts
            whole.smallest = np.concatenate([whole.smallest, part.smallest])
        whole._cut()
        return whole

    def tar_at_far(self, far: float) -> Figures:
        """Threshold, share of genuine pairs accepted, and the FAR reached, at most ``far``.

        Without impostor pairs, or without genuine ones, there is none of them (None).
        """
        total, genuine = int(self.counts.sum()), _joined(self.genuine)
        if not total or not len(genuine):
            return dict(far=far, threshold=None, reached=None, tar=None)
        threshold = highest_threshold(self.smallest, far, total)
        reached = np.count_nonzero(self.smallest <= threshold) / total
        tar = np.count_nonzero(genuine <= threshold) / len(genuine)
        return dict(far=far, threshold=threshold, reached=reached, tar=tar)

    def eer(self) -> tuple[float, float] | tuple[None, None]:
        """(equal error rate, threshold): where FAR = 1 - TAR, between two of 65,536 bins.

        Without impostor pairs, or without genuine ones, there is none (None).

        The genuine pairs are exact; the impostors are counted to the bin, so that the rate is off
        by less than one bin's share of them.
        """
        if not self.counts.any() or not any(map(len, self.genuine)):
            return None, None
        edges = np.linspace(self.low, self.high, BINS + 1)
        far = np.concatenate([[0], np.cumsum(self.counts)]) / max(self.counts.sum(), 1)
        genuine = np.sort(_joined(self.genuine))
        frr = 1 - np.searchsorted(genuine, edges, "right") / max(len(genuine), 1)
        i = int(np.argmax(far >= frr))
        if i == 0:
            return float(max(far[0], frr[0])), float(edges[0])
        gap = (frr[i - 1] - far[i - 1], far[i] - frr[i])
        part = gap[0] / max(gap[0] + gap[1], 1e-300)
        rate = far[i - 1] + part * (far[i] - far[i - 1])
        return float(rate), float(edges[i - 1] + part * (edges[i] - edges[i - 1]))

    def fnir_at_fpir(self, fpir: float, without_mate: NDArray[np.int64]) -> Figures:
        """Share of searches that miss their person when at most ``fpir`` raise a false alarm.

        Without searches for people who are there, or without any impostor, there is none (None).

        Args:
            fpir: share of searches for people who are not there that may return anyone.
            without_mate: queries whose person is not in the gallery. Where there are none, every
                query serves as one, its own person's images left out.
        """
        queries, mates, nearest = (_joined(x) for x in (self.queries, self.mates, self.impostors))
        absent = np.isin(queries, without_mate)
        alarms = nearest[absent] if absent.any() else nearest[mates < np.inf]
        own = mates[mates < np.inf]
        if not len(own) or not np.isfinite(alarms).any():
            return dict(fpir=fpir, threshold=None, reached=None, fnir=None)
        threshold = highest_threshold(alarms, fpir, len(alarms))
        return dict(
            fpir=fpir,
            threshold=threshold,
            reached=np.count_nonzero(alarms <= threshold) / len(alarms),
            fnir=np.count_nonzero(own > threshold) / len(own),
        )

    def summary(
        self, far: Sequence[float], fpir: Sequence[float], without_mate: NDArray[np.int64]
    ) -> dict[str, Any]:
        """All figures, as stored with a result."""
        rate, threshold = self.eer()
        return dict(
            n_genuine=sum(map(len, self.genuine)),
            n_impostor=int(self.counts.sum()),
            eer=rate,
            eer_threshold=threshold,
            tar_at_far=[self.tar_at_far(x) for x in far],
            fnir_at_fpir=[self.fnir_at_fpir(x, without_mate) for x in fpir],
            searches_without_mate=len(without_mate),
        )


def highest_threshold(impostors: NDArray, rate: float, total: int) -> float:
    """The largest threshold that accepts at most ``rate * total`` impostors (a float32).

    The largest float32 where all of them may be accepted.

    Args:
        impostors: at least the ``rate * total + 1`` smallest distances, in any order.
        rate: in [0, 1].
        total: how many impostors there are.

    Example:
        >>> highest_threshold(np.float32([1, 2, 2, 3]), 0.5, 4) < 2
        True
        >>> highest_threshold(np.float32([1, 2, 2, 3]), 0.75, 4) >= 2
        True
    """
    allowed = int(np.floor(rate * total * (1 + 1e-12)))
    if allowed >= len(impostors):
        return float(np.finfo(np.float32).max)
    first_refused = np.partition(impostors, allowed)[allowed]
    return float(np.nextafter(np.float32(first_refused), np.float32(-np.inf)))


def _joined(parts: list[NDArray]) -> NDArray:
    return np.concatenate([np.zeros(0, np.float32), *parts])


def histogram_range(
    query: Embedding, gallery: Embedding, matcher: nn.Module
) -> tuple[float, float]:
    """Where distances lie: the matcher's bounds, or the range of a spread of pairs, widened.

    Depends on the embeddings alone, not on blocks or processes.
    """
    low, high = getattr(matcher, "bounds", (-np.inf, np.inf))
    if np.isfinite(low) and np.isfinite(high):
        return float(low), float(high)
    rows, columns = (slice(None, None, -(-len(e) // PROBES)) for e in (query, gallery))
    some = gallery[columns]
    device = next(iter(some._tensors().values())).device
    with torch.inference_mode():
        values = matcher(query[rows].to(device), some)
    least, most = float(values.min()), float(values.max())
    margin = max(most - least, 1e-6) / 2
    least = max(least - margin, low) if np.isfinite(low) else least - margin
    return least, min(most + margin, high) if np.isfinite(high) else most + margin
