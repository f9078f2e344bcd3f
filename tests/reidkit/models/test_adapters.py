"""Networks of torchvision and mmpretrain by name: true widths and strides, clear refusals."""

import pytest
import torch

from reidkit.config import check_config, load_config
from reidkit.errors import UserError
from reidkit.models.adapters import MMPretrainBackbone, TorchvisionBackbone
from reidkit.registry import BACKBONES
from reidkit.testing.supply import fake_supply

SIZE = (128, 64)


def build(name: str, **options):
    return BACKBONES.build(dict(type=name, **options), fake_supply("backbones", input_size=SIZE))


def agrees(net) -> list[tuple[int, ...]]:
    """Shapes of the maps, which are what the specs say."""
    maps = net.eval()(torch.rand(2, 3, *SIZE))
    assert list(maps) == list(net.specs) and net.default in maps
    for name, spec in net.specs.items():
        assert maps[name].shape == (2, spec.channels, 128 // spec.stride, 64 // spec.stride)
    return [tuple(one.shape[1:]) for one in maps.values()]


@pytest.mark.parametrize(
    "name, shape",
    [
        ("resnet18", (512, 4, 2)),
        ("mobilenet_v3_small", (576, 4, 2)),
        ("shufflenet_v2_x0_5", (1024, 4, 2)),
        ("swin_t", (768, 4, 2)),
    ],
)
def test_torchvision_up_to_the_last_map(name, shape):
    assert agrees(build(f"torchvision/{name}")) == [shape]


def test_torchvision_up_to_an_inner_module():
    net = build("torchvision/resnet18", node="layer3")
    assert agrees(net) == [(256, 8, 4)]
    names = {name.split(".")[1] for name, _ in net.named_parameters()}
    assert names == {"conv1", "bn1", "layer1", "layer2", "layer3"}  # nothing beyond it


@pytest.mark.parametrize(
    "name, options, text",
    [
        ("resnt18", {}, "torchvision has no network 'resnt18'; near: resnet18"),
        ("vit_b_16", {}, "torchvision/vit_b_16 does not run on images of 128x64"),
        ("vgg11", dict(node="featurs"), "vgg11 has no module 'featurs'; it has: features, avgpool"),
        ("resnet18", dict(node="fc"), r"fc is \(1, 1000\), not a map"),
    ],
)
def test_torchvision_refuses(name, options, text):
    with pytest.raises(UserError, match=text):
        build(f"torchvision/{name}", **options)


def test_a_library_is_named_like_a_component_and_the_name_is_no_option(tmp_path):
    cfg = load_config("eanet/pcb", ["model.backbone=torchvision/resnet18"])
    assert cfg.model.backbone.to_dict() == dict(type="torchvision/resnet18")
    assert check_config(cfg) == []
    cfg = load_config("eanet/pcb", ["model.backbone=timm/convnext_tiny.fb_in22k"])
    assert check_config(cfg) == []
    wrong = load_config(
        "eanet/pcb", ["model.backbone=torchvision/resnet18", "model.backbone.nod=layer3"]
    )
    (problem,) = map(str, check_config(wrong))
    assert problem.startswith("model.backbone.nod")
    assert "torchvision/resnet18 has no option 'nod'" in problem
    assert "did you mean 'node'?   options: node: str | None = None, pretrained" in problem


def test_torchvision_weights_from_a_file(tmp_path):
    from torchvision.models import mobilenet_v3_small

    torch.manual_seed(0)
    reference = mobilenet_v3_small().eval()
    torch.save(reference.state_dict(), tmp_path / "a.pth")
    net = build("torchvision/mobilenet_v3_small", pretrained=str(tmp_path / "a.pth")).eval()
    images = torch.rand(1, 3, *SIZE)
    assert torch.equal(net(images)["map"], reference.features(images))
    assert net.loaded.left == {}


def test_imagenet_weights_without_network(monkeypatch):
    from urllib.error import URLError

    def refuse(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    with pytest.raises(UserError) as error:
        build("torchvision/resnet18", pretrained="imagenet")
    said = str(error.value)
    assert said.startswith(
        "the pretrained weights of torchvision's resnet18 could not be fetched ("
    )
    assert "download https://download.pytorch.org/models/resnet18" in said and "\n" not in said


def test_a_host_that_does_not_answer_is_not_waited_for(monkeypatch, tmp_path):
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("reidkit.models.weights.library.answers", lambda address: False)
    with pytest.raises(UserError, match=rf"\(no network\).* \(or place it as {tmp_path}/checkp"):
        build("torchvision/resnet18", pretrained="imagenet")


def test_mmpretrain_networks():
    pytest.importorskip("mmpretrain")
    assert agrees(build("mmpretrain/ResNet", options=dict(depth=18)))[-1] == (512, 4, 2)
    assert agrees(build("mmpretrain/resnet18_8xb32_in1k"))[-1] == (512, 4, 2)
    with pytest.raises(UserError, match="stage0 is .*, not a map"):
        build("mmpretrain/ConvNeXt")
    options = dict(arch="atto", gap_before_final_norm=False)
    assert agrees(build("mmpretrain/ConvNeXt", options=options))[-1] == (320, 4, 2)
    with pytest.raises(UserError, match="mmpretrain has no network 'ResNt'; near: ResNet"):
        build("mmpretrain/ResNt")


def test_a_library_that_is_not_there(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mmpretrain", None)
    with pytest.raises(UserError, match="needs mmpretrain: python -m pip install mmpretrain"):
        MMPretrainBackbone()


def test_default_is_small():
    assert TorchvisionBackbone(input_size=SIZE).specs["map"].channels == 576
