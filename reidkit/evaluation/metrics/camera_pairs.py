"""Scores by pair of cameras: which views a model can match."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from reidkit.evaluation.labelled import LabelledEmbeddings
from reidkit.evaluation.metrics import ranked as metrics
from reidkit.evaluation.protocols import Protocol, match_labels
from reidkit.evaluation.ranking.ranks import rank_positives


def by_camera_pair(
    rules: Protocol,
    query: LabelledEmbeddings,
    gallery: LabelledEmbeddings,
    matcher: nn.Module,
    block_mb: float = 64,
) -> list[dict[str, Any]]:
    """mAP and R1 of the queries of one camera in the gallery images of one other.

    The gallery is only that camera's images, so a pair's score does not depend on other views. All
    pairs together cost one more product of the whole sets.

    Args:
        rules: the protocol.
        query: as ranked.
        gallery: as ranked.
        matcher: of their embeddings.
        block_mb: memory for a block of distances, megabytes.

    Returns:
        For each pair with a valid query: query_camera, gallery_camera, n_valid, mAP, R1.
    """
    scores = []
    for camera in np.unique(gallery.labels.cameras).tolist():
        columns = np.flatnonzero(gallery.labels.cameras == camera)
        labels = gallery.labels[columns]
        truth = match_labels(rules, query.labels, labels)
        if not len(truth.valid):
            continue
        part = gallery.embedding[torch.from_numpy(columns)]
        ranks = rank_positives(query.embedding, part, truth, matcher, block_mb)
        precision = metrics.average_precision(ranks.ranks, ranks.starts)
        first = metrics.cmc(ranks.ranks, ranks.starts, 1)
        cameras = query.labels.cameras[truth.valid]
        for own in np.unique(cameras).tolist():
            rows = cameras == own
            scores.append(
                dict(
                    query_camera=own,
                    gallery_camera=camera,
                    n_valid=int(rows.sum()),
                    mAP=float(precision[rows].mean()),
                    R1=float(first[rows].mean()),
                )
            )
    return sorted(scores, key=lambda x: (x["query_camera"], x["gallery_camera"]))
