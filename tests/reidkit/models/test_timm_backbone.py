"""Networks of timm: stages as maps, transformers as tokens, a map and a class token."""

import pytest
import torch

from reidkit.data.transforms import Normalize
from reidkit.errors import UserError
from reidkit.models.timm_backbone import TimmBackbone
from reidkit.registry import BACKBONES
from reidkit.structures import FeatureSpec, ReIDBatch
from reidkit.testing import check_component
from reidkit.testing.supply import fake_supply

timm = pytest.importorskip("timm")
SIZE = (128, 64)
VIT, WITHOUT_CLASS, SWIN = (
    "vit_tiny_patch16_224",
    "vit_base_patch16_siglip_224",
    "swin_tiny_patch4_window7_224",
)


def build(name: str, size: tuple[int, int] = SIZE, **options) -> TimmBackbone:
    supply = fake_supply("backbones", input_size=size)
    return BACKBONES.build(dict(type=f"timm/{name}", **options), supply)


@pytest.mark.parametrize("name, shape", [("resnet10t", (512, 4, 2)), (SWIN, (768, 4, 2))])
def test_stages_are_maps(name, shape):
    net = build(name).eval()
    features = net(torch.rand(2, 3, *SIZE))
    assert list(features) == list(net.specs) and net.default == list(features)[-1]
    for stage, spec in net.specs.items():
        assert features[stage].shape == (2, spec.channels, *spec.map_size(SIZE))
    assert features[net.default].shape[1:] == shape


def test_the_first_stages_alone():
    kept, whole = (TimmBackbone("tf_efficientnet_lite0", stages=n) for n in (4, None))
    assert [spec.stride for spec in kept.specs.values()] == [2, 4, 8, 16]
    names = [{n.removeprefix("body.").removeprefix("model.") for n in net.state_dict()}
             for net in (kept, whole)]  # fmt: skip
    assert {n.split(".")[1] for n in names[1] - names[0]} == {"5", "6"} and names[0] < names[1]
    # the stem and two stages are four layers in either
    four = [sum(p.numel() for one in net.layers()[:4] for p in one) for net in (kept, whole)]
    assert four[0] == four[1]


def test_images_come_as_imagenets_or_the_networks_own():
    pixels = ReIDBatch((torch.rand(2, 3, 64, 32) * 255).to(torch.uint8))
    half = (0.5, 0.5, 0.5)  # what timm states for it
    own, usual = Normalize(half, half)(pixels).images, Normalize()(pixels).images
    maps = []
    for images, given in (("own", own), ("imagenet", usual)):
        torch.manual_seed(0)
        net = TimmBackbone("tf_efficientnet_lite0", stages=2, images=images).eval()
        maps.append(net(given)["stage1"])
    torch.testing.assert_close(*maps, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="images must be 'own' or 'imagenet', got 'raw'"):
        TimmBackbone(images="raw")


@pytest.mark.parametrize(
    "name, stages, fact",
    [
        ("tf_efficientnet_lite0", 6, "stages must be from 1 to 5, got 6"),
        ("tf_efficientnet_lite0", 0, "stages must be from 1 to 5, got 0"),
        ("vit_tiny_patch16_224", 2, "a plain transformer has no stages to keep"),
    ],
)
def test_stages_that_are_not_there(name, stages, fact):
    with pytest.raises(UserError, match=fact):
        TimmBackbone(name, stages=stages)


def test_the_component_keeps_its_contract():
    assert check_component("backbones", "TimmBackbone").endswith("features and gradients checked")


def test_a_transformer_gives_tokens_their_map_and_the_class_token():
    net = build(VIT).eval()
    assert net.default == "class" and net.specs == {
        "tokens": FeatureSpec(192, kind="tokens"),
        "map": FeatureSpec(192, (16, 16)),
        "class": FeatureSpec(192, kind="vector"),
    }
    images = torch.rand(2, 3, *SIZE)
    features, whole = net(images), net.body.forward_features(images)
    assert torch.equal(features["class"], whole[:, 0])
    assert torch.equal(features["tokens"], whole[:, 1:])
    assert features["map"].shape == (2, 192, 8, 4)
    for row, column in ((0, 0), (0, 3), (5, 1), (7, 3)):  # patches in the order of reading
        cell = features["map"][:, :, row, column]
        assert torch.equal(cell, features["tokens"][:, row * 4 + column])


