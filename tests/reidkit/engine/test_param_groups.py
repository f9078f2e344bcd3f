"""Which parameters train, at which rate and with which decay: by name, and by layer."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from reidkit.engine.optim import build_optim, build_optimizers
from reidkit.engine.param_groups import freeze, freeze_layers, layer_factors
from reidkit.errors import UserError
from reidkit.models.backbones import ResNet
from reidkit.registry import BACKBONES

SGD = dict(type="SGD", lr=0.01, weight_decay=5e-4)


def rates(model, **train) -> dict[str, tuple[float, float]]:
    """Learning rate and weight decay by parameter name."""
    groups = build_optim(model, dict(optimizer=SGD, **train)).optimizer.param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    return {names[id(p)]: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}


def test_without_patterns_there_is_one_group_of_everything(net):
    model = net()
    (group,) = build_optim(model, dict(optimizer=SGD)).optimizer.param_groups
    assert group["weight_decay"] == 5e-4 and len(group["params"]) == len(list(model.parameters()))


def test_the_longest_pattern_counts(net):
    found = rates(net(), lr_mult={"*": 3.0, "backbone.*": 1.0, "head.classifier.*": 2.0})
    assert found["backbone.weight"][0] == 0.01 and found["head.classifier.bias"][0] == 0.02
    assert found["head.embedding.0.weight"][0] == pytest.approx(0.03)


def test_weight_decay_by_pattern(net):
    found = rates(net(), decay_mult={"*.bias": 0.0, "head.classifier.*": 2.0})
    assert found["backbone.weight"][1] == 5e-4 and found["backbone.bias"][1] == 0.0
    assert found["head.classifier.bias"][1] == found["head.classifier.weight"][1] == 1e-3


@pytest.mark.parametrize("key", ["lr_mult", "decay_mult"])
def test_a_pattern_that_matches_nothing_is_named(net, key):
    text = f"train.{key}: no parameter matches 'heads.\\*'; modules: backbone, head"
    with pytest.raises(UserError, match=text):
        rates(net(), **{key: {"heads.*": 2.0}})


def test_mmengines_paramwise_cfg_and_patterns_multiply(net):
    optimizer = dict(SGD, paramwise_cfg=dict(bias_decay_mult=0.0, bias_lr_mult=2.0))
    train = dict(optimizer=optimizer, lr_mult={"head.*": 10.0})
    model = net()
    groups = build_optim(model, train).optimizer.param_groups
    by_id = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert by_id[id(model.backbone.bias)] == (pytest.approx(0.02), 0.0)
    assert by_id[id(model.head.classifier.bias)] == (pytest.approx(0.2), 0.0)
    assert by_id[id(model.head.classifier.weight)] == (pytest.approx(0.1), 5e-4)


def test_rates_fall_by_layers_of_a_resnet():
    model = nn.Module()
    model.backbone, model.head = ResNet(depth=18, width=4, stages=2), nn.Linear(1, 1)
    found = {name: lr for name, (lr, _) in rates(model, layer_decay=0.5).items()}
    assert found["head.weight"] == 0.01
    assert found["backbone.layer2.1.conv1.weight"] == pytest.approx(0.01 * 0.5)
    assert found["backbone.layer2.0.conv1.weight"] == pytest.approx(0.01 * 0.5**2)
    assert found["backbone.layer1.0.bn2.bias"] == pytest.approx(0.01 * 0.5**4)
    assert found["backbone.conv1.weight"] == pytest.approx(0.01 * 0.5**5)


def test_rates_fall_as_timms_own():
    """A ViT's blocks; timm's function is asked on the network with its classifier."""
    timm = pytest.importorskip("timm")
    from timm.optim import param_groups_layer_decay

    from reidkit.models.timm_backbone import TimmBackbone

    name = "vit_tiny_patch16_224"
    backbone = TimmBackbone(name, input_size=(64, 32))
    model = SimpleNamespace(backbone=backbone)
    factors = layer_factors(model, 0.75)
    whole = timm.create_model(name, img_size=(64, 32))
    names = {id(p): n for n, p in whole.named_parameters()}
    wanted = {
        names[id(p)]: group["lr_scale"]
        for group in param_groups_layer_decay(whole, layer_decay=0.75)
        for p in group["params"]
    }
    own = {n: factors[id(p)] for n, p in backbone.body.named_parameters()}
    assert own == pytest.approx({name: wanted[name] for name in own})
    assert len(set(own.values())) == 13  # patches, and twelve blocks


def test_layers_that_nobody_names():
    model = nn.Sequential()
    model.backbone = nn.Linear(1, 1)
    with pytest.raises(UserError, match="Linear does not say in which order its layers come"):
        layer_factors(model, 0.75)
    with pytest.raises(UserError, match="layer_decay=1.5: must be above 0 and at most 1"):
        layer_factors(model, 1.5)


def test_freezing_keeps_statistics_and_gradients_still(net):
    model = net()
    freeze(model, ["backbone", "head.embed*"])
    model.train()
    model.head.classifier(model.head.embedding(model.backbone(torch.randn(8, 2)))).sum().backward()
    assert model.head.embedding[1].num_batches_tracked == 0
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {"head.classifier.weight", "head.classifier.bias"}
    assert set(rates(model)) == trained
    with pytest.raises(UserError, match="the model has no module 'backbon'"):
        freeze(model, ["backbon"])


def test_single_parameters_are_frozen_by_pattern(net):
    model = net()
    freeze(model, ["*.bias"])
    assert {n for n, p in model.named_parameters() if not p.requires_grad} == {
        name for name, _ in model.named_parameters() if name.endswith(".bias")
    }
    assert model.train().head.embedding[1].training


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Adam", "RMSprop", "NAdam"])
def test_a_trial_optimiser_has_the_groups_of_the_real_one(net, name):
    train = dict(optimizer=dict(type=name, lr=0.1), lr_mult={"head.*": 2.0})
    model = net()
    light, real = (build_optimizers(model, train, light=light)[""] for light in (True, False))
    assert isinstance(light, getattr(torch.optim, name))
    assert light.state_dict() == real.state_dict()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet", "TimmBackbone", "OSNet"])
def test_the_first_layers_are_frozen_in_any_backbone(name):
    options = dict(
        TimmBackbone=dict(name="tf_efficientnet_lite0", stages=3), OSNet=dict(name="osnet_x0_25")
    )
    supply = dict(input_size=(64, 32), cameras=(), settings=None)
    backbone = BACKBONES.build(dict(type=name, **options.get(name, {})), supply)
    model = nn.ModuleDict(dict(backbone=backbone, head=nn.BatchNorm1d(2)))
    fixed = {id(p) for layer in backbone.layers()[:3] for p in layer}
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    freeze_layers(model, 3)
    trained = [p for p in model.parameters() if p.requires_grad]
    assert not fixed & {id(p) for p in trained} and len(trained) + len(fixed) == len(
        list(model.parameters())
    )
    list(model.train().backbone(torch.rand(4, 3, 64, 32)).values())[-1].mean().backward()
    moved = {key for key, value in backbone.state_dict().items() if not value.equal(before[key])}
    statistics = {f"{n}.running_mean" for n, m in backbone.named_modules()
                  if hasattr(m, "running_mean") and id(m.weight) not in fixed}  # fmt: skip
    assert {key for key in moved if key.endswith("running_mean")} == statistics


def test_more_layers_than_there_are(net):
    model = nn.ModuleDict(dict(backbone=ResNet(depth=10, width=8)))
    with pytest.raises(UserError, match="train.freeze_layers=9: ResNet has 5 layers"):
        freeze_layers(model, 9)
    with pytest.raises(UserError, match="train.freeze_layers: Linear does not say in which order"):
        freeze_layers(net(), 1)
