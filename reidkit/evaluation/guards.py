"""Refusals before anything is ranked: no query that can be answered, embeddings that are broken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from reidkit.errors import UserError
from reidkit.evaluation.labelled import LabelledEmbeddings, Labels
from reidkit.evaluation.matchers.base import tensor_of
from reidkit.evaluation.protocols import GroundTruth, Protocol

FAR_ABOVE = 10  # times as many neighbours as mates, the query itself among them
SAMPLE = 1024  # rows looked at to find collapsed features


def check_valid(protocol: Protocol, truth: GroundTruth, query: Labels, gallery: Labels) -> None:
    """Refuse a test in which no query can be answered, and say why.

    Raises:
        UserError: no query has a positive.
    """
    if len(truth.invalid) < len(query):
        return
    cameras = np.unique(np.concatenate([query.cameras, gallery.cameras]))
    if protocol.across_cameras and len(cameras) == 1:
        raise UserError(
            f"all {len(query) + len(gallery)} images have camera {cameras[0]}, and protocol "
            f"{protocol.name} only counts matches between cameras: use protocol single-camera "
            "(evaluation.protocol=single-camera), or read the cameras from the file names"
        )
    index, reason = truth.invalid[0]
    raise UserError(
        f"none of the {len(query)} queries has a positive among the {len(gallery)} of the "
        f"gallery under protocol {protocol.name}; first: {query.file(index)}: {reason}"
    )


def rerank_hints(rerankers: Mapping[str, Any], truth: GroundTruth) -> tuple[str, ...]:
    """Steps whose neighbourhoods are far larger than what they look for.

    Args:
        rerankers: by label; those with ``k1`` neighbours are looked at.
        truth: of the test.
    """
    mates = int(np.median(truth.n_positives[truth.n_positives > 0]))
    return tuple(
        f"{name}: k1={step.k1} is far above the {mates} gallery images that a query has to find "
        f"(median), so that most of what counts as near is of other people; try k1={mates + 1} or "
        "so"
        for name, step in rerankers.items()
        if getattr(step, "k1", 0) > FAR_ABOVE * (mates + 1)
    )


def check_sides(query: LabelledEmbeddings, gallery: LabelledEmbeddings) -> None:
    """Refuse sides that cannot be compared.

    Raises:
        UserError: vectors of different shape, or what `check_side` refuses.
    """
    left, right = tensor_of(query.embedding), tensor_of(gallery.embedding)
    if left.shape[1:] != right.shape[1:]:
        raise UserError(
            f"embeddings of {query.name} and {gallery.name} differ in shape: "
            f"{tuple(left.shape[1:])} and {tuple(right.shape[1:])}; they must come from one model"
        )
    check_side(query)
    check_side(gallery)


def check_side(side: LabelledEmbeddings) -> None:
    """Refuse embeddings whose ranking would be an accident.

    Raises:
        UserError: NaN or infinite values, or all embeddings (nearly) equal.
    """
    embedding, labels = side.embedding, side.labels
    for tensor in (embedding.vectors, embedding.visibility, embedding.maps):
        if tensor is None or torch.isfinite(tensor.sum()):  # one pass, nothing allocated
            continue
        bad = torch.nonzero(~torch.isfinite(tensor).flatten(1).all(1)).flatten().tolist()
        if bad:
            raise UserError(
                f"{len(bad)} of {len(tensor)} {side.name} embeddings hold NaN or infinite values; "
                f"first: {labels.file(bad[0])}. Training has probably diverged: lower the "
                "learning rate, or look for the first NaN in the loss curve"
            )
    tensor = tensor_of(embedding)
    rows = tensor[:: -(-len(tensor) // SAMPLE), None].flatten(1).float()
    spread, size = (rows - rows[0]).abs().max(), rows.abs().max()
    if len(np.unique(labels.identities)) > 1 and len(rows) > 1 and spread <= 1e-6 * size:
        raise UserError(
            f"all {len(tensor)} {side.name} embeddings are equal (first: {labels.file(0)}), so the "
            "order of the gallery's files would decide the result: the model has collapsed, or the "
            "same image was loaded each time"
        )
