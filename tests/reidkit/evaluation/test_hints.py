"""What a report says about options that do not fit the test."""

import numpy as np
import pytest
import torch

from reidkit.evaluation import CosineMatcher, LabelledEmbeddings, Labels, RankingEvaluator
from reidkit.structures import Embedding


@pytest.mark.parametrize("k1, said", [(5, False), (40, True)])
def test_k1_far_above_the_mates_of_a_query_is_said(k1, said):
    people = np.repeat(np.arange(1, 21), 3)
    cameras = np.tile([0, 1, 2], 20)
    vectors = torch.randn(60, 1, 8, generator=torch.Generator().manual_seed(0))
    first = cameras == 0
    query, gallery = (
        LabelledEmbeddings(
            Embedding(vectors[torch.from_numpy(rows)]), Labels(people[rows], cameras[rows]), name
        )
        for rows, name in ((first, "query"), (~first, "gallery"))
    )
    steps = dict(rr=dict(type="KReciprocal", k1=k1, k2=2))
    result = RankingEvaluator(rerank=steps).evaluate(query, gallery, CosineMatcher())
    assert bool(result.hints) == said
    hint = f"k1={k1} is far above the 2 gallery images that a query has to find (median)"
    assert (hint in result.report()) == said and ("try k1=3" in result.report()) == said
