"""OSNet: the paper's sizes, torchreid's names, and the same numbers by a second way of computing.

``REIDKIT_TEST_WEIGHTS`` names a folder with torchreid's osnet_x0_25_msmt17.pth and
osnet_x0_25_market1501.pth; without it the tests that need them are skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from reidkit.errors import UserError
from reidkit.models.heads import FCHead
from reidkit.models.osnet import NAMES, OSNet
from reidkit.structures import FeatureSpecs, ReIDBatch

FILES = Path(os.environ.get("REIDKIT_TEST_WEIGHTS", "/nowhere"))
REAL = {"osnet_x0_25_msmt17.pth": 1041, "osnet_x0_25_market1501.pth": 751}
# million multiplications at 256x128 and million parameters without the classifier, as published
PUBLISHED = {
    "osnet_x1_0": (978.9, 2.2),
    "osnet_x0_75": (571.8, 1.3),
    "osnet_x0_5": (272.9, 0.6),
    "osnet_x0_25": (82.3, 0.2),
    "osnet_ibn_x1_0": (978.9, 2.2),
    "osnet_ain_x1_0": (978.9, 2.2),
}


def reference(state: dict[str, Tensor], images: Tensor) -> Tensor:
    """torchreid's embedding at the test, straight from the tensors of a file, name by name."""

    def norm(x: Tensor, name: str) -> Tensor:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        if f"{name}.running_mean" in state:
            mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        else:
            mean, variance = x.mean((2, 3)), x.var((2, 3), unbiased=False)
            mean, variance = mean[:, :, None, None], variance[:, :, None, None]
        shape = (1, -1) + (1,) * (x.ndim - 2)
        if mean.ndim == 1:
            mean, variance = mean.view(shape), variance.view(shape)
        return (x - mean) / (variance + 1e-5).sqrt() * weight.view(shape) + bias.view(shape)

    def unit(x: Tensor, name: str, **options) -> Tensor:
        x = F.conv2d(x, state[f"{name}.conv.weight"], **options)
        return norm(x, f"{name}.bn") if f"{name}.bn.weight" in state else x

    def lite(x: Tensor, name: str) -> Tensor:
        x = F.conv2d(x, state[f"{name}.conv1.weight"])
        x = F.conv2d(x, state[f"{name}.conv2.weight"], padding=1, groups=x.shape[1])
        return norm(x, f"{name}.bn").relu()

    def gate(x: Tensor, name: str) -> Tensor:
        w = F.adaptive_avg_pool2d(x, 1)
        w = F.conv2d(w, state[f"{name}.fc1.weight"], state[f"{name}.fc1.bias"]).relu()
        w = F.conv2d(w, state[f"{name}.fc2.weight"], state[f"{name}.fc2.bias"])
        return x * torch.sigmoid(w)

    def streams(x: Tensor, name: str):
        for t in range(4):
            y = x
            for step in range(t + 1):
                stem = f"{name}.conv2{'abcd'[t]}" + (f".{step}" if t else "")
                if f"{stem}.conv1.weight" not in state:
                    stem = f"{name}.conv2.{t}.layers.{step}"
                y = lite(y, stem)
            yield gate(y, f"{name}.gate")

    def block(x: Tensor, name: str) -> Tensor:
        y = sum(streams(unit(x, f"{name}.conv1").relu(), name))
        y = unit(y, f"{name}.conv3")
        shortcut = unit(x, f"{name}.downsample") if f"{name}.downsample.conv.weight" in state else x
        if f"{name}.IN.weight" not in state:
            return (y + shortcut).relu()
        if f"{name}.conv3.bn.weight" in state:
            return norm(y + shortcut, f"{name}.IN").relu()  # IBN: after the sum
        return (norm(y, f"{name}.IN") + shortcut).relu()  # AIN: inside the residual

    x = F.max_pool2d(unit(images, "conv1", stride=2, padding=3).relu(), 3, 2, 1)
    for stage in ("conv2", "conv3", "conv4"):
        x = block(block(x, f"{stage}.0"), f"{stage}.1")
        halving = [n for n in (f"{stage}.2.0", f"pool{stage[-1]}.0") if f"{n}.conv.weight" in state]
        for name in halving:
            x = F.avg_pool2d(unit(x, name).relu(), 2)
    x = unit(x, "conv5").relu().mean((2, 3))
    x = F.linear(x, state["fc.0.weight"], state["fc.0.bias"])
    return norm(x, "fc.1").relu()


