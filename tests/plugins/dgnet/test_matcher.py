"""How two heads are compared."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from reidkit.structures import Embedding
from reidkit_plugins.dgnet.matcher import WeightedHeadsMatcher


def heads(n, seed):
    return Embedding(torch.randn(n, 2, 6, generator=torch.Generator().manual_seed(seed)))


@given(beta=st.floats(0, 1), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_score_is_the_first_cosine_plus_beta_times_the_second(beta, seed):
    query, gallery = heads(3, seed), heads(4, seed + 1)
    distances = WeightedHeadsMatcher(beta)(query, gallery)
    for i in range(3):
        for j in range(4):
            one, two = (
                F.cosine_similarity(query.vectors[i, k], gallery.vectors[j, k], dim=0)
                for k in (0, 1)
            )
            expected = 1 + beta - float(one) - beta * float(two)
            assert distances[i, j].item() == pytest.approx(expected, abs=1e-5)


def test_without_beta_the_first_head_is_alone():
    from reidkit.evaluation import CosineMatcher

    query, gallery = heads(3, 0), heads(4, 1)
    first = [Embedding(e.vectors[:, :1]) for e in (query, gallery)]
    alone = CosineMatcher()(*first)
    assert torch.allclose(WeightedHeadsMatcher(0.0)(query, gallery), alone, atol=1e-6)


def test_beta_out_of_range():
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\]"):
        WeightedHeadsMatcher(1.5)


def test_embeddings_do_not_care_about_mirroring(net):
    model = net.tiny().eval()
    batch = net.quarters()
    mirrored = net.quarters()
    mirrored.images = batch.images.flip(3)
    one, two = model.embed(batch).vectors, model.embed(mirrored).vectors
    assert one.shape == (8, 2, 8) and torch.allclose(one, two, atol=1e-5)
    assert torch.allclose(one.norm(dim=2), torch.ones(8, 2), atol=1e-5)
