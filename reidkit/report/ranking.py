"""One test of a run, ranked again from its features: what the charts and lists are drawn from.

Shape letters: Q queries, G gallery images, k images of a list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reidkit.evaluation.apply_protocol import apply_protocol, random_halves
from reidkit.evaluation.evaluator import RankingEvaluator
from reidkit.evaluation.io.store import TestSet
from reidkit.evaluation.labelled import LabelledEmbeddings
from reidkit.evaluation.metrics.camera_pairs import by_camera_pair
from reidkit.evaluation.metrics.ranked import average_precision, first_ranks
from reidkit.evaluation.metrics.verification import Verification, histogram_range
from reidkit.evaluation.protocols import GroundTruth, find_protocol, match_labels
from reidkit.evaluation.ranking.ranks import rank_positives, top_matches

FAR = (1e-4, 1e-3, 1e-2)
LISTED = 10  # gallery images of a ranked list


class ImagePath(str):
    """An image's path that remembers its side and row, through protocols that move images."""

    side: str
    row: int

    @staticmethod
    def of(path: str, side: str, row: int) -> ImagePath:
        """A path with the row of its split."""
        image = ImagePath(path)
        image.side, image.row = side, row
        return image


@dataclass(frozen=True)
class Ranking:
    """A test as it was ranked.

    Attributes:
        query, gallery: as the protocol and the re-ranking steps leave them; their paths are
            ``ImagePath``.
        raw: query and gallery before re-ranking, of the same rows.
        matcher: of ``query`` and ``gallery``.
        own_matcher: of ``raw``: the run's.
        truth: which gallery images count for which query.
        precision: (Q,) average precision, NaN of invalid queries.
        first: (Q,) rank of the first positive, NaN of invalid queries.
        places: (Q, k) rows of the gallery, closest first; -1 where there are no more.
        distances: (Q, k).
        verification: distances of genuine and impostor pairs.
        cameras: of ``by_camera_pair``.
        notes: what a reader must know of this ranking.
    """

    query: LabelledEmbeddings
    gallery: LabelledEmbeddings
    raw: tuple[LabelledEmbeddings, LabelledEmbeddings]
    matcher: nn.Module
    own_matcher: nn.Module
    truth: GroundTruth
    precision: NDArray[np.float64]
    first: NDArray[np.float64]
    places: NDArray[np.int64]
    distances: NDArray[np.float32]
    verification: Verification
    cameras: list[dict[str, Any]]
    notes: list[str]

    def positive(self, row: int) -> NDArray[np.bool_]:
        """(k,) whether each image of a query's list shows its person."""
        people = self.gallery.labels.identities[self.places[row]]
        return (people == self.query.labels.identities[row]) & (self.places[row] >= 0)


@torch.inference_mode()
def rank_test(evaluator: RankingEvaluator, store: TestSet, matcher: nn.Module) -> Ranking:
    """Rank a test as the run's evaluator does, keeping distances and lists.

    Of a protocol with several trials the first is taken; of one that shows one image of each person
    the whole gallery is.

    Args:
        evaluator: of the run: its protocol and its re-ranking.
        store: features and labels.
        matcher: of the run.

    Raises:
        UserError: as the evaluator.
    """
    rules, notes = find_protocol(evaluator.protocol or store.protocol), []
    query, gallery = (_numbered(store.sides[name]) for name in ("query", "gallery"))
    trials = list(store.trials)
    if rules.random_halves and not trials:
        trials = random_halves(query.labels, gallery.labels, evaluator.trials, evaluator.seed)
    if trials:
        notes.append(f"Charts and lists are of the first of {len(trials)} trials.")
        query, gallery = query[trials[0].query], gallery[trials[0].gallery]
    if rules.single_shot:
        notes.append(
            f"Protocol {rules.name} shows one image of each person; charts and lists are of the "
            "whole gallery."
        )
    several = store.sides.get("multi_query")
    query, gallery = apply_protocol(rules, query, gallery, several, evaluator.pool)
    raw, own = (query, gallery), matcher
    truth = match_labels(rules, query.labels, gallery.labels)
    if evaluator.rerankers:
        steps = ", ".join(evaluator.rerankers)
        notes.append(f"Distances are those after re-ranking ({steps}).")
    for step in evaluator.rerankers.values():
        first, second, matcher = step.rerank(
            query.embedding, gallery.embedding, matcher, query.meta, gallery.meta
        )
        query, gallery = replace(query, embedding=first), replace(gallery, embedding=second)
    seen, precision, first_rank = _counted(query, gallery, truth, matcher, evaluator.block_mb)
    k = min(LISTED, len(gallery))
    lists = top_matches(query.embedding, gallery.embedding, matcher, truth, k, evaluator.block_mb)
    cameras = by_camera_pair(rules, query, gallery, matcher, evaluator.block_mb)
    return Ranking(
        query,
        gallery,
        raw,
        matcher,
        own,
        truth,
        precision,
        first_rank,
        *lists,
        seen,
        cameras,
        notes,
    )


def _numbered(side: LabelledEmbeddings) -> LabelledEmbeddings:
    """A side whose paths remember their row."""
    labels = side.labels
    paths = [ImagePath.of(labels.file(row), side.name, row) for row in range(len(labels))]
    return replace(side, labels=replace(labels, paths=paths))


def _counted(
    query: LabelledEmbeddings,
    gallery: LabelledEmbeddings,
    truth: GroundTruth,
    matcher: nn.Module,
    block_mb: float,
) -> tuple[Verification, NDArray[np.float64], NDArray[np.float64]]:
    """Distances of all pairs; average precision and first rank of each query, NaN if invalid."""
    sides = query.embedding, gallery.embedding
    queries = truth.people
    keep = int(max(FAR) * truth.n_impostors(queries)) + 2
    seen = Verification(*histogram_range(*sides, matcher), keep)
    ranks = rank_positives(*sides, truth, matcher, block_mb, queries, seen)
    precision, first = np.full((2, len(query)), np.nan)
    precision[truth.valid] = average_precision(ranks.ranks, ranks.starts)
    first[truth.valid] = first_ranks(ranks.ranks, ranks.starts)
    return seen, precision, first
