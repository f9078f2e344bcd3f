"""Every registered backbone, head, loss, sampler, matcher and evaluator on each other."""

from __future__ import annotations

import math
import random

import pytest

from reidkit.cli.components import everything
from reidkit.config import prepare_config
from reidkit.engine.dry_run import dry_run_problems
from reidkit.plugin import discover
from reidkit.registry import HEADS
from reidkit.structures import Embedding, HeadOutput
from reidkit.testing.matrix import AXES, SMALL, Matrix, walk

pytestmark = pytest.mark.slow

SHIPPED = [m for m in discover().plugins.values() if m.origin == "shipped"]
PLACES = ("model.backbone", "model.head", "model.losses.id.loss", "train.sampler",
          "model.matcher", "evaluation")  # fmt: skip


@pytest.fixture(scope="module")
def names() -> dict[str, list[str]]:
    return {kind: found for kind, found in everything(SHIPPED).items() if kind in AXES}


@pytest.fixture(scope="module")
def matrix(names) -> Matrix:
    return walk(names)


def test_every_combination_has_a_verdict_and_every_component_a_place(matrix, names):
    found = list(matrix.combinations())
    assert len(found) == math.prod(len(names[kind]) for kind in AXES)
    running = [parts for parts, reason in found if not reason]
    assert running and len(running) < len(found)
    unbuilt = {name for (_, name), reason in matrix.build.items() if reason}
    for axis, kind in enumerate(AXES):
        for name in set(names[kind]) - unbuilt:
            runs = any(parts[axis] == name for parts in running)
            # an auxiliary head or its loss stands in no combination, but runs with its partner
            pairs = {**matrix.in_head, **matrix.in_loss}
            runs = runs or any(name in key and not reason for key, reason in pairs.items())
            assert runs, f"{name} runs with nothing"
    print(f"\n{len(running)} of {len(found)} combinations run; why the others do not:")
    for reason in sorted({reason for _, reason in found if reason}):
        print(f"  {reason}")


def test_every_reason_is_in_words(matrix):
    """A reason that starts with the name of an exception was not written for people."""
    raw = {reason for _, reason in matrix.combinations() if reason.split(":")[0].endswith("Error")}
    assert not raw


@pytest.mark.parametrize("runs", [True, False], ids=["running", "refused"])
def test_verdicts_agree_with_configs_by_override_alone(matrix, runs):
    """A random choice of combinations, built from one config by nothing but overrides."""
    found = [
        (parts, reason)
        for parts, reason in matrix.combinations()
        if (not reason) == runs and not any(matrix.build.get(p) for p in zip(AXES, parts))  # noqa: B905
    ]
    for parts, reason in random.Random(0).sample(found, 6):
        overrides = [f"{place}={name}" for place, name in zip(PLACES, parts, strict=True)]
        overrides += [f"model.backbone.{k}={v}" for k, v in SMALL.get(parts[0], {}).items()]
        plugins = [m.name for m in SHIPPED]
        base = [f"plugins={plugins!r}", "~model.losses.ps", "~model.aux_heads",
                "settings.data_root=/nowhere"]  # fmt: skip
        cfg = prepare_config("eanet/pap_s_ps", [*base, *overrides])
        problems = [str(problem) for problem in dry_run_problems(cfg)]
        assert bool(problems) == (not runs), f"{parts}: {reason or 'runs'}, but {problems}"


def test_a_component_is_in_it_because_it_is_registered(names, monkeypatch):
    class Flat:
        """A head without a batch norm."""

        def __init__(self, features):
            self.map = list(features)[-1]

        def train(self):
            return self

        eval = train

        def __call__(self, maps, batch):
            return HeadOutput(Embedding(maps[self.map].mean((2, 3))[:, None]))

    Flat.__module__ = "reidkit.models.heads"
    monkeypatch.setitem(HEADS.module_dict, "Flat", Flat)
    found = everything(SHIPPED)
    assert "Flat" in found["heads"]
    few = {kind: found[kind][:1] for kind in AXES} | {"backbones": ["ResNet"], "heads": ["Flat"]}
    few["losses"] = ["BatchHardTripletLoss", "CrossEntropyLoss"]
    walked = walk(few)
    assert walked.in_head == {("ResNet", "Flat"): ""}
    assert walked.in_loss["ResNet", "Flat", "BatchHardTripletLoss"] == ""
    assert walked.in_loss["ResNet", "Flat", "CrossEntropyLoss"] == (
        "the loss needs logits, which the head does not give"
    )
