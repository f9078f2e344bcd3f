"""Sizes, shapes, locality and sharing of the network."""

import copy
from itertools import chain

import pytest
import torch
from torch import nn

from reidkit.errors import UserError
from reidkit_plugins.jlml.backbone import JLMLNet, JLMLResNet50
from reidkit_plugins.jlml.heads import JLMLHead
from reidkit_plugins.jlml.streams import cut_stripes, join_stripes

SMALL = dict(width=8, blocks=(1, 1, 1, 1))


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def multiply_adds(net, head, size=224):
    """Multiplications of all convolutions and linear layers but the classifiers, by hooks."""
    total, handles = 0, []

    def note(module, _, output):
        nonlocal total
        cells = output[0].numel() if isinstance(module, nn.Conv2d) else len(module.weight)
        total += cells * module.weight[0].numel()

    for module in chain(net.modules(), head.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            handles.append(module.register_forward_hook(note))
    net.eval(), head.eval()  # no classifier in evaluation
    with torch.no_grad():
        head(net(torch.zeros(1, 3, size, size)), None)
    return total


# parameters without classifiers, multiply-adds at 224
READINGS = {
    "A": ({}, 6_192_928, 793_337_856),
    "B": (dict(local_pool_stride=(2, 2)), 6_192_928, 663_969_792),
    "C": (
        dict(local_pool_stride=(2, 2), stem_kernel=7, stem_width=64),
        6_210_752,
        1_571_192_832 // 2,
    ),
}


@pytest.mark.parametrize("reading", READINGS)
def test_the_three_readings_have_the_published_cost(reading):
    options, parameters, multiplications = READINGS[reading]
    net = JLMLNet(**options)
    head = JLMLHead(net.specs, 751)
    classifiers = sum(p.numel() for p in head.classifier_parameters())
    assert count(net, head) - classifiers == parameters
    assert multiply_adds(net, head) == multiplications
    if reading == "A":
        assert count(net, head) == 6_963_454
        assert count(net, JLMLHead(net.specs, 1000)) == 7_218_928


def test_parts_have_the_published_size():
    net = JLMLNet()
    assert count(net.shared) == 928
    assert count(net.branches["global"]) == 2_694_784
    assert count(net.branches["local"]) == 4 * 677_440
    head = JLMLHead(net.specs, 751)
    assert count(head.branches["global"].feature) == 262_656
    assert count(head.branches["local"].feature) == 524_800
    for branch, size in (("global", 2_958_368), ("local", 3_235_488)):
        alone = JLMLNet(branch=branch)
        assert list(alone.specs) == [branch]
        head = JLMLHead(alone.specs, 751)
        assert count(alone, head) - count(head.branches[branch].classifier) == size


def test_a_stream_has_39_layers():
    net = JLMLNet()
    for name, branch in net.branches.items():
        convs = [
            module
            for key, module in chain(net.shared.named_modules(), branch.named_modules())
            if isinstance(module, nn.Conv2d) and "downsample" not in key
        ]
        assert len(convs) + 2 == 39, name  # with the feature layer and the classifier


@pytest.mark.parametrize("options, rows", [({}, 4), (dict(local_pool_stride=(2, 2)), 2)])
def test_shapes_at_224(options, rows):
    net = JLMLNet(**options).eval()
    head = JLMLHead(net.specs, 5).eval()
    images = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        low = net.shared(images)
        maps = net(images)
        vectors = head(maps, None).embedding.vectors
    assert low.shape == (2, 32, 112, 112)
    stripes = cut_stripes(low, 4)
    assert stripes.shape == (2, 4 * 32, 28, 112)
    assert torch.equal(torch.cat(stripes.chunk(4, 1), 2), low)  # bit for bit
    assert torch.equal(join_stripes(stripes, 4), low)
    assert maps["global"].shape == (2, 512, 7, 7)
    assert maps["local"].shape == (2, 256, 4 * rows, 7)
    assert vectors.shape == (2, 2, 512)


@pytest.mark.parametrize("share_depth", ["none", "conv1", "pool", "conv2_x"])
@pytest.mark.parametrize("branch", ["joint", "global", "local"])
def test_what_is_shared(branch, share_depth):
    net = JLMLNet(branch=branch, share_depth=share_depth, **SMALL)
    depth = ["none", "conv1", "pool", "conv2_x"].index(share_depth)
    assert list(dict(net.shared.named_children())) == ["conv1", "pool", "conv2_x"][:depth]
    maps = net(torch.rand(2, 3, 224, 64))
    assert list(maps) == list(net.specs) == {"joint": ["local", "global"]}.get(branch, [branch])
    for name, spec in net.specs.items():
        assert maps[name].shape[1:] == (spec.channels, *spec.map_size((224, 64)))
    owners = [{id(p) for p in part.parameters()} for part in (net.shared, *net.branches.values())]
    assert sum(map(len, owners)) == len(set().union(*owners))  # no parameter has two owners


def test_streams_have_their_own_parameters_and_equal_the_plain_loop():
    torch.manual_seed(0)
    net = JLMLNet(branch="local", **SMALL).double().train()
    plain = net.unrolled()
    streams = plain.branches["local"].bodies
    owned = [{id(p) for p in stream.parameters()} for stream in streams]
    assert len(set().union(*owned)) == sum(map(len, owned))
    first, second = (next(stream.parameters()) for stream in streams[:2])
    assert first.shape == second.shape and not torch.equal(first, second)
    assert count(plain) == count(net)
    images = torch.rand(4, 3, 64, 32).double()
    for _ in range(2):  # training, then evaluation with the statistics gathered
        grads = []
        for model in (net, plain):
            model.zero_grad()
            maps = model(images)["local"]
            maps.square().sum().backward()
            grads.append((maps.detach(), model.shared.conv1[0].weight.grad.clone()))
        torch.testing.assert_close(*[maps for maps, _ in grads])
        torch.testing.assert_close(*[grad for _, grad in grads])
        net.eval(), plain.eval()


def test_streams_start_as_if_they_stood_alone():
    torch.manual_seed(0)
    net = JLMLNet(branch="local", width=32, blocks=(1, 1, 1, 1))
    conv = net.branches["local"].body.conv5_x[0].conv2  # 4 streams of 128 -> 128, 3x3
    for own in conv.weight.chunk(4):
        assert own.std().item() == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.02)


