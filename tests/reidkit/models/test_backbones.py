"""Backbones: shapes, torchvision's parameter names, clear refusals."""

import pytest
import torch
from torchvision.models import resnet18

from reidkit.errors import UserError
from reidkit.models.backbones import ResNet


def test_resnet18_equals_torchvision_with_its_weights(tmp_path):
    torch.manual_seed(0)
    reference = resnet18().eval()
    torch.save(reference.state_dict(), tmp_path / "weights.pth")
    ours = ResNet(depth=18, last_stride=None, pretrained=str(tmp_path / "weights.pth")).eval()
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        x = reference.maxpool(reference.relu(reference.bn1(reference.conv1(images))))
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = getattr(reference, name)(x)
        assert torch.equal(ours(images)["layer4"], x)


def test_resnet50_has_the_published_size_and_fine_map():
    net = ResNet(depth=50, last_stride=1)
    assert sum(p.numel() for p in net.parameters()) == 23_508_032
    assert net.specs["layer4"].channels == 2048 and net.specs["layer4"].stride == 16


def test_output_of_every_map_fits_its_spec():
    net = ResNet(depth=34, width=8, stages=4, strides=(1, 2, 1, 2)).eval()
    maps = net(torch.zeros(1, 3, 128, 64))
    for name, spec in net.specs.items():
        assert maps[name].shape[1:] == (spec.channels, 128 // spec.stride, 64 // spec.stride)
    assert float(maps["layer4"].detach().min()) >= 0


@pytest.mark.parametrize(
    "options, text",
    [
        (dict(depth=20), r"depth must be one of \[10, 18, 34, 50, 101\], got 20"),
        (dict(stages=5), "keeps 1 to 4 stages, got 5"),
        (dict(stages=2, strides=(1,)), "2 stages needs 2 strides"),
        (dict(stem_pool="max"), "stem_pool must be 'padded' or 'ceil', got 'max'"),
    ],
)
def test_wrong_options_are_named(options, text):
    with pytest.raises(ValueError, match=text):
        ResNet(**options)


def test_weights_of_another_depth_are_refused(tmp_path):
    torch.save(ResNet(depth=18, width=8).state_dict(), tmp_path / "small.pth")
    with pytest.raises(UserError, match="weights do not fit ResNet"):
        ResNet(depth=18, width=16, pretrained=str(tmp_path / "small.pth"))
