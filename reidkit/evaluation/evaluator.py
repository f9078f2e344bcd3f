"""From embeddings to the numbers people quote, with everything needed to compare them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.evaluation import metrics
from reidkit.evaluation.matchers import tensor_of
from reidkit.evaluation.protocols import Labels, Protocol, Relations, find_protocol, relate
from reidkit.evaluation.ranking import Ranks, rank_positives
from reidkit.evaluation.result import RankingResult
from reidkit.registry import EVALUATORS
from reidkit.structures import Embedding

POLICIES = ("drop", "zero")
SAMPLE = 1024  # rows looked at to find collapsed features


def rank(
    query: Embedding,
    gallery: Embedding,
    q_ids: ArrayLike,
    q_cams: ArrayLike,
    g_ids: ArrayLike,
    g_cams: ArrayLike,
    matcher: nn.Module,
    protocol: str = "market",
    block_mb: float = 64,
    topk: Sequence[int] = (1, 5, 10),
    invalid: str = "drop",
    q_paths: Sequence[str] | None = None,
    g_paths: Sequence[str] | None = None,
) -> RankingResult:
    """Rank a gallery for every query and score the rankings.

    Args:
        query: Q raw embeddings.
        gallery: G raw embeddings, on the device where the distances are to be computed.
        q_ids: (Q,) identities; people from 1, 0 distractors, -1 junk.
        q_cams: (Q,) cameras.
        g_ids: (G,) identities, as ``q_ids``.
        g_cams: (G,) cameras.
        matcher: a `Matcher` or a module with ``forward(query, gallery)``; smaller is closer.
        protocol: a name in `PROTOCOLS`.
        block_mb: memory for a block of distances, megabytes.
        topk: depths k of the CMC figures "R<k>".
        invalid: queries without a right image are left out of the means ("drop"), or count as 0
            ("zero", as the MATLAB code of Market-1501 does).
        q_paths: file names of the queries, for messages and the single-camera protocol.
        g_paths: file names of the gallery.

    Raises:
        UserError: empty sides, NaN, infinite or collapsed embeddings, no valid query.
        ValueError: lengths or shapes that do not fit, unknown protocol or policy.

    Example:
        >>> from reidkit.evaluation import CosineMatcher
        >>> gallery = Embedding(torch.tensor([[[1.0, 0.1]], [[1.0, 0.2]], [[0.0, 1.0]]]))
        >>> query = Embedding(torch.tensor([[[1.0, 0.0]]]))
        >>> rank(query, gallery, [7], [1], [5, 7, 8], [1, 2, 2], CosineMatcher()).metrics["mAP"]
        0.5
    """
    rules = find_protocol(protocol)
    if invalid not in POLICIES:
        raise ValueError(f"invalid must be one of {POLICIES}, got {invalid!r}")
    sides = (
        Labels(_ints(q_ids), _ints(q_cams), q_paths),
        Labels(_ints(g_ids), _ints(g_cams), g_paths),
    )
    for name, embedding, labels in zip(("query", "gallery"), (query, gallery), sides, strict=True):
        if len(embedding) != len(labels):
            raise ValueError(
                f"{name}: {len(embedding)} embeddings for {len(labels)} identities and cameras"
            )
    relations = relate(rules, *sides)
    check_valid(rules, relations, *sides)
    check_embedding(query, sides[0], "query")
    check_embedding(gallery, sides[1], "gallery")
    ranks = rank_positives(query, gallery, relations, matcher, block_mb)
    return score(ranks, relations, rules, type(matcher).__name__, topk, invalid)


def score(
    ranks: Ranks,
    relations: Relations,
    protocol: Protocol,
    matcher: str,
    topk: Sequence[int] = (1, 5, 10),
    invalid: str = "drop",
) -> RankingResult:
    """Numbers from ranks: means, their bounds over ties, and per-query values.

    Args:
        matcher: its name, for the report.
        topk, invalid: as for `rank`.
    """
    n_query, valid = len(relations.n_good), relations.valid
    divisor = n_query if invalid == "zero" else len(valid)

    def means(of: np.ndarray) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        columns = {
            "mAP": metrics.average_precision(of, ranks.starts),
            "mAP_official": metrics.average_precision_official(of, ranks.starts),
            "mINP": metrics.inverse_negative_penalty(of, ranks.starts),
            **{f"R{k}": metrics.cmc(of, ranks.starts, k) for k in topk},
        }
        return {name: float(v.sum() / divisor) for name, v in columns.items()}, columns

    values, columns = means(ranks.ranks)
    low, high = means(ranks.highest)[0], means(ranks.lowest)[0]
    per_query = {
        "AP": _spread(columns["mAP"], valid, n_query),
        "AP_official": _spread(columns["mAP_official"], valid, n_query),
        "INP": _spread(columns["mINP"], valid, n_query),
        "first_rank": _spread(metrics.first_ranks(ranks.ranks, ranks.starts), valid, n_query),
        "n_good": relations.n_good,
    }
    return RankingResult(
        metrics=values,
        bounds={name: (low[name], high[name]) for name in values},
        n_query=n_query,
        n_valid=len(valid),
        n_gallery=relations.n_gallery - len(relations.junk),
        n_junk=len(relations.junk),
        invalid=relations.invalid,
        policy=invalid,
        protocol=protocol.label,
        matcher=matcher,
        per_query=per_query,
    )


def _spread(values: np.ndarray, valid: np.ndarray, n_query: int) -> np.ndarray:
    out = np.full(n_query, np.nan)
    out[valid] = values
    return out


def _ints(values: ArrayLike) -> np.ndarray:
    return values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def check_valid(protocol: Protocol, relations: Relations, query: Labels, gallery: Labels) -> None:
    """Refuse a test in which no query can be answered, and say why.

    Raises:
        UserError: no query has a right gallery image.
    """
    if len(relations.invalid) < len(query):
        return
    cameras = np.unique(np.concatenate([query.cameras, gallery.cameras]))
    if protocol.across_cameras and len(cameras) == 1:
        raise UserError(
            f"all {len(query) + len(gallery)} images have camera {cameras[0]}, and protocol "
            f"{protocol.name} only counts matches between cameras: use protocol single-camera "
            "(evaluation.protocol=single-camera), or read the cameras from the file names"
        )
    index, reason = relations.invalid[0]
    raise UserError(
        f"none of the {len(query)} queries has a right image among the {len(gallery)} of the "
        f"gallery under protocol {protocol.name}; first: {query.file(index)}: {reason}"
    )


def check_embedding(embedding: Embedding, labels: Labels, side: str) -> None:
    """Refuse embeddings whose ranking would be an accident.

    Args:
        labels: names the files in messages.
        side: "query" or "gallery".

    Raises:
        UserError: NaN or infinite values, or all embeddings (nearly) equal.
    """
    for tensor in (embedding.vectors, embedding.visibility, embedding.maps):
        if tensor is None or torch.isfinite(tensor.sum()):  # one pass, nothing allocated
            continue
        bad = torch.nonzero(~torch.isfinite(tensor).flatten(1).all(1)).flatten().tolist()
        if bad:
            raise UserError(
                f"{len(bad)} of {len(tensor)} {side} embeddings hold NaN or infinite values; "
                f"first: {labels.file(bad[0])}. Training has probably diverged: lower the "
                "learning rate, or look for the first NaN in the loss curve"
            )
    tensor = tensor_of(embedding)
    rows = tensor[:: -(-len(tensor) // SAMPLE)].flatten(1).float()
    spread, size = (rows - rows[0]).abs().max(), rows.abs().max()
    if len(np.unique(labels.identities)) > 1 and len(rows) > 1 and spread <= 1e-6 * size:
        raise UserError(
            f"all {len(tensor)} {side} embeddings are equal (first: {labels.file(0)}), so the "
            "order of the gallery's files would decide the result: the model has collapsed, or the "
            "same image was loaded each time"
        )


@EVALUATORS.register_module()
class MarketEvaluator:
    """The single-query test of Market-1501 and of most image data sets since.

    Args:
        topk: depths of the CMC figures.
        block_mb: memory for a block of distances, megabytes; independent of the gallery.
        invalid: "drop" or "zero", see `rank`.
        protocol: "market", or "single-camera" for data of one camera.

    Raises:
        ValueError: unknown protocol or policy, a depth below 1, block_mb not above 0.

    Example:
        >>> MarketEvaluator(protocol="Market")
        Traceback (most recent call last):
        ValueError: no protocol named 'Market'; available: market, single-camera
    """

    def __init__(
        self,
        topk: Sequence[int] = (1, 5, 10),
        block_mb: float = 64,
        invalid: str = "drop",
        protocol: str = "market",
    ):
        find_protocol(protocol)
        if invalid not in POLICIES:
            raise ValueError(f"invalid must be one of {POLICIES}, got {invalid!r}")
        if not topk or min(topk) < 1:
            raise ValueError(f"topk must be depths of at least 1, got {tuple(topk)}")
        if block_mb <= 0:
            raise ValueError(f"block_mb must be above 0 megabytes, got {block_mb}")
        self.topk, self.block_mb = tuple(topk), block_mb
        self.invalid, self.protocol = invalid, protocol

    def evaluate(
        self, query: Embedding, gallery: Embedding, query_split, gallery_split, matcher: nn.Module
    ) -> RankingResult:
        """Rank and score two splits (``reidkit.data`` Split: identities, cameras, paths, root).

        Raises:
            UserError, ValueError: as for `rank`.
        """
        result = rank(
            query,
            gallery,
            query_split.identities,
            query_split.cameras,
            gallery_split.identities,
            gallery_split.cameras,
            matcher,
            protocol=self.protocol,
            block_mb=self.block_mb,
            topk=self.topk,
            invalid=self.invalid,
            q_paths=_files(query_split),
            g_paths=_files(gallery_split),
        )
        data = f"{query_split.dataset} {query_split.name}/{gallery_split.name}"
        return replace(result, data=data)


def _files(split) -> list[str]:
    return [f"{split.root}/{path}" for path in split.paths]
