"""Refusals before anything is ranked: no query that can be answered, embeddings that are broken."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reidkit.config.ranges import MOST_RESAMPLES
from reidkit.errors import UserError
from reidkit.evaluation.labelled import LabelledEmbeddings, Labels
from reidkit.evaluation.matchers.base import tensor_of
from reidkit.evaluation.protocols import GroundTruth, Protocol

FAR_ABOVE = 10  # times as many neighbours as mates, the query itself among them
SHORTEST, LONGEST = 1e-12, 1e18  # vectors between which float32 neither vanishes nor overflows
SAMPLE = 1024  # rows looked at to find collapsed features


def check_options(
    topk: Sequence[int],
    counts: Mapping[str, int],
    rates: Sequence[float],
    block_mb: float,
    seed: int,
) -> None:
    """Refuse options of a test that cannot be, or would run for days.

    Args:
        topk: depths, at least 1.
        counts: repeats, trials and resamples, at most a million; only resamples may be 0.
        rates: from 0 to 1.
        block_mb: above 0 and finite.
        seed: not below 0.

    Raises:
        ValueError: one that is outside.
    """
    if not topk or min(topk) < 1:
        raise ValueError(f"topk must be depths of at least 1, got {tuple(topk)}")
    for name, count in counts.items():
        least = 0 if name == "bootstrap" else 1
        if not least <= count <= MOST_RESAMPLES:
            raise ValueError(f"{name} must be from {least} to {MOST_RESAMPLES:,}, got {count}")
    if not all(0 <= rate <= 1 for rate in rates):
        raise ValueError(
            f"far_targets and fpir_targets must be rates from 0 to 1, got {tuple(rates)}"
        )
    if not 0 < block_mb < math.inf:
        raise ValueError(f"block_mb must be above 0 megabytes, got {block_mb}")
    if seed < 0:
        raise ValueError(f"seed must not be below 0, got {seed}")


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


def check_sides(
    query: LabelledEmbeddings, gallery: LabelledEmbeddings, matcher: nn.Module
) -> tuple[str, ...]:
    """Refuse sides that cannot be compared.

    Returns:
        Sentences on what is allowed and worth a look.

    Raises:
        UserError: vectors of different shape, what `check_side` refuses, or embeddings that the
            matcher cannot compare.
    """
    left, right = tensor_of(query.embedding), tensor_of(gallery.embedding)
    if left.shape[1:] != right.shape[1:]:
        raise UserError(
            f"embeddings of {query.name} and {gallery.name} differ in shape: "
            f"{tuple(left.shape[1:])} and {tuple(right.shape[1:])}; they must come from one model"
        )
    hints = check_side(query), check_side(gallery)
    try:
        with torch.inference_mode():
            matcher(query.embedding[:1].to(right.device), gallery.embedding[:1])
    except ValueError as error:
        raise UserError(f"{error}; choose another model.matcher") from error
    return tuple(filter(None, hints))


def check_side(side: LabelledEmbeddings) -> str:
    """Refuse embeddings whose ranking would be an accident.

    Returns:
        A sentence on vectors that are zero; empty when none is.

    Raises:
        UserError: NaN or infinite values, vectors too long or too short for float32 products, or
            all embeddings (nearly) equal.
    """
    embedding, labels = side.embedding, side.labels
    hint = "" if embedding.vectors is None else _check_lengths(side, embedding.vectors)
    for tensor in (embedding.visibility, embedding.maps):
        if tensor is not None and not torch.isfinite(tensor.sum()):  # one pass, nothing allocated
            _check_finite(side, tensor)
    tensor = tensor_of(embedding)
    rows = tensor[:: -(-len(tensor) // SAMPLE), None].flatten(1).float()
    spread, size = (rows - rows[0]).abs().max(), rows.abs().max()
    if len(np.unique(labels.identities)) > 1 and len(rows) > 1 and spread <= 1e-6 * size:
        raise UserError(
            f"all {len(tensor)} {side.name} embeddings are equal (first: {labels.file(0)}), so the "
            "order of the gallery's files would decide the result: the model has collapsed, or the "
            "same image was loaded each time"
        )
    return hint


def _check_finite(side: LabelledEmbeddings, tensor: Tensor) -> None:
    bad = torch.nonzero(~torch.isfinite(tensor).flatten(1).all(1)).flatten().tolist()
    if bad:
        raise UserError(
            f"{len(bad)} of {len(tensor)} {side.name} embeddings hold NaN or infinite values; "
            f"first: {side.labels.file(bad[0])}. Either the model's weights are NaN (training has "
            "diverged: lower the learning rate, or look for the first NaN in the loss curve), or "
            "the values overflowed the type that they were kept in"
        )


def _check_lengths(side: LabelledEmbeddings, vectors: Tensor) -> str:
    """Refuse vectors whose products overflow or vanish; say how many are zero."""
    lengths = torch.linalg.vector_norm(vectors.flatten(1), dim=1)  # one pass, N numbers
    if not torch.isfinite(lengths).all():
        _check_finite(side, vectors)
    zero = lengths == 0
    if zero.any():
        zero[zero.clone()] = ~vectors[zero].flatten(1).any(1)  # squares vanish before values do
    wrong = torch.nonzero(((lengths < SHORTEST) & ~zero) | ~(lengths <= LONGEST)).flatten()
    if len(wrong):
        first = int(wrong[0])
        size = float(vectors[first].abs().max())
        raise UserError(
            f"{len(wrong)} of {len(vectors)} {side.name} embeddings have values so large or small "
            f"that float32 cannot multiply them; first: {side.labels.file(first)}, values up to "
            f"{size:.1e}. Scale all features by one number, to lengths about 1"
        )
    if not zero.any():
        return ""
    first = int(torch.nonzero(zero)[0, 0])
    return (
        f"{int(zero.sum())} of {len(vectors)} {side.name} embeddings are zero (first: "
        f"{side.labels.file(first)}), which have no direction: their cosine distance to everything "
        "is 1"
    )
