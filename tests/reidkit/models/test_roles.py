"""Losses in their roles: what each gets by name, in which precision, and what is refused."""

import pytest
import torch

import reidkit.models  # noqa: F401  (registers the components)
from reidkit.errors import UserError
from reidkit.models.roles import LossRole, learned
from reidkit.registry import LOSSES
from reidkit.structures import Embedding, Field, HeadOutput, ReIDBatch
from reidkit.testing.fakes import FakeMatcher, UnitMatcher
from reidkit.testing.supply import fake_supply


def batch_of(count: int = 4, **known) -> ReIDBatch:
    return ReIDBatch(torch.zeros(count, 3, 8, 4), **known)


@pytest.fixture
def role_of(monkeypatch):
    """A role of a loss whose ``forward`` is the function."""

    def make(forward, **options) -> LossRole:
        kind = type("Given", (torch.nn.Module,), dict(forward=staticmethod(forward)))
        monkeypatch.setitem(LOSSES._module_dict, "Given", kind)
        return LossRole(dict(type="Given"), **options)

    return make


@pytest.mark.parametrize(
    "batch, missing",
    [
        (batch_of(identities=torch.arange(4)), "['logits']"),
        (batch_of(), "['logits', 'identities']"),
    ],
)
def test_what_neither_head_nor_batch_has_is_named(batch, missing):
    role = LossRole(dict(type="CrossEntropyLoss"), domain="target", head="parts")
    with pytest.raises(UserError) as error:
        role(HeadOutput(), batch)
    said = str(error.value)
    assert said.startswith(f"CrossEntropyLoss on domain 'target' asks for {missing}")
    assert "'parts' head" in said


def test_any_name_travels_from_the_head_or_the_batch(role_of):
    role = role_of(lambda phase, moon: (phase * moon).sum(), weight=0.5)
    assert role.asks == role.required == ("phase", "moon")
    batch = batch_of(fields={"moon": Field(torch.tensor([1.0, 2, 3, 4]))})
    assert role(HeadOutput(outputs={"phase": torch.ones(4)}), batch).item() == 5.0
    with pytest.raises(UserError, match=r"asks for \['phase'\], but neither the 'embed' head"):
        role(HeadOutput(), batch)


def test_a_name_with_a_default_may_be_missing(role_of):
    role = role_of(lambda logits, visibility=None: logits.sum() * (visibility is None))
    assert (role.asks, role.required) == (("logits", "visibility"), ("logits",))
    output = HeadOutput(outputs={"logits": torch.ones(4, 1, 2)})
    assert role(output, batch_of()).item() == 8.0
    assert role(output, batch_of(fields={"visibility": Field(torch.ones(4, 1))})).item() == 0.0


def test_the_visibility_of_an_embedding_is_not_that_of_the_batch(role_of):
    role = role_of(lambda vectors, visibility=None: torch.tensor(float(visibility is None)))
    batch = batch_of(fields={"visibility": Field(torch.ones(4, 9))})
    parts = HeadOutput(Embedding(torch.ones(4, 6, 2)))
    assert role(parts, batch).item() == 1.0, "six parts of the head, nine regions of the batch"


def test_outputs_and_scores_come_in_float32_outside_of_autocast(role_of):
    def total(layers, scores):
        assert layers["layer"].dtype == scores.dtype == torch.float32
        assert (scores @ scores).dtype == torch.float32, "autocast is on"
        return layers["layer"].sum() + scores.sum()

    class Products(torch.nn.Module):
        def scores(self, query, gallery):
            return query.vectors[:, 0] @ gallery.vectors[:, 0].T

    output = HeadOutput(
        Embedding(torch.ones(4, 1, 2, dtype=torch.bfloat16)),
        {"layers": {"layer": torch.ones(3, dtype=torch.bfloat16)}},
    )
    with torch.autocast("cpu", torch.bfloat16):
        assert role_of(total)(output, batch_of(), Products()).item() == 35.0


def test_half_precision_reaches_the_core_losses_as_float32():
    vectors = torch.nn.functional.normalize(torch.randn(4, 1, 8), dim=2).to(torch.bfloat16)
    batch = batch_of(identities=torch.tensor([0, 0, 1, 1]))
    for name in ("BatchHardTripletLoss", "OIMLoss"):
        role = LossRole(dict(type=name), supply=fake_supply("losses", width=8))
        low = vectors.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            value = role(HeadOutput(Embedding(low)), batch)
        value.backward()
        assert value.dtype == torch.float32 and low.grad.isfinite().all(), name


def test_scores_need_an_embedding_and_a_learned_matcher(role_of):
    role = role_of(lambda scores: scores.sum())
    with pytest.raises(UserError, match="asks for scores, but its head gives no embedding"):
        role(HeadOutput(), batch_of(), FakeMatcher())
    with pytest.raises(UserError, match="UnitMatcher is none; set model.matcher to one with"):
        learned(UnitMatcher(), role)


@pytest.mark.parametrize(
    "shape, hint",
    [((4, 5, 1), "K = 3 training identities"), ((4, 3), r"logits\[:, None\] makes them one part")],
)
def test_logits_of_another_shape_are_refused(shape, hint):
    supply = fake_supply("losses", num_identities=3)
    role = LossRole(dict(type="CrossEntropyLoss"), supply=supply)
    batch = batch_of(identities=torch.arange(4) % 3)
    with pytest.raises(UserError, match=rf"the 'embed' head gave logits .*{hint}"):
        role(HeadOutput(outputs={"logits": torch.zeros(shape)}), batch)
    assert role(HeadOutput(outputs={"logits": torch.zeros(4, 5, 3)}), batch).shape == ()