def embed(name: str, path: Path, images: Tensor) -> Tensor:
    """The embedding of backbone and head that start from a file."""
    net = OSNet(name, pretrained=str(path)).eval()
    head = FCHead(FeatureSpecs(net.specs, net.default), 1, pretrained=str(path)).eval()
    with torch.no_grad():
        return head(net(images), ReIDBatch(images)).embedding.vectors[:, 0]


def as_torchreid(name: str) -> dict[str, Tensor]:
    """A random network with statistics that are not trivial, as torchreid would save it."""
    torch.manual_seed(3)
    net = OSNet(name)
    head = FCHead(FeatureSpecs(net.specs, net.default), 7)
    state = {**net.state_dict(), **head.state_dict()}
    for key, value in state.items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif value.is_floating_point() and value.ndim == 1:
            value.add_(torch.randn_like(value) * 0.1)
    return state


@pytest.mark.parametrize("name", ["osnet_x0_25", "osnet_ibn_x0_25", "osnet_ain_x0_25"])
def test_equal_to_the_tensors_of_the_file_computed_one_by_one(name, tmp_path):
    state = as_torchreid(name)
    named = {f"module.{key}": value for key, value in state.items()}
    torch.save({"state_dict": named, "epoch": 60}, tmp_path / "a.pth")
    images = torch.randn(2, 3, 128, 64, generator=torch.Generator().manual_seed(0))
    wanted = reference(state, images)
    torch.testing.assert_close(embed(name, tmp_path / "a.pth", images), wanted)
    assert wanted.std() > 0.01  # not everything is 0 behind the last ReLU


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_the_papers(name):
    net = OSNet(name).eval()
    counted = [0]

    def count(module, inputs, output):
        counted[0] += output.numel() * module.weight[0].numel()

    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        net(torch.zeros(1, 3, 256, 128))
    channels = net.specs["conv5"].channels
    parameters = sum(p.numel() for p in net.parameters()) + 512 * (channels + 3)
    million = (counted[0] + 512 * channels) / 1e6
    assert (round(million, 1), round(parameters / 1e6, 1)) == PUBLISHED[name]


@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith("x0_25")])
def test_layers_cover_every_parameter_once(name):
    net = OSNet(name)
    listed = [id(p) for layer in net.layers() for p in layer]
    assert len(listed) == len(set(listed)) == len(list(net.parameters()))
    assert len(net.layers()) == 10  # the first, six blocks, two that halve, the last


def test_names_that_there_are_not():
    with pytest.raises(UserError, match="torchreid/osnet_x2_0: no such network; there are: osnet_"):
        OSNet("osnet_x2_0")
    with pytest.raises(
        UserError, match="no ImageNet weights in a library; put a file of torchreid"
    ):
        OSNet("osnet_x0_5", pretrained="imagenet")


@pytest.mark.parametrize("file", REAL)
def test_torchreids_own_files(file):
    if not (FILES / file).is_file():
        pytest.skip(f"REIDKIT_TEST_WEIGHTS has no {file}")
    state = torch.load(FILES / file, map_location="cpu", weights_only=True)
    images = torch.randn(4, 3, 256, 128, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        embed("osnet_x0_25", FILES / file, images), reference(state, images), rtol=1e-4, atol=1e-4
    )
    net = OSNet("osnet_x0_25", pretrained=str(FILES / file))
    assert net.loaded.content == f"torchreid's OSNet x0.25 with {REAL[file]:,} classes"
    assert net.loaded.left == {"fc.0": 2, "fc.1": 5, "classifier": 2}
    with pytest.raises(UserError) as error:
        OSNet("osnet_x0_5", pretrained=str(FILES / file))
    assert f"the file holds torchreid's OSNet x0.25 with {REAL[file]:,} classes" in str(error.value)
