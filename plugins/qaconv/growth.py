"""How graph sampling grows with the number of people: for `tools/bench.py growth`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from reidkit.evaluation import CosineMatcher
from reidkit.structures import Embedding
from reidkit_plugins.qaconv.sampler import GraphSampler


def graph_sampling(count: int, folder: Path) -> Callable[[], object]:
    """The graph of an epoch and its batches: all people compared, of eight crops each.

    Args:
        count: of people.
        folder: not used.
    """
    vectors = torch.randn(8 * count, 1, 128, generator=torch.Generator().manual_seed(0))
    model: Any = SimpleNamespace(
        embed=lambda rows: Embedding(vectors[torch.from_numpy(rows)]), matcher=CosineMatcher()
    )
    identities = np.repeat(np.arange(count), 8)
    return lambda: GraphSampler(identities, batch_size=64, k=4, distance="cosine").refresh(model)