def changed_rows(net, row):
    """Row blocks of the local map, and whether the global map, that one input row changes."""
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    other = images.clone()
    other[:, :, row] += 0.5
    with torch.no_grad():
        before, after = net(images), net(other)
    blocks = (before["local"] != after["local"]).unflatten(2, (4, -1)).any(4).any(3).any(1)[0]
    return [i + 1 for i in range(4) if blocks[i]], bool((before["global"] != after["global"]).any())


@pytest.mark.parametrize(
    "row, stripes", [(0, [1]), (55, [1, 2]), (56, [2]), (111, [2, 3]), (167, [3, 4]), (168, [4])]
)
def test_an_input_row_reaches_its_own_streams_only(row, stripes):
    torch.manual_seed(0)
    net = JLMLNet(**SMALL).eval()
    assert changed_rows(net, row) == (stripes, True)


def test_heights_that_cannot_be_cut_are_refused():
    with pytest.raises(UserError, match="a map of 50 rows cannot be cut into 4 equal stripes"):
        JLMLNet(**SMALL)(torch.zeros(1, 3, 100, 32))


@pytest.mark.parametrize(
    "options, text",
    [
        (dict(branch="both"), "branch must be one of"),
        (dict(share_depth="conv3_x"), "share_depth must be one of"),
        (dict(stride_on="2x2"), "stride_on must be one of"),
        (dict(width=15), "width even"),
        (dict(blocks=(1, 1)), "one stride for each stage"),
        (dict(share_depth="conv2_x", blocks=(1,), strides=(1,)), "needs a second stage"),
    ],
)
def test_options_are_closed(options, text):
    with pytest.raises(ValueError, match=text):
        JLMLNet(**options)


@pytest.mark.slow
def test_the_resnet50_extension_takes_torchvisions_weights(tmp_path):
    from torchvision.models import resnet50

    torch.manual_seed(0)
    reference = resnet50(weights=None).eval()
    path = tmp_path / "resnet50.pth"
    torch.save(reference.state_dict(), path)
    net = JLMLResNet50(pretrained=str(path)).eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        maps = net(images)
        x = images
        for name, module in reference.named_children():
            x = x if name in ("avgpool", "fc") else module(x)
    torch.testing.assert_close(maps["global"], x)
    assert maps["local"].shape[1] == 1024
    assert count(net.shared, net.branches["global"]) == 23_508_032
    broken = copy.deepcopy(reference.state_dict())
    del broken["layer3.0.conv1.weight"]
    torch.save(broken, path)
    with pytest.raises(UserError, match=r"1 missing \(first: branches.global.conv4_x.0.conv1"):
        JLMLResNet50(pretrained=str(path))
    with pytest.raises(UserError, match="branch=local does not have"):
        JLMLResNet50(branch="local", pretrained=str(path))
