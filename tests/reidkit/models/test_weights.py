"""Checkpoints of others: which tensors go where, what is left behind, what is refused."""

# ruff: noqa: E501  (messages are compared whole)
import pytest
import torch

from reidkit.errors import UserError
from reidkit.models.backbones import ResNet
from reidkit.models.weights import fetch
from reidkit.models.weights.families import writer_of

OPTIONS = dict(depth=50, width=8)


@pytest.fixture(scope="module")
def source() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {n: torch.randn_like(v.float()).to(v.dtype) for n, v in ResNet(**OPTIONS).state_dict().items()}  # fmt: skip


def torchreid(state: dict) -> dict:
    """As torchreid saves a run: in ``state_dict``, from DataParallel, with its own classifier."""
    named = {f"module.{name}": value for name, value in state.items()}
    named |= {"module.classifier.weight": torch.zeros(751, 256)}
    named |= {"module.classifier.bias": torch.zeros(751)}
    return dict(state_dict=named, epoch=60, rank1=0.9, optimizer=dict(state={}, param_groups=[]))


def torchreid_fc512(state: dict) -> dict:
    """Its resnet50_fc512: a bottleneck behind the pooling."""
    extra = {"fc.0.weight": torch.zeros(512, 256), "fc.0.bias": torch.zeros(512)}
    extra |= {"fc.1.running_mean": torch.zeros(512), "classifier.weight": torch.zeros(751, 512)}
    return {**state, **extra}


def fastreid(state: dict) -> dict:
    """As fast-reid saves a model: in ``model``, with the head of its bag of tricks."""
    named = {f"backbone.{name}": value for name, value in state.items()}
    named |= {"heads.weight": torch.zeros(751, 256), "pixel_mean": torch.zeros(1, 3, 1, 1)}
    named |= {"pixel_std": torch.ones(1, 3, 1, 1)}
    named |= {f"heads.bottleneck.0.{n}": torch.zeros(256) for n in ("weight", "bias")}
    return dict(model=named, iteration=100)


def torchvision(state: dict) -> dict:
    return {**state, "fc.weight": torch.zeros(1000, 256), "fc.bias": torch.zeros(1000)}


def reidkit(state: dict) -> dict:
    named = {f"backbone.{name}": value for name, value in state.items()}
    return dict(state_dict={**named, "head.classifier.weight": torch.zeros(4, 256)}, meta={})


CASES = {
    "torchreid": (torchreid, {"classifier": 2}),
    "torchreid fc512": (torchreid_fc512, {"fc.0": 2, "fc.1": 1, "classifier": 1}),
    "fast-reid": (fastreid, {"heads": 1, "pixel_mean": 1, "pixel_std": 1, "heads.bottleneck.0": 2}),
    "torchvision": (torchvision, {"fc": 2}),
    "reidkit": (reidkit, {"head.classifier": 1}),
}


@pytest.mark.parametrize("name", CASES)
def test_every_tensor_arrives_and_the_rest_is_named(name, source, tmp_path):
    write, left = CASES[name]
    torch.save(write(source), tmp_path / "a.pth")
    net = ResNet(**OPTIONS, pretrained=str(tmp_path / "a.pth"))
    for key, value in net.state_dict().items():
        assert torch.equal(value, source[key]), key
    assert net.loaded.writer == name.split(" ")[0]
    assert sum(count for _, count in net.loaded.layers.values()) == len(source)
    assert net.loaded.left == left


