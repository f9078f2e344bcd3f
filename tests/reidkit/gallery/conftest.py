"""Galleries of embeddings that no network has to make."""

import pytest
import torch

from reidkit.evaluation import CosineMatcher
from reidkit.gallery import EmbeddingsOnly, Gallery
from reidkit.structures import Embedding

MODEL = "toy 1"


def embeddings(count, seed=0, parts=1):
    source = torch.Generator().manual_seed(seed)
    return Embedding(torch.randn(count, parts, 16, generator=source))


@pytest.fixture
def toy():
    return EmbeddingsOnly(MODEL, CosineMatcher())


@pytest.fixture
def people(tmp_path, toy):
    """A gallery of five people, two images each."""
    gallery = Gallery(tmp_path / "people", toy)
    for number in range(5):
        gallery.enrol(
            f"person-{number}", embeddings(2, number), [0, 1], [10.0, 20.0],
            source=f"form {number}", model=MODEL,
        )  # fmt: skip
    return gallery
