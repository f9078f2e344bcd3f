"""Query expansion and database augmentation against loops; chains of steps."""

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.evaluation import (
    CosineMatcher,
    DatabaseAugmentation,
    LabelledEmbeddings,
    Labels,
    QueryExpansion,
    RankingEvaluator,
)
from reidkit.registry import RERANKERS
from reidkit.structures import Embedding, ImageMeta

METAS = ImageMeta(None), ImageMeta(None)


def sides(parts=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [Embedding(torch.randn(n, parts, 6, generator=generator)) for n in (5, 12)]


def by_loops(images, of, k, alpha, own):
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)  # noqa: E731
    parts = [unit(e.vectors.double().numpy()) for e in (images, of)]
    joined = [unit(x.reshape(len(x), -1)) for x in parts]
    out = []
    for vector, whole in zip(parts[0], joined[0], strict=True):
        cosine = joined[1] @ whole
        near = np.argsort(-cosine, kind="stable")[:k]
        weight = np.maximum(cosine[near], 0) ** alpha
        total = np.einsum("k,kpd->pd", weight, parts[1][near]) + (vector if own else 0)
        out.append(total / (weight.sum() + (1 if own else 0)))
    return np.array(out)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
@pytest.mark.parametrize("block_mb", [64, 1e-9])
def test_equal_to_loops(parts, alpha, block_mb):
    query, gallery = sides(parts)
    step = QueryExpansion(4, alpha, block_mb)
    found, same, _ = step.rerank(query, gallery, CosineMatcher(), *METAS)
    np.testing.assert_allclose(found.vectors, by_loops(query, gallery, 4, alpha, True), atol=1e-6)
    assert same is gallery
    step = DatabaseAugmentation(4, alpha, block_mb)
    same, found, _ = step.rerank(query, gallery, CosineMatcher(), *METAS)
    np.testing.assert_allclose(
        found.vectors, by_loops(gallery, gallery, 4, alpha, False), atol=1e-6
    )
    assert same is query


def test_steps_follow_each_other_and_are_named():
    query, gallery = sides()
    labels = Labels(np.arange(5) % 3 + 1, [0] * 5), Labels(np.arange(12) % 3 + 1, [1] * 12)
    steps = dict(
        dba=dict(type="DatabaseAugmentation", k=2),
        aqe=dict(type="QueryExpansion"),
        rr=dict(type="KReciprocal", k1=4, k2=2),
    )
    result = RankingEvaluator(rerank=steps).evaluate(
        LabelledEmbeddings(query, labels[0]),
        LabelledEmbeddings(gallery, labels[1], "gallery"),
        CosineMatcher(),
    )
    assert result.matcher == (
        "CosineMatcher -> DatabaseAugmentation(k=2) -> QueryExpansion -> KReciprocal(k1=4, k2=2)"
    )


def test_maps_cannot_be_expanded():
    maps = Embedding(maps=torch.rand(3, 2, 4, 4))

    class First(torch.nn.Module):
        def forward(self, query, gallery):
            return torch.rand(len(query), len(gallery))

    with pytest.raises(UserError, match="need embeddings with vectors"):
        QueryExpansion().rerank(maps, maps, First(), *METAS)


def test_rerankers_are_built_by_name_with_the_evaluators_block_size():
    step = RERANKERS.build(dict(type="QueryExpansion", k=7), dict(block_mb=3.0, settings=None))
    assert (step.k, step.block_mb) == (7, 3.0)
    with pytest.raises(ValueError, match="k must be at least 1 and alpha not below 0"):
        RERANKERS.build(dict(type="DatabaseAugmentation", k=0))
