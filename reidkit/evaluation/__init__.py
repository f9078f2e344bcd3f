"""Exact, streamed evaluation: matchers, protocols, ranks by counting, and metrics from ranks.

In reading order: `sides` (embeddings with labels), `matchers` (how far), `protocols` (right, wrong
or left out), `arrange` (what a protocol does to the sides, and over which trials), `rerank` with
`neighbours`, `k_reciprocal` and `expansion` (steps between distances and ranking), `ranking` (ranks
from blocks of distances), `single_shot` (chances of ranks), `metrics` (numbers from ranks),
`score`, `guards`, `evaluator` (all of it in order) and `result` (what is shown).
"""

from reidkit.evaluation.arrange import arrange, pool_queries, random_halves
from reidkit.evaluation.blocks import blocks
from reidkit.evaluation.evaluator import RankingEvaluator
from reidkit.evaluation.expansion import DatabaseAugmentation, QueryExpansion
from reidkit.evaluation.k_reciprocal import KReciprocal
from reidkit.evaluation.matchers import Matcher
from reidkit.evaluation.protocols import PROTOCOLS, Protocol, Relations, relate
from reidkit.evaluation.ranking import Ranks, rank_positives, top_matches
from reidkit.evaluation.rerank import Reranker, UnitRange, as_matcher, unit_range
from reidkit.evaluation.result import RankingResult
from reidkit.evaluation.score import mean_over_trials, score
from reidkit.evaluation.sides import Labels, Side
from reidkit.evaluation.single_shot import single_shot_cmc
from reidkit.evaluation.table import TableMatcher, positions
from reidkit.evaluation.vector_distances import CosineMatcher, EuclideanMatcher
from reidkit.evaluation.visible_parts import VisiblePartsMatcher

__all__ = [
    "PROTOCOLS",
    "CosineMatcher",
    "DatabaseAugmentation",
    "EuclideanMatcher",
    "KReciprocal",
    "Labels",
    "Matcher",
    "Protocol",
    "QueryExpansion",
    "RankingEvaluator",
    "RankingResult",
    "Ranks",
    "Relations",
    "Reranker",
    "Side",
    "TableMatcher",
    "UnitRange",
    "VisiblePartsMatcher",
    "arrange",
    "as_matcher",
    "blocks",
    "mean_over_trials",
    "pool_queries",
    "positions",
    "random_halves",
    "rank_positives",
    "relate",
    "score",
    "single_shot_cmc",
    "top_matches",
    "unit_range",
]