def test_cells_of_the_map_lie_where_their_patches_lie():
    """Without attention between patches, one patch changes one cell."""
    net = build(VIT).eval()
    net.body.blocks = torch.nn.Identity()
    images = torch.zeros(1, 3, *SIZE)
    before = net(images)["map"]
    images[:, :, 80:96, 16:32] = 1.0  # the patch in row 5, column 1
    changed = (net(images)["map"] - before).abs().amax(1)[0] > 1e-6
    assert changed.nonzero().tolist() == [[5, 1]]


def test_a_transformer_without_class_token_has_the_map_by_default(monkeypatch):
    original = timm.create_model
    small = dict(embed_dim=48, depth=1, num_heads=3)  # the published one is too large for a test
    monkeypatch.setattr(
        timm, "create_model", lambda name, **options: original(name, **{**options, **small})
    )
    net = build(WITHOUT_CLASS).eval()
    assert net.default == "map" and list(net.specs) == ["tokens", "map"]
    features = net(torch.rand(1, 3, *SIZE))
    assert features["tokens"].shape == (1, 32, 48) and features["map"].shape == (1, 48, 8, 4)


@pytest.mark.parametrize("size, rows, columns", [((130, 50), 9, 4), ((250, 128), 16, 8)])
def test_sizes_that_are_no_multiples_of_the_patch(size, rows, columns):
    net = build(VIT, size).eval()
    features = net(torch.rand(2, 3, *size))
    assert net.specs["map"].map_size(size) == (rows, columns)
    assert features["map"].shape == (2, 192, rows, columns)
    assert features["tokens"].shape == (2, rows * columns, 192)


@pytest.mark.slow
def test_position_embeddings_of_weights_are_resized(tmp_path):
    torch.manual_seed(0)
    whole = timm.create_model(VIT, num_classes=7)
    torch.save(whole.state_dict(), tmp_path / "a.pth")
    net = build(VIT, pretrained=str(tmp_path / "a.pth"))
    assert torch.equal(net.body.patch_embed.proj.weight, whole.patch_embed.proj.weight)
    assert torch.equal(net.body.cls_token, whole.cls_token)
    assert net.body.pos_embed.shape == (1, 33, 192) != whole.pos_embed.shape
    torch.testing.assert_close(net.body.pos_embed[:, 0], whole.pos_embed[:, 0])
    same = build(VIT, (224, 224), pretrained=str(tmp_path / "a.pth"))
    assert torch.equal(same.body.pos_embed, whole.pos_embed)


@pytest.mark.parametrize("name", ["resnet10t", VIT, SWIN])
def test_layers_cover_every_parameter_once_from_input_to_output(name):
    net = build(name)
    layers = net.layers()
    listed = [id(parameter) for layer in layers for parameter in layer]
    assert len(listed) == len(set(listed))
    missing = [n for n, p in net.named_parameters() if id(p) not in set(listed)]
    assert missing == []
    assert len(layers) > 3
    numbers = {id(p): number for number, layer in enumerate(layers) for p in layer}
    order = [numbers[id(p)] for p in net.parameters()]
    assert order[0] == 0 and order[-1] == max(order)


def test_weights_from_a_file(tmp_path):
    torch.manual_seed(0)
    whole = timm.create_model("resnet10t", num_classes=7).eval()
    torch.save(whole.state_dict(), tmp_path / "a.pth")
    net = build("resnet10t", pretrained=str(tmp_path / "a.pth")).eval()
    images = torch.rand(1, 3, *SIZE)
    torch.testing.assert_close(net(images)["stage4"], whole.forward_features(images))
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "b.pth")
    with pytest.raises(UserError, match="weights do not fit timm/resnet10t: the file holds 1 "):
        build("resnet10t", pretrained=str(tmp_path / "b.pth"))


def test_weights_without_network(monkeypatch, tmp_path):
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr("reidkit.models.weights.library.answers", lambda address: False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError) as error:
        build("resnet10t", pretrained="imagenet")
    said = str(error.value)
    assert said.startswith(
        "the pretrained weights of timm's resnet10t could not be fetched (no net"
    )
    assert "download https://huggingface.co/timm/resnet10t" in said and "\n" not in said
    assert constants.HF_HUB_OFFLINE is False


def test_what_is_not_there_is_refused(monkeypatch):
    with pytest.raises(UserError, match="timm has no network 'convnxt_atto'; near: convnext_atto"):
        build("convnxt_atto")
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(UserError, match="needs timm: python -m pip install timm"):
        TimmBackbone()
