"""From embeddings to the numbers people quote, with everything needed to compare them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

import numpy as np
from mmengine.dist import all_gather_object, get_rank, get_world_size
from numpy.typing import NDArray
from torch import nn

from reidkit.data.split import Trial
from reidkit.errors import UserError
from reidkit.evaluation.apply_protocol import POOLS, apply_protocol, check_trials, random_halves
from reidkit.evaluation.guards import check_options, check_sides, check_valid, rerank_hints
from reidkit.evaluation.labelled import LabelledEmbeddings
from reidkit.evaluation.metrics.camera_pairs import by_camera_pair
from reidkit.evaluation.metrics.intervals import bootstrap_intervals, per_query_metrics
from reidkit.evaluation.metrics.single_shot import single_shot_cmc
from reidkit.evaluation.metrics.verification import Verification, histogram_range
from reidkit.evaluation.protocols import (
    GroundTruth,
    Protocol,
    ProtocolName,
    find_protocol,
    match_labels,
)
from reidkit.evaluation.ranking.ranks import Ranks, rank_positives
from reidkit.evaluation.rerank.base import build_rerankers
from reidkit.evaluation.result import RankingResult
from reidkit.evaluation.score import mean_over_trials, score, score_single_shot
from reidkit.registry import EVALUATORS

POLICIES = ("drop", "zero")
SINGLE_SHOT = ("exact", "sampled")
T = TypeVar("T")


@EVALUATORS.register_module()
class RankingEvaluator:
    """Ranks a gallery for every query and scores the rankings under a named protocol.

    Under several processes each ranks its share of the queries, and all return the same result.

    Args:
        protocol: a name in `PROTOCOLS`; None takes the one that the data set states for itself.
        topk: depths k of the CMC figures "R<k>".
        block_mb: memory for a block of distances, megabytes; independent of the gallery.
        invalid: queries without a positive are left out of the means ("drop"), or count as 0
            ("zero", as the MATLAB code of Market-1501 does).
        single_shot: "exact" expectation over the images shown, or "sampled" galleries.
        repeats: galleries drawn for each query when sampled.
        pool: multi-query: "mean" or "max" over a person's images.
        trials: random halves where the protocol asks for them and the data set brings none.
        seed: of sampled galleries and random halves.
        rerank: steps between distances and ranking, in order: name -> ``type`` (of RERANKERS) and
            options. A name is yours to choose, as the place to override it.
        far_targets: false accept rates at which the true accept rate is given; none: no
            verification.
        fpir_targets: false alarm rates at which missed searches are given; none: no open-set
            search.
        camera_pairs: also score every pair of cameras, at the cost of another pass.
        bootstrap: resamples for 95 % intervals over queries; 0 for none.
        settings: of the run, for re-rankers that declare them. Supplied by the framework.

    Raises:
        ValueError: unknown protocol, policy, pool or sampling, a depth below 1, more than a million
            repeats, trials or resamples, block_mb not above 0, a negative seed.

    Example:
        >>> import torch
        >>> from reidkit.evaluation import CosineMatcher, Labels
        >>> from reidkit.structures import Embedding
        >>> gallery = Embedding(torch.tensor([[[1.0, 0.1]], [[1.0, 0.2]], [[0.0, 1.0]]]))
        >>> query = Embedding(torch.tensor([[[1.0, 0.0]]]))
        >>> query = LabelledEmbeddings(query, Labels([7], [1]))
        >>> gallery = LabelledEmbeddings(gallery, Labels([5, 7, 8], [1, 2, 2]))
        >>> RankingEvaluator().evaluate(query, gallery, CosineMatcher()).metrics["mAP"]
        0.5
    """

    def __init__(
        self,
        protocol: ProtocolName | None = None,
        topk: Sequence[int] = (1, 5, 10),
        block_mb: float = 64,
        invalid: Literal["drop", "zero"] = "drop",
        single_shot: Literal["exact", "sampled"] = "exact",
        repeats: int = 100,
        pool: Literal["mean", "max"] = "mean",
        trials: int = 10,
        seed: int = 0,
        rerank: dict[str, dict] | None = None,
        far_targets: Sequence[float] = (),
        fpir_targets: Sequence[float] = (),
        camera_pairs: bool = False,
        bootstrap: int = 0,
        settings: Mapping | None = None,
    ):
        if protocol is not None:
            find_protocol(protocol)
        if invalid not in POLICIES:
            raise ValueError(f"invalid must be one of {POLICIES}, got {invalid!r}")
        if single_shot not in SINGLE_SHOT:
            raise ValueError(f"single_shot must be one of {SINGLE_SHOT}, got {single_shot!r}")
        if pool not in POOLS:
            raise ValueError(f"pool must be one of {POOLS}, got {pool!r}")
        counts = dict(repeats=repeats, trials=trials, bootstrap=bootstrap)
        check_options(topk, counts, (*far_targets, *fpir_targets), block_mb, seed)
        self.protocol, self.topk, self.block_mb = protocol, tuple(topk), block_mb
        self.invalid, self.pool, self.seed = invalid, pool, seed
        self.single_shot, self.repeats, self.trials = single_shot, repeats, trials
        self.far_targets, self.fpir_targets = tuple(far_targets), tuple(fpir_targets)
        self.camera_pairs, self.bootstrap = camera_pairs, bootstrap
        self.rerankers = build_rerankers(rerank, block_mb, settings)

    def extra_splits(self, protocol: str = "market") -> tuple[str, ...]:
        """Names of the splits it needs beside query and gallery ("multi_query").

        Args:
            protocol: that the data set states for itself.
        """
        return find_protocol(self.protocol or protocol).extra_splits

    def evaluate(
        self,
        query: LabelledEmbeddings,
        gallery: LabelledEmbeddings,
        matcher: nn.Module,
        *,
        protocol: str = "market",
        trials: Sequence[Trial] = (),
        multi_query: LabelledEmbeddings | None = None,
    ) -> RankingResult:
        """Rank and score embeddings with labels.

        Args:
            query: Q raw embeddings with labels.
            gallery: G of them, on the device where the distances are to be computed.
            matcher: a `Matcher` or a module with ``forward(query, gallery)``; smaller is closer.
            protocol: that the data set states for itself; an evaluator's own comes first.
            trials: the data set's repetitions of the test; none for one.
            multi_query: further images of the queries' people.

        Raises:
            UserError: empty sides, NaN, infinite or collapsed embeddings, no valid query, or
                something that the protocol needs and the data does not bring.
            ValueError: trials with rows that do not exist.
        """
        rules = find_protocol(self.protocol or protocol)
        if rules.random_halves and not trials:
            trials = random_halves(query.labels, gallery.labels, self.trials, self.seed)
        if rules.single_shot and (self.far_targets or self.fpir_targets or self.camera_pairs):
            raise UserError(
                "far_targets, fpir_targets and camera_pairs are of whole galleries; protocol "
                f"{rules.name} shows one image of each person: leave them out, or use protocol "
                "market"
            )
        if not trials:
            result = self._one(rules, query, gallery, matcher, multi_query)
        else:
            check_trials(trials, len(query), len(gallery))
            result = mean_over_trials(
                [
                    self._one(rules, query, gallery, matcher, multi_query, one.query, one.gallery)
                    for one in trials
                ]
            )
        if query.dataset:
            result = replace(result, data=f"{query.dataset} {query.name}/{gallery.name}")
        return self._with_intervals(result) if self.bootstrap else result

    def _one(
        self,
        rules: Protocol,
        query: LabelledEmbeddings,
        gallery: LabelledEmbeddings,
        matcher: nn.Module,
        multi_query: LabelledEmbeddings | None,
        rows: NDArray | slice = slice(None),
        columns: NDArray | slice = slice(None),
    ) -> RankingResult:
        """One test: some rows of the queries against some of the gallery."""
        numbers = np.arange(len(query))[rows]
        query, gallery = apply_protocol(
            rules, query[rows], gallery[columns], multi_query, self.pool
        )
        truth = match_labels(rules, query.labels, gallery.labels)
        check_valid(rules, truth, query.labels, gallery.labels)
        hints = check_sides(query, gallery, matcher)
        name = " -> ".join([type(matcher).__name__, *self.rerankers])
        embeddings = query.embedding, gallery.embedding
        for step in self.rerankers.values():
            first, second, matcher = step.rerank(*embeddings, matcher, query.meta, gallery.meta)
            embeddings = first, second
        query = replace(query, embedding=embeddings[0])
        gallery = replace(gallery, embedding=embeddings[1])
        score_one = self._single_shot if rules.single_shot else self._whole
        result = score_one(rules, query, gallery, matcher, truth, name)
        result = replace(result, hints=(*hints, *rerank_hints(self.rerankers, truth)))
        if self.camera_pairs:
            pairs = by_camera_pair(rules, query, gallery, matcher, self.block_mb)
            result = replace(result, camera_pairs=pairs)
        return _labelled(result, query, numbers)

    def _whole(
        self,
        rules: Protocol,
        query: LabelledEmbeddings,
        gallery: LabelledEmbeddings,
        matcher: nn.Module,
        truth: GroundTruth,
        name: str,
    ) -> RankingResult:
        """Scores of rankings of the whole gallery."""
        sides = query.embedding, gallery.embedding
        verify = bool(self.far_targets or self.fpir_targets)
        queries = truth.people if verify else truth.valid
        keep = int(max(self.far_targets, default=0) * truth.n_impostors(queries)) + 2
        limits = histogram_range(*sides, matcher) if verify else (0.0, 0.0)

        def work(part: NDArray[np.int64]) -> tuple[Ranks, Verification | None]:
            seen = Verification(*limits, keep) if verify else None
            ranks = rank_positives(*sides, truth, matcher, self.block_mb, part, seen)
            return ranks, seen

        parts = _shared(queries, work)
        ranks = Ranks.join([ranks for ranks, _ in parts])
        result = score(ranks, truth, rules, name, self.topk, self.invalid)
        if not verify:
            return result
        seen = Verification.join([seen for _, seen in parts if seen is not None])
        summary = seen.summary(self.far_targets, self.fpir_targets, truth.without_mate)
        return replace(result, verification=summary)

    def _single_shot(
        self,
        rules: Protocol,
        query: LabelledEmbeddings,
        gallery: LabelledEmbeddings,
        matcher: nn.Module,
        truth: GroundTruth,
        name: str,
    ) -> RankingResult:
        """Expected scores of rankings with one image of each person."""
        repeats = self.repeats if self.single_shot == "sampled" else None
        how = "exact" if repeats is None else f"{repeats} sampled galleries, seed {self.seed}"
        parts = _shared(
            truth.valid,
            lambda part: single_shot_cmc(
                query.embedding, gallery.embedding, truth, query.labels, gallery.labels,
                matcher, min(max(self.topk), len(gallery)), self.block_mb, repeats, self.seed, part,
            ),
        )  # fmt: skip
        chances = np.concatenate(parts, axis=1)
        return score_single_shot(chances, truth, rules, name, self.topk, self.invalid, how)

    def _with_intervals(self, result: RankingResult) -> RankingResult:
        columns = per_query_metrics(result.per_query, list(result.metrics), result.policy)
        groups = result.per_query.get("trial")
        if groups is not None and result.policy == "drop":
            groups = groups[result.per_query["n_positives"] > 0]
        intervals = bootstrap_intervals(columns, self.bootstrap, seed=self.seed, groups=groups)
        return replace(result, intervals=intervals)


def _shared(valid: NDArray[np.int64], work: Callable[[NDArray[np.int64]], T]) -> list[T]:
    """The work on every process's share of the valid queries, in their order, on every process."""
    world = get_world_size()
    if world == 1:
        return [work(valid)]
    return all_gather_object(work(np.array_split(valid, world)[get_rank()]))


def _labelled(
    result: RankingResult, query: LabelledEmbeddings, numbers: NDArray[np.int64]
) -> RankingResult:
    """The result with each query's row, file, identity and camera among its columns."""
    labels = query.labels
    known = {
        "query": numbers,
        "file": np.array([labels.file(i) for i in range(len(labels))]),
        "identity": np.array([labels.person(i) for i in range(len(labels))])
        if labels.names
        else labels.identities,
        "camera": labels.cameras,
    }
    invalid = [(int(numbers[index]), reason) for index, reason in result.invalid]
    return replace(result, per_query={**known, **result.per_query}, invalid=invalid)
