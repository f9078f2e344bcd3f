"""The check: every problem, together, in exact words."""

# ruff: noqa: E501  (messages are compared whole)
from __future__ import annotations

import pytest

from reidkit.config import ConfigError, check_config, load_config, prepare_config
from reidkit.config.options import fits
from reidkit.plugin import discover
from reidkit.registry import LOSS_INPUTS

METHOD = "configs/foo/method.py"


def texts(*overrides: str) -> list[str]:
    return [str(problem) for problem in check_config(load_config(METHOD, overrides))]


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
        "      did you mean 'epochs'?   keys: batch_size, epochs, head_lr_mult, optimizer, sampler, "
        "schedule, stages\n"
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


OPTIONS = "      options: depth: int = 50, last_stride: int | None = None, width: float = 1.0"


@pytest.mark.parametrize(
    "override, said",
    [
        (
            "model.backbone.depth=0.5",
            f"model.backbone.depth (command line): expected int, got 0.5 (float)\n{OPTIONS}",
        ),
        (
            "model.backbone.last_stride=1.5",
            "model.backbone.last_stride (command line): expected int | None, got 1.5 (float)\n"
            + OPTIONS,
        ),
        (
            "model.backbone.depth=None",
            f"model.backbone.depth (command line): expected int, got None (NoneType)\n{OPTIONS}",
        ),
        (
            "model.losses.ps.loss.mode=parts",
            'model.losses.ps.loss.mode (command line): expected "part" or "pixel", got \'parts\' (str)\n'
            '      options: mode: "part" or "pixel" = "part"',
        ),
        (
            "~model.head.dim",
            "model.head: PoolHead needs option 'dim'\n      options: dim: int, pool: str = \"max\"",
        ),
        (
            "model.backbone=PoolHead",
            "model.backbone.type (command line): no backbone named 'PoolHead'; there is a head of that "
            "name\n      available: OSNet, ResNet, mmpretrain/<name>, timm/<name>, torchvision/<name>",
        ),
        (
            "model.backbne=OSNet",
            "model.backbne (command line): Model has no option 'backbne'\n"
            "      did you mean 'backbone'?   options: backbone: dict, head: dict, losses: dict, "
            "matcher: dict, transforms: dict, aux_heads: dict | None = None, ratio: float = 1.0",
        ),
        (
            "model.losses.id.domain=sorce",
            "model.losses.id.domain (command line): no domain named 'sorce'\n"
            "      did you mean 'source'?   domains: source, target",
        ),
        (
            "model.losses.id.head=ps",
            "model.losses.id.head (command line): no head named 'ps'\n      heads: embed",
        ),
        (
            "model.losses.id.weight=high",
            None,
        ),
        (
            "model.losses.id.wieght=2",
            "model.losses.id.wieght (command line): a role has no key 'wieght'\n"
            "      did you mean 'weight'?   keys: head, loss, on, weight",
        ),
        (
            "+model.losses.tri=TripletLoss",
            "model.losses.tri (command line): expected a role with a 'loss', got 'TripletLoss'\n"
            '      a role is dict(domain="source", weight=1.0, loss=dict(type="..."))',
        ),
        (
            "+model.losses.tri.loss=TripletLoss",
            "model.losses.tri (command line): 'domain' is missing\n      say which domain it trains on, e.g. "
            "+model.losses.tri.domain=source (domains: source, target)",
        ),
        (
            "+model.losses.tri.domain=source",
            "model.losses.tri (command line): 'loss' is missing\n      say which loss, e.g. "
            "+model.losses.tri.loss=CrossEntropyLoss",
        ),
        (
            "model.losses.ps.loss=DepthLoss",
            "model.losses.ps.loss (command line): DepthLoss.forward asks for 'depth', which nothing "
            f"supplies\n      a loss may ask for: {', '.join(LOSS_INPUTS)}",
        ),
        (
            "data.tests=['source', 'tagret']",
            "data.tests.1 (command line): no domain named 'tagret'\n"
            "      did you mean 'target'?   domains: source, target",
        ),
        (
            "+labels.train.source=['part_maps']",
            "labels.train.source (command line): no label named 'part_maps'\n"
            "      did you mean 'part_map'?   labels: keypoints, part_map\n"
            "data.labeller: missing, but labels are asked for",
        ),
        (
            "+labels.train.elsewhere=[]",
            "labels.train.elsewhere (command line): no domain named 'elsewhere'\n"
            "      domains: source, target",
        ),
        (
            "settings.sead=1",
            "settings.sead (command line): no setting named 'sead'\n"
            "      did you mean 'seed'?   settings: channels_last, data_root, deterministic, device, "
            "ema, pictures, precision, seed, tensorboard, wandb, work_dir, workers",
        ),
        (
            "settings.precision=fp8",
            "settings.precision (command line): expected one of 'auto', 'fp32', 'bf16', 'fp16'; got "
            "'fp8'\n      number format of training's forward pass (auto: what pays on the device); "
            "losses, and embeddings for tests, are float32",
        ),
        (
            "+train.epoch=3",
            "train.epoch (command line): unknown key 'epoch'\n"
            "      did you mean 'epochs'?   keys: batch_size, epochs, head_lr_mult, optimizer, sampler, "
            "schedule, stages",
        ),
        (
            "train.batch_size=0.5",
            "train.batch_size (command line): expected int, got 0.5 (float)",
        ),
        (
            "train.stages=[dict(epoch=3)]",
            "train.stages.0.epoch (command line): unknown key 'epoch'\n"
            "      did you mean 'epochs'?   keys: batch_size, epochs, head_lr_mult, optimizer, sampler, "
            "schedule, stages",
        ),
        (
            "+modle.type=Model",
            "modle (command line): unknown key 'modle'\n"
            "      did you mean 'model'?   keys: data, evaluation, groups, hooks, input, labels, model, "
            "needs, plugins, settings, train",
        ),
        ("~evaluation", "evaluation: missing"),
        ("train.optimizer.lr=1", ""),
        ("train.sampler.drop_last=False", ""),
        ("evaluation.topk=[1]", ""),
    ],
)
def test_one_problem(tree, components, override, said):
    if override == "model.losses.id.weight=high":
        with pytest.raises(ConfigError, match=r"expected float such as 1.0, got 'high' \(text\)"):
            texts(override)
        return
    assert "\n".join(texts(override)) == said


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
