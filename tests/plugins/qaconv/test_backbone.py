"""Sizes, norms, and what is frozen."""

import copy

import pytest
import torch
from torch import nn

from reidkit_plugins.qaconv.backbone import IBNResNet
from reidkit_plugins.qaconv.heads import QAConvHead

# spec, section 2: map and channels of every stage for 384x128
SIZES = {2: (512, 48, 16), 3: (1024, 24, 8), 4: (2048, 12, 4)}


@pytest.mark.parametrize("stages", SIZES)
def test_published_sizes_and_unit_cells(stages):
    net = IBNResNet(depth=50, stages=stages).eval()
    head = QAConvHead(net.specs).eval()
    with torch.no_grad():
        maps = net(torch.rand(1, 3, 384, 128))
        out = head(maps, None).embedding.maps
    channels, height, width = SIZES[stages]
    assert maps[f"layer{stages}"].shape == (1, channels, height, width)
    assert out.shape == (1, 128, height, width)
    assert (out.norm(dim=1) - 1).abs().max() < 1e-4
    assert (out < 0).any()  # no activation: values are signed
    assert f"layer{stages + 1}" not in dict(net.named_children())


def test_small_networks_have_their_widths():
    for depth in (18, 34):
        specs = IBNResNet(depth=depth, stages=4).specs
        assert [specs[f"layer{i}"].channels for i in (2, 3, 4)] == [128, 256, 512]


@pytest.mark.parametrize("depth", [18, 50])
def test_ibn_b_stands_in_three_places_under_the_published_names(depth):
    net = IBNResNet(depth=depth, width=8)
    norms = {n: m for n, m in net.named_modules() if isinstance(m, nn.InstanceNorm2d)}
    last = {18: (1, 1), 50: (2, 3)}[depth]
    assert list(norms) == ["bn1", f"layer1.{last[0]}.IN", f"layer2.{last[1]}.IN"]
    assert all(m.affine and not m.track_running_stats for m in norms.values())
    plain = IBNResNet(depth=depth, width=8, ibn=False)
    extra = set(net.state_dict()) - set(plain.state_dict())
    assert {name.rpartition(".")[0] for name in extra} == set(list(norms)[1:])


def test_instance_norm_takes_contrast_and_tint_of_an_image_out():
    torch.manual_seed(0)
    net = IBNResNet(depth=18, width=8, stages=1).eval()
    images = torch.rand(2, 3, 64, 32)
    maps = [net(images * scale)["layer1"] for scale in (1.0, 0.5)]
    torch.testing.assert_close(maps[0], maps[1], atol=1e-2, rtol=1e-2)


def test_a_block_without_its_norm_is_the_block_it_was():
    torch.manual_seed(0)
    plain = IBNResNet(depth=18, width=8, ibn=False).eval()
    norm = IBNResNet(depth=18, width=8).eval()
    block = copy.deepcopy(norm.layer1[-1])
    block.load_state_dict({**block.state_dict(), **plain.layer1[-1].state_dict()})
    block.IN = nn.Identity()
    x = torch.rand(2, 8, 6, 4)
    torch.testing.assert_close(block(x), plain.layer1[-1](x))


def test_fixed_statistics_stay_to_the_last_bit_and_affine_parameters_learn():
    torch.manual_seed(0)
    for fixed in (True, False):
        net = IBNResNet(depth=10, width=8, fixed_statistics=fixed)
        before = {n: b.clone() for n, b in net.named_buffers()}
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        net.train()
        for _ in range(2):
            net(torch.rand(4, 3, 64, 32))["layer3"].square().mean().backward()
            optimizer.step()
        same = all(torch.equal(b, before[n]) for n, b in net.named_buffers())
        assert same == fixed
        assert net.layer1[0].bn1.weight.grad.abs().sum() > 0
        assert net.eval().train().layer1[0].bn1.training != fixed


def test_pretrained_weights_come_back(tmp_path):
    torch.manual_seed(0)
    full, path = IBNResNet(depth=18, width=8, stages=4), tmp_path / "w.pth"
    torch.save({**full.state_dict(), "fc.weight": torch.zeros(2, 2)}, path)
    net = IBNResNet(depth=18, width=8, pretrained=str(path))
    assert all(torch.equal(v, full.state_dict()[k]) for k, v in net.state_dict().items())
