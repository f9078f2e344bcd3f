"""pyppbox-torchreid, which is torchreid with its compiled scorer, one thread."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def ranking(given: Any) -> Callable:
    """Cosine distances of all pairs, then its Cython scorer.

    Raises:
        ImportError: the scorer is not compiled.
    """
    from pyppbox_torchreid.metrics import compute_distance_matrix, evaluate_rank
    from pyppbox_torchreid.metrics.rank import IS_CYTHON_AVAI

    if not IS_CYTHON_AVAI:
        raise ImportError("torchreid's compiled scorer")

    def work() -> float:
        query, gallery = torch.from_numpy(given.query), torch.from_numpy(given.gallery)
        table = compute_distance_matrix(query, gallery, "cosine").numpy()
        return float(evaluate_rank(table, *given.labels)[1])

    return work


def reranking(given: Any) -> Callable:
    """Its k-reciprocal re-ranking, of Euclidean distances as it was published."""
    from pyppbox_torchreid.metrics import compute_distance_matrix, evaluate_rank
    from pyppbox_torchreid.utils.rerank import re_ranking

    def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        squares = compute_distance_matrix(torch.from_numpy(left), torch.from_numpy(right))
        return squares.clamp_(min=0).sqrt_().numpy()

    def work() -> Callable:
        pairs = ((given.query, given.gallery), (given.query,) * 2, (given.gallery,) * 2)
        table = re_ranking(*(distances(*pair) for pair in pairs))
        return lambda: float(evaluate_rank(table, *given.labels)[1])

    return work