def test_the_report_goes_layer_by_layer(source, tmp_path):
    torch.save(fastreid(source), tmp_path / "a.pth")
    lines = ResNet(**OPTIONS, pretrained=str(tmp_path / "a.pth")).loaded.report().splitlines()
    assert lines[0].startswith(f"{tmp_path}/a.pth: fast-reid's file: a ResNet-50 with 751 classes;")
    assert f"; {len(source)} tensors loaded by name, 5 left behind (fast-reid pools" in lines[0]
    assert lines[1:4] == [
        "  conv1     <- backbone.conv1 (1)",
        "  bn1       <- backbone.bn1 (5)",
        "  layer1.0  <- backbone.layer1.0 (24)",
    ]
    assert len(lines) == 1 + 2 + 16 + 1  # title, stem, blocks, left behind
    assert lines[-1] == "  left behind: heads (1), pixel_mean (1), pixel_std (1), heads.bottleneck.0 (2)"  # fmt: skip
    assert lines[0].endswith("pools its stem without padding: model.backbone.stem_pool=ceil)")
    ceil = ResNet(**OPTIONS, stem_pool="ceil", pretrained=str(tmp_path / "a.pth"))
    assert ceil.loaded.note == ""


def test_fastreids_stem_has_maps_of_the_same_size():
    images = torch.rand(1, 3, 256, 128)
    maps = [ResNet(10, 8, 1, last_stride=1, stem_pool=p)(images) for p in ("padded", "ceil")]
    assert maps[0]["layer1"].shape == maps[1]["layer1"].shape == (1, 8, 64, 32)


def test_stages_that_are_not_kept_are_left_behind(source, tmp_path):
    torch.save(torchvision(source), tmp_path / "a.pth")
    net = ResNet(**OPTIONS, stages=3, pretrained=str(tmp_path / "a.pth"))
    assert {"layer4.0", "layer4.1", "layer4.2", "fc"} == set(net.loaded.left)


def test_older_files_have_no_counters(source, tmp_path):
    old = {n: v for n, v in source.items() if not n.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "a.pth")
    net = ResNet(**OPTIONS, pretrained=str(tmp_path / "a.pth"))
    assert torch.equal(net.bn1.running_var, source["bn1.running_var"])


def test_another_width_is_refused_layer_by_layer(source, tmp_path):
    torch.save(source, tmp_path / "a.pth")
    with pytest.raises(UserError) as error:
        ResNet(depth=50, width=16, pretrained=str(tmp_path / "a.pth"))
    lines = str(error.value).splitlines()
    held = "the file holds a ResNet-50 without a classifier"
    assert lines[0] == f"{tmp_path}/a.pth: weights do not fit ResNet: {held}"
    assert lines[1] == "  conv1: conv1.weight is (8, 3, 7, 7) there, (16, 3, 7, 7) here"
    assert lines[-2:] == [
        "  and 12 more layers",
        "  use weights of this very network, or pretrained=None",
    ]


@pytest.mark.parametrize(
    "key, kin",
    [
        ("layer1.0.bn1.IN.weight", "IBN"),
        ("layer1.0.se.fc.0.weight", "squeeze-and-excitation"),
        ("NL_2.0.g.weight", "non-local"),
    ],
)
def test_relatives_are_told_by_their_layers(key, kin, source, tmp_path):
    torch.save({**fastreid(source)["model"], f"backbone.{key}": torch.zeros(8)}, tmp_path / "a.pth")
    with pytest.raises(UserError, match=f"a ResNet-50 with {kin} layers"):
        ResNet(**OPTIONS, pretrained=str(tmp_path / "a.pth"))


def test_who_wrote_it():
    assert writer_of({"conv1.weight": 0, "fc.weight": 0}) == "torchvision"
    assert writer_of({"backbone.conv1.weight": 0, "head.fc.weight": 0}) == "reidkit"


def test_a_download_that_fails_says_what_to_do():
    def get():
        raise OSError("Name or service not known")

    with pytest.raises(UserError) as error:
        fetch("torchvision's resnet50", get, "https://example.org/a.pth")
    assert str(error.value) == (
        "the pretrained weights of torchvision's resnet50 could not be fetched (Name or service not "
        "known): download https://example.org/a.pth elsewhere and set model.backbone.pretrained=FILE, "
        "or =None for random weights"
    )
