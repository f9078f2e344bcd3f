"""The contract checks themselves: each must see the fault it is there for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidkit.registry import KINDS
from reidkit.structures import Embedding, HeadOutput
from reidkit.testing import ContractError, check_component, documentation_problems


def broken(kind: str, component: type, monkeypatch) -> str:
    """What the check says of a component that is registered for one call only."""
    monkeypatch.setitem(KINDS[kind].module_dict, component.__name__, component)
    with pytest.raises(ContractError) as error:
        check_component(kind, component.__name__)
    return str(error.value)


class NoBounds(nn.Module):
    """A matcher that leaves its bounds."""

    bounds = (0.0, 0.5)

    def __init__(self):
        super().__init__()

    def forward(self, query, gallery):
        return torch.cdist(query.vectors.flatten(1), gallery.vectors.flatten(1))


class Similarity(NoBounds):
    """A matcher that takes larger for closer."""

    bounds = (-1000.0, 1000.0)

    def forward(self, query, gallery):
        return query.vectors.flatten(1) @ gallery.vectors.flatten(1).T


class Detached(nn.Module):
    """A loss whose gradient ends."""

    def __init__(self):
        super().__init__()

    def forward(self, vectors, identities):
        return vectors.mean() * 0


class PerImage(Detached):
    """A loss that is not reduced."""

    def forward(self, vectors, identities):
        return vectors.mean(dim=(1, 2))


class Undocumented(Detached):
    """A loss with a secret.

    Args:
        marign: a misspelt name.
    """

    def __init__(self, margin: float = 0.3):
        super().__init__()


class Half(nn.Module):
    """A head that loses images."""

    def __init__(self):
        super().__init__()

    def forward(self, maps, batch):
        return HeadOutput(Embedding(maps["deep"].mean((2, 3))[:4, None]))


class InPlace:
    """A transform that writes into its input."""

    def __call__(self, batch):
        batch.images.zero_()
        return batch


class Unseeded:
    """A transform with randomness of its own."""

    def __call__(self, batch):
        from dataclasses import replace

        return replace(batch, images=torch.rand(batch.images.shape))


class SameAgain:
    """A sampler that ignores the epoch.

    Args:
        num_samples: how many.
    """

    def __init__(self, num_samples: int):
        self.rows = [[i] for i in range(num_samples)]

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)

    def set_epoch(self, epoch):
        pass


@pytest.mark.parametrize(
    "kind, component, said",
    [
        ("matchers", NoBounds, "distances leave the bounds (0.0, 0.5)"),
        ("matchers", Similarity, "another image is closer than the same one"),
        ("losses", Detached, "no gradient reaches the inputs"),
        ("losses", PerImage, "expected a scalar, got shape (8,)"),
        (
            "losses",
            Undocumented,
            "docstring: 'margin' is not documented; 'marign' is documented but no argument",
        ),
        ("heads", Half, "vectors has 4 rows for 8 images"),
        ("transforms", InPlace, "the images of the input batch were changed"),
        ("transforms", Unseeded, "images differs for the same generator"),
        ("samplers", SameAgain, "epochs 0 and 1 are the same"),
    ],
)
def test_each_check_sees_its_fault(kind, component, said, monkeypatch):
    assert broken(kind, component, monkeypatch) == said


def test_no_docstring():
    assert documentation_problems(type("Bare", (), {})) == ["there is no docstring"]


class Shrinking(nn.Module):
    """A re-ranker that loses gallery images."""

    def __init__(self):
        super().__init__()

    def rerank(self, query, gallery, matcher, query_sight, gallery_sight):
        return query, gallery[1:], matcher


class Peeking(Shrinking):
    """A re-ranker that wants to know who is who."""

    def rerank(self, query, gallery, matcher, query_sight, gallery_sight):
        return query, gallery[torch.as_tensor(gallery_sight.identities).argsort()], matcher


class ByCamera(Shrinking):
    """A re-ranker that puts images of far times behind; a matcher of its own does it."""

    def rerank(self, query, gallery, matcher, query_sight, gallery_sight):
        late = torch.as_tensor(gallery_sight.times / 1000.0).float()

        class Later(nn.Module):
            bounds = (0.0, 2.0)

            def forward(self, query, gallery):
                return matcher(query, gallery) + late

        return query, gallery, Later()


def test_rerankers_are_held_to_their_contract(monkeypatch):
    assert "the number of images changed" in broken("rerankers", Shrinking, monkeypatch)
    assert "identities" in broken("rerankers", Peeking, monkeypatch)
    monkeypatch.setitem(KINDS["rerankers"].module_dict, "ByCamera", ByCamera)
    assert check_component("rerankers", "ByCamera") == "documented, built, distances checked"
