"""The check: every problem, together; one family of messages in exact words, the others' facts."""

# ruff: noqa: E501  (messages are compared whole)
from __future__ import annotations

import pytest

from reidkit.config import ConfigError, prepare_config
from reidkit.config.options import fits
from reidkit.plugin import discover

METHOD = "configs/foo/method.py"


def texts(*overrides: str) -> list[str]:
    try:
        prepare_config(METHOD, overrides)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_a_good_config_has_no_problems(tree, components):
    assert texts() == []
    assert texts("recipe=paper", "model.backbone=OSNet", "model.backbone.width=2") == []


def test_the_whole_text(tree, components):
    tree.write(
        foo__bad='_base_ = "method.py"\n'
        'model = dict(losses=dict(id=dict(loss=dict(type="TripletLos")),\n'
        '                         part=dict(domain="source", loss=dict(type="eanet/PartSegLoss"))))\n'
    )
    with pytest.raises(ConfigError) as error:
        prepare_config("foo/bad", ["model.head.pol=avg", "train.epoch=3"])
    assert str(error.value) == (
        "configs/foo/bad.py: 4 problems\n"
        " 1. train.epoch (command line): no such key; +key=value adds one\n"
        "      did you mean 'epochs'?   keys: batch_size, epochs, lr_mult, optimizer, sampler, schedule, "
        "stages\n"
        " 2. model.head.pol (command line): PoolHead has no option 'pol'\n"
        "      did you mean 'pool'?   options: dim: int, pool: str = \"max\"\n"
        " 3. model.losses.id.loss.type: no loss named 'TripletLos'\n"
        "      did you mean 'TripletLoss' (conftest)?   available: DepthLoss, SegLoss, TripletLoss\n"
        " 4. model.losses.part.loss.type: 'eanet/PartSegLoss' belongs to plugin 'eanet', which is "
        "installed but not loaded\n      load it: plugins='[\"eanet\"]'"
    ).replace("conftest", conftest_name())


def conftest_name() -> str:
    from reidkit.registry import LOSSES

    return LOSSES.get("TripletLoss").__module__


def test_plugin_that_is_not_there(tree, components):
    assert texts("plugins=['eanat']") == [
        "plugins (command line): no plugin named 'eanat'; did you mean 'eanet'? "
        f"installed: {', '.join(discover().plugins)}"
    ]


