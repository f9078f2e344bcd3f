"""Exact, streamed evaluation: matchers, protocols, ranks by counting, and metrics from ranks.

In reading order: `matchers` (how far), `protocols` (right, wrong or left out), `ranking` (ranks
from blocks of distances), `metrics` (numbers from ranks), `result` and `evaluator` (what is shown).
"""

from reidkit.evaluation.evaluator import MarketEvaluator, rank, score
from reidkit.evaluation.matchers import CosineMatcher, EuclideanMatcher, Matcher
from reidkit.evaluation.protocols import PROTOCOLS, Labels, Protocol, Relations, relate
from reidkit.evaluation.ranking import Ranks, blocks, rank_positives, top_matches
from reidkit.evaluation.result import RankingResult

__all__ = [
    "PROTOCOLS",
    "CosineMatcher",
    "EuclideanMatcher",
    "Labels",
    "MarketEvaluator",
    "Matcher",
    "Protocol",
    "RankingResult",
    "Ranks",
    "Relations",
    "blocks",
    "rank",
    "rank_positives",
    "relate",
    "score",
    "top_matches",
]
