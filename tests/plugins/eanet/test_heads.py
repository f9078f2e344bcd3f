"""Pooling and heads: shapes, sizes, initial values, and independence of the parts."""

import pytest
import torch
from torch import nn

from reidkit.registry import HEADS
from reidkit.structures import FeatureSpec, Field, ReIDBatch
from reidkit.testing.supply import fake_supply
from reidkit_plugins.eanet.embedding import PartEmbedding, PartLinear
from reidkit_plugins.eanet.heads import GlobalHead, PAPHead, PartSegHead, PCBHead
from reidkit_plugins.eanet.pooling import masked_max, masked_mean, stripe_pool

FEATURES = {"layer3": FeatureSpec(4, 16), "layer4": FeatureSpec(16, 16)}


def feature_maps(count=3, channels=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, 24, 8, generator=generator).sub(0.3).relu()


def masked_batch(count=3, regions=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    masks = torch.rand(count, regions, 24, 8, generator=generator) < 0.3
    masks[0, 1] = False
    images = torch.zeros(count, 3, 4, 4)
    seen = masks.flatten(2).any(2).float()
    return ReIDBatch(images).with_fields(masks=Field(masks, grid=True), visibility=seen)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pooling_against_a_loop(layout):
    maps = feature_maps().to(memory_format=layout)
    masks = masked_batch()["masks"]
    largest, mean = masked_max(maps, masks), masked_mean(maps, masks)
    assert largest.shape == (3, 9, 16)
    for n in range(3):
        for r in range(9):
            cells = maps[n][:, masks[n, r]]  # [C, cells]
            if cells.shape[1]:
                assert torch.equal(largest[n, r], cells.amax(1))
                torch.testing.assert_close(mean[n, r], cells.mean(1))
            else:
                assert largest[n, r].eq(0).all() and mean[n, r].eq(0).all()


def test_pooling_sends_the_gradient_into_the_region_only():
    maps = feature_maps().requires_grad_()
    masks = masked_batch()["masks"]
    weights = torch.rand(3, 9, 16)
    (masked_max(maps, masks) * weights).sum().backward()
    covered = masks.any(1, keepdim=True)
    assert maps.grad[(~covered).expand_as(maps)].eq(0).all()
    seen = masks.flatten(2).any(2)
    largest = masked_max(maps, masks) > 0  # one cell per channel and region
    wanted = (weights * (seen[..., None] & largest)).sum()
    positive = maps.detach() > 0
    torch.testing.assert_close(maps.grad[positive].sum(), wanted)


def test_stripes_against_slices():
    maps = feature_maps()
    for pool in ("max", "avg"):
        pooled = stripe_pool(maps, 6, pool)
        for i in range(6):
            rows = maps[:, :, 4 * i : 4 * i + 4]
            wanted = rows.amax((2, 3)) if pool == "max" else rows.mean((2, 3))
            torch.testing.assert_close(pooled[:, i], wanted)
    assert torch.equal(stripe_pool(maps, 1)[:, 0], maps.amax((2, 3)))
    with pytest.raises(ValueError, match="^24 rows of features cannot be cut into 7 equal"):
        stripe_pool(maps, 7)


def test_masks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"^masks \(3, 9, 24, 8\) do not fit the feature map"):
        masked_max(torch.zeros(3, 16, 12, 4), masked_batch()["masks"])


def test_part_linear_is_a_linear_layer_per_part():
    torch.manual_seed(0)
    layers = PartLinear(3, 5, 4)
    vectors = torch.randn(7, 3, 5)
    out = layers(vectors)
    for p in range(3):
        single = nn.Linear(5, 4)
        single.load_state_dict(dict(weight=layers.weight[p], bias=layers.bias[p]))
        torch.testing.assert_close(out[:, p], single(vectors[:, p]))


def test_part_embedding_is_what_separate_modules_compute():
    torch.manual_seed(0)
    joint = PartEmbedding(16, 3, 4, 5)
    vectors = torch.rand(7, 3, 16)
    embedded, logits = joint(vectors)
    for p in range(3):
        linear, norm, classifier = nn.Linear(16, 4), nn.BatchNorm1d(4), nn.Linear(4, 5)
        linear.load_state_dict(dict(weight=joint.linear.weight[p], bias=joint.linear.bias[p]))
        classifier.load_state_dict(
            dict(weight=joint.classifier.weight[p], bias=joint.classifier.bias[p])
        )
        wanted = norm(linear(vectors[:, p])).relu()
        torch.testing.assert_close(embedded[:, p], wanted)
        torch.testing.assert_close(logits[:, p], classifier(wanted))
        torch.testing.assert_close(joint.norm.running_var.view(3, 4)[p], norm.running_var)


def test_initial_values():
    torch.manual_seed(0)
    head = PAPHead({"map": FeatureSpec(256, 16)}, num_identities=200)
    linear, norm = head.embedding.linear, head.embedding.norm
    assert linear.weight.abs().max() <= 1 / 16 and linear.bias.abs().max() <= 1 / 16
    assert linear.weight.std().item() == pytest.approx(1 / 16 / 3**0.5, rel=0.02)
    assert norm.weight.eq(1).all() and norm.bias.eq(0).all()
    weight, bias = head.classifier_parameters()
    assert weight.std().item() == pytest.approx(0.001, rel=0.02) and bias.eq(0).all()
    parts = PartSegHead({"map": FeatureSpec(256, 16)})
    assert parts.deconv.bias is None and parts.conv.bias.eq(0).all()
    assert parts.deconv.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert parts.conv.weight.std().item() == pytest.approx(0.001, rel=0.1)


