"""Exact, streamed evaluation: matchers, protocols, ranks by counting, and metrics from ranks.

In reading order: `labelled` (embeddings with labels); `matchers` (how far two images are);
`protocols` (positives, negatives and junk of every query) and `apply_protocol` (pooled queries,
trials); `ranking` (`blocks` and `tiles` of distances, `repeats` among the images, `counting` of
closer negatives, `ranks`); `metrics` (`ranked`, `single_shot`, `verification`, `camera_pairs`,
`intervals`) and `score`; `rerank` (steps between distances and ranking: `neighbours`,
`k_reciprocal`, `expansion`); `guards`, `evaluator` (all of it in order) and `result` (what is
shown); `io` (files of features and of queries) and `compare` (two runs).
"""

from reidkit.evaluation.apply_protocol import apply_protocol, pool_queries, random_halves
from reidkit.evaluation.evaluator import RankingEvaluator
from reidkit.evaluation.labelled import LabelledEmbeddings, Labels
from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.matchers.precomputed import PrecomputedMatcher, RowIds, precomputed
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.evaluation.matchers.vectors import CosineMatcher, EuclideanMatcher
from reidkit.evaluation.matchers.visible_parts import VisiblePartsMatcher
from reidkit.evaluation.metric import RankingMetric, ranking_metrics
from reidkit.evaluation.metrics.single_shot import single_shot_cmc
from reidkit.evaluation.protocols import PROTOCOLS, GroundTruth, Protocol, match_labels
from reidkit.evaluation.ranking.blocks import blocks
from reidkit.evaluation.ranking.ranks import Ranks, rank_positives, top_matches
from reidkit.evaluation.rerank.base import Reranker, UnitRange, as_matcher, unit_range
from reidkit.evaluation.rerank.expansion import DatabaseAugmentation, QueryExpansion
from reidkit.evaluation.rerank.k_reciprocal import KReciprocal
from reidkit.evaluation.result import RankingResult
from reidkit.evaluation.score import mean_over_trials, score

__all__ = [
    "PROTOCOLS",
    "CosineMatcher",
    "DatabaseAugmentation",
    "EuclideanMatcher",
    "KReciprocal",
    "Labels",
    "Matcher",
    "Prepared",
    "Protocol",
    "QueryExpansion",
    "RankingEvaluator",
    "RankingMetric",
    "RankingResult",
    "Ranks",
    "GroundTruth",
    "Reranker",
    "LabelledEmbeddings",
    "PrecomputedMatcher",
    "RowIds",
    "UnitRange",
    "VisiblePartsMatcher",
    "apply_protocol",
    "as_matcher",
    "blocks",
    "mean_over_trials",
    "pool_queries",
    "precomputed",
    "random_halves",
    "rank_positives",
    "ranking_metrics",
    "match_labels",
    "score",
    "single_shot_cmc",
    "top_matches",
    "unit_range",
]
