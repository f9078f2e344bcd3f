"""Random embeddings of a query and a gallery, for whole evaluations of small data sets."""

import pytest
import torch

from reidkit.structures import Embedding
from reidkit.testing.fakes import labelled


@pytest.fixture
def random_sides():
    """``random_sides(query, gallery, dims, seed)``: both splits with random vectors."""

    def make(query, gallery, dims=8, seed=0):
        random = torch.Generator().manual_seed(seed)
        both = (query, gallery)
        vectors = [torch.randn(len(split), 2, dims, generator=random) for split in both]
        return labelled([Embedding(one) for one in vectors], both)

    return make