@pytest.mark.parametrize("name", ["GlobalHead", "PCBHead", "PAPHead"])
def test_embedding_and_logits(name):
    parts, dim = dict(GlobalHead=(1, 512), PCBHead=(6, 256), PAPHead=(9, 256))[name]
    known = fake_supply("heads", features=FEATURES, num_identities=5)
    head = HEADS.build(dict(type=f"eanet/{name}"), known)
    maps = {"layer3": torch.zeros(3, 4, 24, 8), "layer4": feature_maps()}
    out = head(maps, masked_batch())
    assert out.embedding.vectors.shape == (3, parts, dim)
    assert out.outputs["logits"].shape == (3, parts, 5)
    assert set(out.known()) == set(head.gives)
    assert out.embedding.vectors.min() >= 0
    assert out.embedding.vectors.flatten(1).shape[1] == {1: 512, 6: 1536, 9: 2304}[parts]
    head.eval()
    assert head(maps, masked_batch()).outputs == {}
    with pytest.raises(ValueError, match='^pool must be "max" or "avg", got \'mean\'$'):
        HEADS.build(dict(type=f"eanet/{name}", pool="mean"), known)


def test_part_segmentation_doubles_the_map_and_is_silent_in_evaluation():
    head = PartSegHead(FEATURES)
    maps = {"layer4": feature_maps()}
    out = head(maps, None)
    assert out.outputs["logits"].shape == (3, 8, 48, 16) and out.embedding is None
    assert head.eval()(maps, None).known() == {}


def test_part_segmentation_says_which_part_maps_it_learns_from():
    head = PartSegHead(FEATURES, map_size=(16, 8))
    logits = head({"layer4": torch.rand(1, 16, 16, 8)}, None).outputs["logits"]
    assert head.label_sizes == {"part_map": tuple(logits.shape[2:])} == {"part_map": (32, 16)}


@pytest.mark.parametrize("kind", [GlobalHead, PCBHead])
def test_another_map_than_the_default(kind):
    head = kind(FEATURES, num_identities=5, feature="layer3")
    maps = {"layer3": torch.rand(3, 4, 24, 8)}
    assert head(maps, None).embedding.vectors.shape[0] == 3
    with pytest.raises(ValueError, match="no map named 'layer9'; the backbone gives layer3"):
        kind(FEATURES, num_identities=5, feature="layer9")


def test_pap_takes_the_first_regions_and_hands_on_their_visibility():
    torch.manual_seed(0)
    head = PAPHead(FEATURES, num_identities=5, regions=6).eval()
    maps, nine = {"layer4": feature_maps()}, masked_batch()
    six = nine.with_fields(masks=nine["masks"][:, :6], visibility=nine["visibility"][:, :6])
    out = head(maps, nine).embedding
    assert torch.equal(out.vectors, head(maps, six).embedding.vectors)
    assert torch.equal(out.visibility, nine["visibility"][:, :6])


def test_an_empty_region_has_the_same_feature_in_every_image():
    torch.manual_seed(0)
    head = PAPHead(FEATURES, num_identities=5).eval()
    batch = masked_batch()
    batch["masks"][:, 4] = False
    vectors = head({"layer4": feature_maps()}, batch).embedding.vectors
    assert torch.equal(vectors[0, 4], vectors[1, 4]) and torch.equal(vectors[0, 4], vectors[2, 4])
    assert not torch.equal(vectors[0, 3], vectors[1, 3])


def test_pap_says_what_is_missing():
    head = PAPHead(FEATURES, num_identities=5)
    maps = {"layer4": feature_maps()}
    assert set(head.asks) == {"masks", "visibility"}
    with pytest.raises(ValueError, match="^PAPHead: the batch has no region masks; add eanet/Reg"):
        head(maps, ReIDBatch(torch.zeros(3, 3, 4, 4)))
    with pytest.raises(ValueError, match="^PAPHead: regions=9, but the batch has 6 masks$"):
        head(maps, masked_batch(regions=6))


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def test_parameter_totals():
    """Published architecture, K = 751 identities of Market-1501."""
    from reidkit.models.backbones import ResNet

    with torch.device("meta"):
        net = ResNet(depth=50, width=64, stages=4, last_stride=1)
        given = dict(features=net.specs, num_identities=751)
        one, stripes = GlobalHead(**given), PCBHead(**given)
        six, nine, segmentation = (
            PAPHead(regions=6, **given),
            PAPHead(**given),
            PartSegHead(net.specs),
        )
    assert count(net) == 23_508_032
    assert count(segmentation) == 4_721_160
    assert count(one.embedding.linear, one.embedding.norm) == 1_050_112
    assert count(nine.embedding.linear, nine.embedding.norm) == 9 * 525_056
    assert count(nine.embedding.classifier) == 9 * 193_007
    assert count(net, one) == 24_943_407
    assert count(net, stripes) == count(net, six) == 27_816_410
    assert count(net, nine) == 29_970_599
    assert count(net, nine, segmentation) == 34_691_759
