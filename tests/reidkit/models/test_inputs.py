"""Which labels are loaded: those that something on the domain asks for and nothing gives."""

from types import SimpleNamespace

import pytest
import torch

import reidkit.models  # noqa: F401  (registers the components)
from reidkit.models.inputs import gives_of, label_names, who_gives
from reidkit.models.roles import LossRole
from reidkit.registry import DATASETS, HEADS, LOSSES, TRANSFORMS


def part(**declared) -> SimpleNamespace:
    """A head, backbone or transform that declares these names."""
    return SimpleNamespace(**declared)


@pytest.fixture
def role_of(monkeypatch):
    def make(forward, **options) -> LossRole:
        kind = type("Given", (torch.nn.Module,), dict(forward=staticmethod(forward)))
        monkeypatch.setitem(LOSSES._module_dict, "Given", kind)
        return LossRole(dict(type="Given"), **options)

    return make


PLAIN = part(gives=("vectors", "logits"))
MASKS = part(adds=("masks", "visibility"), asks=("keypoints",))


def test_what_every_batch_brings_is_no_label(role_of):
    role = role_of(lambda logits, identities, cameras, times, indices, image_sizes: logits)
    assert label_names([role], {"embed": PLAIN}, part(asks=("cameras",)), []) == set()


def test_a_loss_asks_for_what_its_head_does_not_give(role_of):
    role = role_of(lambda logits, part_map: logits)
    assert label_names([role], {"embed": PLAIN}, part(), []) == {"part_map"}
    head = part(gives=("logits", "part_map"))
    assert label_names([role], {"embed": head}, part(), []) == set()


def test_an_optional_input_loads_nothing(role_of):
    role = role_of(lambda logits, keypoints=None: logits)
    assert label_names([role], {"embed": PLAIN}, part(), []) == set()


def test_scores_and_matcher_come_from_the_model(role_of):
    role = role_of(lambda scores, matcher, identities: scores)
    assert label_names([role], {"embed": PLAIN}, part(), []) == set()


def test_a_transform_that_adds_what_a_head_asks_moves_the_question_to_its_own():
    head = part(gives=("vectors",), asks=("masks",))
    assert label_names([], {"embed": head}, part(), []) == {"masks"}
    assert label_names([], {"embed": head}, part(), [MASKS]) == {"keypoints"}
    assert label_names([], {"embed": PLAIN}, part(), [MASKS]) == set(), "nobody asks for masks"


def test_transforms_chain_in_their_order():
    head = part(asks=("masks",))
    pose = part(adds=("keypoints",), asks=("heatmaps",))
    assert label_names([], {"embed": head}, part(), [pose, MASKS]) == {"heatmaps"}
    late = label_names([], {"embed": head}, part(), [MASKS, pose])
    assert late == {"keypoints"}, "what a later transform adds comes too late for an earlier one"


def test_every_head_that_runs_and_the_backbone_ask(role_of):
    aux = part(gives=("logits",), asks=("part_map",))
    role = role_of(lambda logits: logits, head="aux")
    heads = {"embed": PLAIN, "aux": aux}
    assert label_names([role], heads, part(asks=("text",)), []) == {"part_map", "text"}


def test_the_names_of_heads_and_of_what_gives_a_name():
    assert gives_of(PLAIN) == {"vectors", "logits"} and gives_of(object()) == set()
    assert "BNNeckHead" in who_gives("logits") and "model.head" in who_gives("logits")
    assert who_gives("moon_phase") == "no registered head, transform or dataset gives it"


def test_all_three_kinds_are_named(monkeypatch):
    for registry, name, declared in (
        (HEADS, "MoonHead", dict(gives=("moon",))),
        (TRANSFORMS, "MoonLight", dict(adds=("moon",))),
        (DATASETS, "MoonSet", dict(labels=("moon",))),
    ):
        registry.names()  # imports the core's own
        monkeypatch.setitem(registry._module_dict, name, type(name, (), declared))
    said = who_gives("moon")
    for text in (
        "MoonHead gives it (model.head, model.aux_heads)",
        "MoonLight adds it (model.transforms)",
        "MoonSet brings it (data.domains)",
    ):
        assert text in said
