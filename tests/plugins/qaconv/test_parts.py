"""Backbone, head and transforms: sizes, what is frozen, and the rules of occlusion."""

import copy

import pytest
import torch
from torch import nn

from reidkit.structures import FeatureSpec, ReIDBatch
from reidkit_plugins.qaconv.backbone import IBNResNet
from reidkit_plugins.qaconv.heads import QAConvHead
from reidkit_plugins.qaconv.transforms import (
    FactorJitter,
    RandomOcclusion,
    RandomRotation,
    shift_hue,
)

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


def test_heads_of_both_kinds():
    specs = {"layer3": FeatureSpec(6, 16)}
    maps = {"layer3": torch.rand(4, 6, 5, 3)}
    old, new = QAConvHead(specs, dim=8, norm=True), QAConvHead(specs, dim=8)
    assert old.conv.bias is None and isinstance(old.norm, nn.BatchNorm2d)
    assert new.conv.bias is not None and isinstance(new.norm, nn.Identity)
    pooled = QAConvHead(specs, dim=8, pool="avg")(maps, None).embedding.maps
    assert pooled.shape == (4, 8, 1, 1)
    with pytest.raises(ValueError, match="""pool must be "none" or "avg", got 'max'$"""):
        QAConvHead(specs, pool="max")


def batch(n=300, size=(40, 20), value=0.0):
    return ReIDBatch(torch.full((n, 3, *size), value), generator=torch.Generator().manual_seed(0))


def test_occlusion_is_one_white_square_inside_of_every_allowed_size():
    images = RandomOcclusion(max_size=0.8)(batch()).images
    white = (images == 255).all(1)
    assert torch.equal(white, (images != 0).any(1))
    sides = set()
    for one in white:
        rows, columns = one.any(1).nonzero().flatten(), one.any(0).nonzero().flatten()
        side = len(rows)
        assert side == len(columns) and one.sum() == side**2
        assert rows[-1] - rows[0] == side - 1 and columns[-1] - columns[0] == side - 1
        sides.add(side)
    assert sides == set(range(1, 16))  # floor(0.8 * 20) is left out
    touched = white.any(0)
    assert touched.float().mean() > 0.9


def test_occlusion_of_size_zero_changes_nothing_and_bytes_stay_bytes():
    assert torch.equal(RandomOcclusion(max_size=0.0)(batch(4)).images, batch(4).images)
    small = ReIDBatch(
        torch.zeros(4, 3, 8, 4, dtype=torch.uint8), generator=torch.Generator().manual_seed(0)
    )
    out = RandomOcclusion()(small).images
    assert out.dtype == torch.uint8 and (out == 255).any()
    with pytest.raises(ValueError, match="in order, got 0.9, 0.8"):
        RandomOcclusion(min_size=0.9)


def test_rotation_turns_about_the_middle_in_pixels():
    """A line of pixels across a tall image stays a straight line at the drawn angle."""
    size = (80, 40)
    images = torch.zeros(1, 3, *size)
    images[:, :, 39:41] = 255
    for seed in range(3):
        given = ReIDBatch(images, generator=torch.Generator().manual_seed(seed))
        angle = (2 * torch.rand(1, generator=torch.Generator().manual_seed(seed)) - 1) * 5
        out = RandomRotation(5.0)(given).images[0, 0]
        rows = torch.arange(80.0)[:, None]
        centre = (out * rows).sum(0) / out.sum(0)
        slope = (centre[30] - centre[10]) / 20
        assert abs(abs(slope) - torch.deg2rad(angle).tan().abs()) < 0.01
        assert centre[19:21].mean() == pytest.approx(39.5, abs=0.05)


def test_hue_goes_round_and_keeps_the_greys():
    torch.manual_seed(0)
    images = 255 * torch.rand(5, 3, 6, 4)
    round_trip = shift_hue(images, torch.ones(5, 1, 1, 1))
    torch.testing.assert_close(round_trip, images, atol=0.05, rtol=1e-4)
    third = shift_hue(images, torch.full((5, 1, 1, 1), 1 / 3))
    torch.testing.assert_close(third, images.roll(1, 1), atol=0.05, rtol=1e-3)
    grey = torch.full((1, 3, 2, 2), 70.0)
    torch.testing.assert_close(shift_hue(grey, torch.full((1, 1, 1, 1), 0.3)), grey)


def test_jitter_multiplies_by_factors_of_the_range():
    given = batch(200, value=100.0)
    out = FactorJitter(0.5, 2.0, hue=0.0)(given).images
    grey = out[:, 0, 0, 0]  # plain grey images: contrast and saturation do nothing
    assert grey.min() >= 50 and grey.max() <= 200 and grey.max() > 180 and grey.min() < 60
