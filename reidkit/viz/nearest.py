"""What sheets of queries show: some valid queries and the gallery images nearest to each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reidkit.data.decode import decode_rgb, read_bytes
from reidkit.data.identities import DISTRACTOR
from reidkit.evaluation.labelled import Labels
from reidkit.evaluation.protocols import GroundTruth, find_protocol, match_labels
from reidkit.evaluation.ranking.ranks import top_matches
from reidkit.structures import Embedding
from reidkit.viz.canvas import Colour

POSITIVE: Colour = (30, 140, 60)
NEGATIVE: Colour = (205, 40, 40)
QUERY: Colour = (40, 80, 170)


@dataclass(frozen=True)
class Nearest:
    """Q queries of a test and the k gallery images nearest to each, closest first.

    Attributes:
        rows: (Q,) the queries' rows in their split, ascending.
        queries: their raw embeddings.
        query_labels, gallery_labels: of those queries, and of the whole gallery.
        truth: which gallery images count for them, and as what.
        places: (Q, k) rows of the gallery; -1 where there are no more.
        distances: (Q, k), smaller is closer.
        positive: (Q, k) whether the image has the query's identity; False where there is none.
    """

    rows: NDArray[np.intp]
    queries: Embedding
    query_labels: Labels
    gallery_labels: Labels
    truth: GroundTruth
    places: NDArray[np.integer]
    distances: NDArray[np.floating]
    positive: NDArray[np.bool_]


def nearest_images(
    query_split,
    gallery_split,
    query_emb: Embedding,
    gallery_emb: Embedding,
    matcher: nn.Module,
    k: int,
    rows: int,
    seed: int,
    protocol: str,
) -> Nearest:
    """Choose random valid queries and rank the gallery for them.

    Args:
        query_split, gallery_split: ``reidkit.data`` Splits.
        query_emb, gallery_emb: raw embeddings of all their images.
        matcher: as in the test.
        k: gallery images for each query; junk is left out, as in the score.
        rows: queries; fewer if there are fewer valid ones, any if there is none.
        seed: of the choice of queries.
        protocol: as in the test.
    """
    rules = find_protocol(protocol)
    query_labels, gallery_labels = labels_of(query_split), labels_of(gallery_split)
    chosen = _choose(match_labels(rules, query_labels, gallery_labels), rows, seed)
    labels = labels_of(query_split, chosen)
    truth = match_labels(rules, labels, gallery_labels)
    queries = query_emb[torch.from_numpy(chosen)]
    places, distances = top_matches(queries, gallery_emb, matcher, truth, k)
    positive = gallery_labels.identities[places] == labels.identities[:, None]
    positive &= places >= 0
    return Nearest(chosen, queries, labels, gallery_labels, truth, places, distances, positive)


def _choose(truth: GroundTruth, rows: int, seed: int) -> NDArray[np.intp]:
    """Some of the valid queries, ascending; of all queries if none is valid."""
    valid = truth.valid if len(truth.valid) else np.arange(len(truth.n_positives))
    chosen = np.random.default_rng(seed).choice(valid, min(rows, len(valid)), replace=False)
    return np.sort(chosen)


def labels_of(split, rows: np.ndarray | None = None) -> Labels:
    """Identities, cameras and files of some rows of a split; None takes all."""
    rows = np.arange(len(split.paths)) if rows is None else rows
    files = [f"{split.root}/{split.paths[i]}" for i in rows]
    return Labels(split.identities[rows], split.cameras[rows], files)


def caption(labels: Labels, index: int) -> str:
    """Identity and camera of an image, as a sheet writes them below it."""
    identity, camera = labels.identities[index], labels.cameras[index]
    return f"{'distr.' if identity == DISTRACTOR else f'id {identity}'} cam {camera}"


def read_crop(split, index: int) -> np.ndarray:
    """One crop of a split as stored, (H, W, 3) uint8 RGB, cut out if the split has boxes."""
    address = str(split.root / split.paths[index])
    image = decode_rgb(read_bytes(address), address)
    box = split.box(index)
    if box is None:
        return image
    x, y, width, height = (int(v) for v in box)
    return image[max(y, 0) : y + height, max(x, 0) : x + width]
