"""Sizes, shapes and properties of the networks, against the published numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from reidkit.config import load_config
from reidkit.errors import UserError
from reidkit.structures import FeatureSpec
from reidkit_plugins.dgnet.appearance import AppearanceEncoder, BottleneckHead
from reidkit_plugins.dgnet.decoder import CodeMLPs, Decoder
from reidkit_plugins.dgnet.discriminator import Discriminator
from reidkit_plugins.dgnet.norms import LayerNorm, adain, instance_norm
from reidkit_plugins.dgnet.structure import StructureEncoder, grey

RESNET50 = dict(type="ResNet", depth=50, last_stride=1)


def count(*modules):
    return sum(p.numel() for m in modules for p in m.parameters())


def test_published_numbers_of_parameters():
    structure, mlps, decoder = StructureEncoder(), CodeMLPs(2048, 128), Decoder()
    assert count(structure) == 380_544
    assert count(decoder) == 1_455_555
    assert count(mlps) == 11_544_576 and count(mlps.weights[0]) == 1_443_072
    assert count(structure, decoder, mlps) == 13_380_675
    discriminator = Discriminator()
    assert count(discriminator) == 1_025_571 and count(discriminator.scales[0]) == 341_857
    encoder = AppearanceEncoder(RESNET50, 751)
    assert count(encoder) == 26_378_782 and count(encoder.backbone) == 23_508_032
    assert count(encoder.heads[0]) == 1_435_375
    teacher = BottleneckHead({"layer4": FeatureSpec(2048, 32)}, 751)
    assert count(encoder.backbone, teacher) == 24_943_407


@pytest.mark.parametrize(
    "identities, head, total", [(702, 1_410_238, 28_377_508), (1041, 1_584_145, 28_725_322)]
)
def test_numbers_of_parameters_at_other_identities(identities, head, total):
    heads = BottleneckHead({"layer4": FeatureSpec(2048, 32)}, identities)
    assert count(heads) == head
    unused_fc = 2048 * 1000 + 1000
    assert 23_508_032 + 2 * head + unused_fc == total


@pytest.mark.parametrize(
    "dim, encoder, decoder, discriminator",
    [(8, 95_424, 364_259, 257_043), (4, 24_000, 91_251, 64_587)],
)
def test_numbers_of_parameters_of_narrow_networks(dim, encoder, decoder, discriminator):
    assert count(StructureEncoder(dim)) == encoder
    assert count(Decoder(8 * dim)) == decoder
    assert count(Discriminator(2 * dim)) == discriminator


def test_shapes_of_the_paper():
    images = torch.rand(2, 3, 256, 128)
    with torch.no_grad():
        code = AppearanceEncoder(dict(RESNET50, width=8), 5)(images)
        structure = StructureEncoder()(images)
        made = Decoder()(structure, *CodeMLPs(256, 128)(code))
        maps = Discriminator(8)(images)
    assert code.shape == (2, 256, 4)
    assert structure.shape == (2, 128, 64, 32)
    assert made.shape == (2, 3, 256, 128)
    assert [tuple(m.shape) for m in maps] == [(2, 1, 64, 32), (2, 1, 32, 16), (2, 1, 16, 8)]


def test_start_of_the_weights():
    torch.manual_seed(0)
    decoder, discriminator = Decoder(), Discriminator()
    first = decoder.blocks[0].first
    assert first.weight.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert not first.bias.any()
    gamma = decoder.up1.norm.gamma
    assert gamma.min() >= 0 and gamma.max() <= 1
    assert gamma.mean().item() == pytest.approx(0.5, abs=0.1)
    assert discriminator.scales[0][1].conv.weight.std().item() == pytest.approx(0.02, rel=0.05)
    with torch.no_grad():
        assert all(m.abs().max() < 1e-3 for m in discriminator(torch.randn(2, 3, 128, 64)))
    head = BottleneckHead({"map": FeatureSpec(256, 16)}, 50).bottleneck
    assert head.reduce.weight.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.02)
    assert head.classifier.weight.std().item() == pytest.approx(0.001, rel=0.02)


def test_a_narrow_discriminator_starts_where_it_sees_its_images():
    """From the published weights a width of 8 answers the same to every image, to seven digits."""
    nets = load_config("dgnet/generator").model.networks
    images = torch.randn(4, 3, 128, 64)
    for std, least, most in ((0.02, 0, 1e-6), (nets.discriminator_std, 1e-3, 1)):
        torch.manual_seed(0)
        with torch.no_grad():
            spread = [m.std().item() for m in Discriminator(nets.discriminator_dim, std)(images)]
        assert least <= min(spread) and max(spread) <= most


@given(seed=st.integers(0, 999), scale=st.floats(0.1, 5))
@settings(max_examples=8, deadline=None)
def test_structure_sees_grey_only(seed, scale):
    """Offsets that sum to zero over the channels change nothing; nor do brightness and contrast."""
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    net = StructureEncoder(2, (1, 2, 3)).eval()
    images = torch.randn(2, 3, 64, 32, generator=random)
    offset = scale * torch.randn(images.shape, generator=random)
    offset -= offset.mean(1, keepdim=True)
    with torch.no_grad():
        code = net(images)
        assert (net(images + offset) - code).abs().max() < 2e-4
        assert (net(3 * images + 1) - code).abs().max() < 2e-3 * code.abs().max()
        other = images.clone()
        other[:, :, 16:32] += 1.0
        assert (net(other) - code).abs().max() > 1e-2
    assert torch.allclose(grey(images), images.sum(1, keepdim=True) / 3, atol=1e-6)


def test_structure_with_colours_is_another_network():
    net = StructureEncoder(2, (1, 2, 3), channels=3)
    images = torch.randn(1, 3, 64, 32)
    assert (net(images) - net(images.flip(1))).abs().max() > 1e-3
    assert count(net) == count(StructureEncoder(2)) + 2 * 9 * 2


def test_images_too_small_for_the_dilations_are_refused(net):
    with pytest.raises(UserError, match="must be multiples of 4 above 36 pixels"):
        net.tiny(networks=dict(dilations=(3, 6, 9)))
    net.tiny(networks=dict(dilations=(1, 2, 7)))


def test_images_that_are_no_multiples_of_four_are_refused(net):
    with pytest.raises(UserError, match=r"input.size=\(64, 34\) .* multiples of 4"):
        net.tiny(size=(64, 34))


@given(seed=st.integers(0, 999))
@settings(max_examples=10, deadline=None)
def test_adain_sets_mean_and_deviation(seed):
    random = torch.Generator().manual_seed(seed)
    x = 3 * torch.randn(2, 5, 9, 7, generator=random) + 1
    weight, bias = torch.randn(2, 2, 5, generator=random).unbind(0)
    y = adain(x, weight, bias)
    assert (y.mean((2, 3)) - bias).abs().max() < 3e-5
    assert (y.std((2, 3), correction=0) - weight.abs()).abs().max() < 3e-5
    assert torch.allclose(y, plain_adain(x, weight, bias), atol=1e-5)
    assert torch.allclose(instance_norm(x), F.instance_norm(x), atol=1e-5)


def test_layer_norm_by_hand():
    x = torch.randn(2, 3, 4, 5)
    norm = LayerNorm(3)
    rows = x.flatten(1)
    plain = (x - rows.mean(1).view(2, 1, 1, 1)) / (rows.std(1).view(2, 1, 1, 1) + 1e-5)
    assert torch.allclose(norm(x), plain * norm.gamma.view(1, 3, 1, 1), atol=1e-6)


def plain_adain(x, weight, bias):
    return F.instance_norm(x) * weight[..., None, None] + bias[..., None, None]


def plain_layer_norm(x, gamma, beta):
    deviation, mean = torch.std_mean(x, dim=(1, 2, 3), keepdim=True)
    y = (x - mean) / (deviation + 1e-5)
    return y * gamma.view(1, -1, 1, 1) + beta.view(1, -1, 1, 1)


@given(seed=st.integers(0, 999), n=st.integers(1, 3), c=st.integers(1, 4), side=st.integers(2, 5))
@settings(max_examples=25, deadline=None)
def test_gradients_of_the_norms_are_those_of_the_formulas(seed, n, c, side):
    """Against autograd through the plain formulas in float64."""
    random = torch.Generator().manual_seed(seed)
    x = 3 * torch.randn(n, c, side, 3, generator=random) + 1
    outer = torch.randn(n, c, side, 3, generator=random)
    each, every = torch.randn(2, n, c, generator=random), torch.randn(2, c, generator=random)

    def ours(x, gamma, beta):
        norm = LayerNorm(c)
        return torch.func.functional_call(norm, dict(gamma=gamma, beta=beta), (x,))

    cases = [
        (adain, plain_adain, (x, *each)),
        (ours, plain_layer_norm, (x, *every)),
        (instance_norm, F.instance_norm, (x,)),
    ]
    for fast, slow, inputs in cases:
        found = gradients(fast, inputs, outer)
        wanted = gradients(slow, [t.double() for t in inputs], outer.double())
        for one, two in zip(found, wanted, strict=True):
            assert torch.allclose(one.double(), two, rtol=1e-3, atol=2e-4)


def gradients(function, inputs, outer):
    leaves = [t.clone().requires_grad_() for t in inputs]
    return torch.autograd.grad((function(*leaves) * outer).sum(), leaves)


def test_norms_in_bfloat16_and_of_a_flat_image():
    x = torch.randn(2, 4, 6, 5).to(torch.bfloat16).to(memory_format=torch.channels_last)
    weight, bias = torch.randn(2, 2, 4).to(torch.bfloat16).unbind(0)
    for y in (adain(x, weight, bias), LayerNorm(4)(x), instance_norm(x)):
        assert y.dtype == torch.bfloat16 and y.is_contiguous(memory_format=torch.channels_last)
    exact = plain_adain(x.float(), weight.float(), bias.float())
    assert (adain(x, weight, bias) - exact).abs().max() < 0.02 * exact.abs().max()
    found = gradients(adain, (x, weight, bias), torch.ones_like(x))
    assert [g.dtype for g in found] == [torch.bfloat16] * 3
    flat = torch.full((1, 4, 6, 5), 2.0)
    for norm in (instance_norm, LayerNorm(4)):
        assert torch.isfinite(gradients(norm, (flat,), torch.randn(1, 4, 6, 5))[0]).all()


def test_only_the_input_is_kept_for_the_gradient():
    x = torch.randn(2, 4, 16, 8).to(torch.bfloat16).requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        adain(x, torch.ones(2, 4), torch.zeros(2, 4))
    large = [t for t in kept if t.numel() == x.numel()]
    assert len(large) == 1 and large[0].dtype == torch.bfloat16


@pytest.mark.parametrize("slices", ["channel", "stripe"])
def test_layout_of_the_slices(slices):
    """Changing one slice of the code changes the parameters of its block alone."""
    mlps = CodeMLPs(8, 6, 5, slices)
    code = torch.rand(2, 8, 4)
    cut = mlps.slice(code)
    for k in range(4):
        changed = code.clone()
        if slices == "channel":  # flattened channel by channel: a quarter of the channels
            assert torch.equal(cut[:, k], code[:, 2 * k : 2 * k + 2].flatten(1))
            changed[:, 2 * k : 2 * k + 2] += 1
        else:
            assert torch.equal(cut[:, k], code[:, :, k])
            changed[:, :, k] += 1
        for before, after in zip(mlps(code), mlps(changed), strict=True):
            moved = (before != after).flatten(2).any(2).any(0)
            assert moved.tolist() == [i == k for i in range(4)]


def test_heads_get_the_maximum_over_the_stripes():
    net = AppearanceEncoder(dict(type="ResNet", depth=10, width=8), 5, dim=6).eval()
    images = torch.rand(2, 3, 128, 64)
    with torch.no_grad():
        pooled, features = net(images), net.backbone(images)["layer4"]
        whole = F.adaptive_max_pool2d(features, 1).flatten(1)
        assert torch.equal(pooled.amax(2), whole)
        assert torch.equal(net.vectors(pooled)[:, 1], net.heads[1](whole)[0])
        assert torch.equal(net.logits(pooled)[0], net.heads[0](whole)[1])


def test_a_small_image_can_be_enlarged_for_the_appearance():
    plain = AppearanceEncoder(dict(type="ResNet", depth=10, width=8), 5, dim=6).eval()
    twice = AppearanceEncoder(dict(type="ResNet", depth=10, width=8), 5, dim=6, upsample=2).eval()
    twice.load_state_dict(plain.state_dict())
    images = torch.rand(1, 3, 64, 32)
    big = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    with torch.no_grad():
        assert torch.equal(twice(images), plain(big))


def test_other_backbones_carry_the_code():
    net = AppearanceEncoder(dict(type="TorchvisionBackbone", name="squeezenet1_1"), 5, dim=6)
    assert net(torch.rand(2, 3, 128, 64)).shape == (2, 512, 4)
    with pytest.raises(ValueError, match="rows cannot be pooled in 4 stripes"):
        net(torch.rand(1, 3, 48, 32))