@pytest.mark.parametrize(
    "override, where, facts",
    [
        ("model.backbone.depth=0.5", "model.backbone.depth", ["expected int, got 0.5", "width: float = 1.0"]),
        ("model.backbone.last_stride=1.5", "model.backbone.last_stride", ["expected int | None"]),
        ("model.backbone.depth=None", "model.backbone.depth", ["expected int, got None"]),
        ("model.losses.ps.loss.mode=parts", "model.losses.ps.loss.mode", ['"part" or "pixel"', "'parts'"]),
        ("~model.head.dim", "model.head", ["PoolHead needs option 'dim'"]),
        ("model.backbone=PoolHead", "model.backbone.type", ["there is a head of that name", "ResNet"]),
        ("model.backbne=OSNet", "model.backbne", ["Model has no option", "did you mean 'backbone'?"]),
        ("model.losses.id.domain=sorce", "model.losses.id.domain", ["did you mean 'source'?"]),
        ("model.losses.id.head=ps", "model.losses.id.head", ["no head named 'ps'", "heads: embed"]),
        ("model.losses.id.weight=high", "model.losses.id.weight", ["expected float such as 1.0"]),
        ("model.losses.id.wieght=2", "model.losses.id.wieght", ["did you mean 'weight'?"]),
        ("+model.losses.tri=TripletLoss", "model.losses.tri", ["expected a role with a 'loss'"]),
        ("+model.losses.tri.loss=TripletLoss", "model.losses.tri", ["+model.losses.tri.domain=source"]),
        ("+model.losses.tri.domain=source", "model.losses.tri", ["+model.losses.tri.loss="]),
        ("data.tests=['source', 'tagret']", "data.tests.1", ["did you mean 'target'?"]),
        ("settings.sead=1", "settings.sead", ["no setting named 'sead'", "did you mean 'seed'?"]),
        ("settings.precision=fp8", "settings.precision", ["expected one of 'auto', 'fp32'", "got 'fp8'"]),
        ("+train.epoch=3", "train.epoch", ["did you mean 'epochs'?"]),
        ("train.batch_size=0.5", "train.batch_size", ["expected int, got 0.5 (float)"]),
        ("train.stages=dict(a=dict(epoch=3))", "train.stages.a.epoch", ["did you mean 'epochs'?"]),
        ("train.stages=dict(a=3)", "train.stages.a", ["expected changes to train, got 3"]),
        ("train.lr_mult={'backbone.*': 'much'}", "train.lr_mult.backbone.*", ["expected float"]),
        ("train.schedule=dict(type='cosine')", "train.schedule", ['dict(type="step")', "mmengine"]),
        ("train.schedule=[dict(type='CosineLR')]", "train.schedule.0.type", ["no scheduler named"]),
        ("train.schedule=dict(type='step',gama=1)", "train.schedule.gama", ["did you mean 'gamma'?"]),
        ("+modle.type=Model", "modle", ["unknown key 'modle'", "did you mean 'model'?"]),
        ("+visualizers=[dict(type='WandVisBackend')]", "visualizers.0.type", ["'WandbVisBackend'"]),
        ("+prerequisites.teacher=dict(cfg='a')", "prerequisites.teacher", ["expected a dict with a 'config'"]),
        ("train.lr=1", "train.lr", ["did you mean 'train.optimizer.lr'?"]),
    ],
)  # fmt: skip
def test_one_problem(tree, components, override, where, facts):
    (text,) = texts(override)
    marked = "" if override.startswith("~") else " (command line)"
    assert text.startswith(f"{where}{marked}: ") and all(fact in text for fact in facts)


@pytest.mark.parametrize(
    "override",
    [
        "train.optimizer.lr=1", "train.sampler.drop_last=False", "evaluation.topk=[1]",
        "train.optimizer.paramwise_cfg=dict(norm_decay_mult=0.0)",
        "train.schedule=[dict(type='LinearLR',end=5),dict(type='CosineAnnealingLR',T_max=9)]",
        "train.schedule=dict(type='one_cycle',pct_start=0.5)",
        "+visualizers=[dict(type='WandbVisBackend')]",
    ],
)  # fmt: skip
def test_no_problem(tree, components, override):
    assert texts(override) == []


def test_what_a_component_of_one_stage_lacks(tree, components):
    (text,) = texts("train.stages=dict(a=dict(),b=dict(optimizer=dict(type='AdamW',momentum=0.9)))")
    assert text.startswith("train.stages.b.optimizer.momentum (command line): AdamW has no option")


def test_misspelt_optimizer(tree, components):
    (option,) = texts("train.optimizer.lrr=1")
    assert option.startswith(
        "train.optimizer.lrr (command line): SGD has no option 'lrr'\n      did you mean 'lr'?   "
        "options: lr: "
    )
    (name,) = texts("train.optimizer=SDG")
    assert name.startswith("train.optimizer.type (command line): no optimizer named 'SDG'\n")


def test_keys_of_the_framework_may_be_left_out_or_set(tree, components):
    assert texts("model.num_identities=5") == []


@pytest.mark.parametrize(
    "value, wanted, fine",
    [
        (1, int, True), (True, int, False), (1.0, int, False), (1, float, True), (True, float, False),
        ("a", str, True), (1, str, False), (None, int | None, True), ("a", int | str, True),
        ([1, 2], tuple[int, int], True), ([1], tuple[int, int], False), ((1,), tuple[int, ...], True),
        (["a"], tuple[int, ...], False), ([1], list, True), ({}, dict[str, int], True),
        ([], dict, False), ("x", list[str], False), ([[1]], list[list[int]], True),
    ],
)  # fmt: skip
def test_fits(value, wanted, fine):
    assert fits(value, wanted) is fine
