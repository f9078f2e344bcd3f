"""What the table of kinds promises to constructors, components get when a run builds them."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from reidkit.config import prepare_config
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.domains import Domains
from reidkit.engine.evaluate import build_evaluator
from reidkit.engine.label_plan import LabelPlan
from reidkit.engine.training import custom_hooks
from reidkit.evaluation.rerank.base import build_rerankers
from reidkit.kinds import KINDS
from reidkit.registry import REGISTRIES
from reidkit.structures import FeatureSpecs
from reidkit.testing.supply import fake_supply

# what a recorder is in truth
BASES = {
    "backbones": dict(type="ResNet", depth=10, width=8),
    "heads": dict(type="BNNeckHead"),
    "losses": dict(type="CrossEntropyLoss"),
    "transforms": dict(type="Normalize"),
    "matchers": dict(type="CosineMatcher"),
    "samplers": dict(type="ShuffleSampler"),
    "frame_samplers": dict(type="AllFrames"),
    "datasets": dict(type="SynthPed", domain="A", preset="tiny"),
}


@pytest.fixture
def seen(monkeypatch) -> dict[str, dict]:
    """Kind -> what the component ``Recorder``, which declares every name of it, was given."""
    given: dict[str, dict] = {}

    def recorder(kind: str):
        def build(**supply):
            given[kind] = supply
            base = BASES.get(kind)
            return torch.nn.Identity() if base is None else REGISTRIES[kind].build(base, supply)

        names = KINDS[kind].supplies
        parameters = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in names]
        build.__signature__ = inspect.Signature(parameters)
        return build

    for kind, registry in REGISTRIES.items():
        registry.names()  # imports the core's own
        monkeypatch.setitem(registry._module_dict, "Recorder", recorder(kind))
    return given


@pytest.fixture
def cfg(tiny_data):
    """A config of which every component is a recorder."""
    cfg = prepare_config(
        "eanet/pcb",
        ["data=synthped_tiny", f"settings.data_root={tiny_data}", "settings.workers=0",
         "input.size=(96,32)", "train.batch_size=24"],
    )  # fmt: skip
    one = dict(type="Recorder")
    cfg.model.backbone, cfg.model.head, cfg.model.matcher = dict(one), dict(one), dict(one)
    cfg.model.losses = dict(id=dict(domain="source", loss=dict(one)))
    cfg.model.transforms = dict(train=dict(step=dict(one)), test=dict(step=dict(one)))
    cfg.data.domains.source, cfg.data.labeller = dict(one), dict(one)
    cfg.train.sampler, cfg.evaluation, cfg.hooks = dict(one), dict(one), dict(one=dict(one))
    cfg.input.frames = dict(train=dict(one), test=dict(one))
    return cfg


def build_all(cfg) -> Domains:
    """Everything that a run builds of a config, as it builds it."""
    training_set = TrainingSet(7, (1, 2, 5))
    model = build_model(cfg, training_set)
    assert model.domains == ["source"]
    cfg.model = dict(type="Recorder")
    build_model(cfg, training_set, runs={"teacher": "runs/one"})
    domains = Domains(cfg)
    domains.plan = LabelPlan()  # the model is a recorder, and asks for nothing
    domains.train_loader(["source"])
    domains.frame_sampler("train")
    domains.labeller()
    build_evaluator(cfg)
    custom_hooks(cfg, domains, training_set)
    build_rerankers(dict(one=dict(type="Recorder")), 32.0, cfg.settings)
    return domains


def test_every_kind_gets_every_name_that_the_table_says(cfg, seen):
    domains = build_all(cfg)
    assert {kind: set(given) for kind, given in seen.items()} == {
        name: set(kind.supplies) for name, kind in KINDS.items()
    }
    for kind, given in seen.items():
        assert given.get("settings", cfg.settings) is cfg.settings, kind
    head, loss = seen["heads"], seen["losses"]
    specs = head["features"]
    assert isinstance(specs, FeatureSpecs) and specs.default == "layer4"
    assert head["map_size"] == specs["layer4"].map_size((96, 32)) == loss["map_size"]
    assert (head["num_identities"], head["cameras"]) == (7, (1, 2, 5))
    assert loss["width"] == specs["layer4"].channels
    for kind in ("matchers", "transforms"):
        assert seen[kind]["map_size"] == head["map_size"]
    assert seen["backbones"]["input_size"] == seen["models"]["input_size"] == (96, 32)
    assert seen["models"]["runs"] == {"teacher": "runs/one"}
    train, sampler = domains.split("source", "train"), seen["samplers"]
    assert sampler["num_samples"] == len(train) and sampler["batch_size"] == 24
    assert np.array_equal(sampler["identities"], train.relabel()[0])
    assert np.array_equal(sampler["cameras"], train.cameras)
    assert (sampler["rank"], sampler["world_size"]) == (0, 1)
    assert seen["datasets"]["data_root"] == str(domains.data_root)
    assert seen["labellers"]["device"] == "cpu" and seen["rerankers"]["block_mb"] == 32.0


@pytest.mark.parametrize("kind", KINDS)
def test_fakes_supply_every_kind(kind, seen):
    REGISTRIES[kind].build(dict(type="Recorder"), fake_supply(kind))
    assert set(seen[kind]) == set(KINDS[kind].supplies)


def test_settings_are_supplied_to_every_kind():
    assert [name for name, kind in KINDS.items() if "settings" not in kind.supplies] == []


def test_registries_are_the_table():
    assert list(REGISTRIES) == list(KINDS)
    for name, kind in KINDS.items():
        registry = REGISTRIES[name]
        assert (registry.kind, registry.__doc__) == (kind.singular, kind.contract)
        assert registry.supplies == frozenset(kind.supplies)
