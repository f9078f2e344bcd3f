"""The plugin keeps its promises, its parts are the paper's formulas, and the method learns."""

import numpy as np
import pytest
import timm
import torch

from reidkit.errors import UserError
from reidkit.plugin import load_plugins
from reidkit.registry import BACKBONES, HEADS, LOSSES
from reidkit.structures import FeatureSpec, ReIDBatch
from reidkit.testing import check_plugin, fake_supply, train_and_test

SMALL = dict(type="transreid/SIETransformer", depth=2, stride=12)


@pytest.fixture(autouse=True)
def plugin():
    load_plugins(["transreid"])


def backbone(cameras=(3, 7), **options):
    supply = fake_supply("backbones", input_size=(64, 32), cameras=cameras)
    return BACKBONES.build(dict(SMALL, **options), supply).eval()


def features(net, cameras, domain="source"):
    batch = ReIDBatch(torch.zeros(len(cameras), 3, 64, 32), domain=domain)
    batch.cameras = torch.tensor(cameras)
    with torch.no_grad():
        return net(batch.images, batch)


def jigsaw_head(groups=4, **options):
    token = FeatureSpec(64, kind="vector")
    specs = {"tokens": FeatureSpec(64, kind="tokens"), "shared": token, "class": token}
    supply = fake_supply("heads", features=specs, num_identities=5)
    return HEADS.build(dict(type="transreid/JigsawHead", groups=groups, **options), supply)


def given(n=6, patches=8):
    source = torch.Generator().manual_seed(0)
    shapes = {"tokens": (n, patches, 64), "shared": (n, 64), "class": (n, 64)}
    return {name: torch.randn(shape, generator=source) for name, shape in shapes.items()}


def test_the_plugin_keeps_its_promises():
    report = check_plugin("transreid")
    assert not report.broken, str(report)
    assert "not run" not in str(report)


def test_the_camera_changes_all_tokens():
    net = backbone()
    third, seventh = features(net, [3, 7])["class"]
    assert not torch.allclose(third, seventh)
    plain = features(backbone(strength=0.0), [3, 7])["class"]
    torch.testing.assert_close(plain[0], plain[1])


@pytest.mark.parametrize("unknown", ["mean", "zero"])
def test_cameras_that_training_did_not_see(unknown):
    net = backbone(unknown=unknown)
    own, other = features(net, [3, 5])["class"]
    assert not torch.allclose(own, other)
    # the same number in another data set is another camera
    torch.testing.assert_close(features(net, [3], domain="target")["class"][0], other)
    with torch.no_grad():
        net.cameras.vectors[:] = net.cameras.vectors.mean(0) if unknown == "mean" else 0.0
    torch.testing.assert_close(features(net, [7])["class"][0], other)


def test_strength_is_the_factor_on_the_cameras_vector():
    net = backbone()
    stored = features(net, [3])["class"]
    with torch.no_grad():
        net.cameras.vectors.mul_(3.0)
    net.strength = 1.0
    torch.testing.assert_close(features(net, [3])["class"], stored)


def test_patches_overlap_and_lie_where_the_paper_says():
    net = backbone()
    assert features(net, [3])["tokens"].shape[1] == 5 * 2  # (64 - 16) // 12 + 1 rows
    assert features(backbone(stride=None), [3])["tokens"].shape[1] == 4 * 2
    image = torch.zeros(1, 3, 64, 32)
    image[:, :, 12:16] = 1.0  # rows that the first two rows of patches share
    blank = net.body.patch_embed(torch.zeros_like(image))
    touched = (net.body.patch_embed(image) != blank).any(2).view(5, 2)
    assert touched.any(1).tolist() == [True, True, False, False, False]
    with pytest.raises(ValueError, match="stride must be 1 to 16"):
        backbone(stride=17)


def test_weights_of_a_whole_network_fit_other_sizes_and_strides(tmp_path):
    whole = timm.create_model("vit_tiny_patch16_224", depth=2)
    torch.save(whole.state_dict(), tmp_path / "whole.pth")
    net = backbone(pretrained=str(tmp_path / "whole.pth"))
    for one, other in zip(net.body.blocks.parameters(), whole.blocks.parameters(), strict=True):
        assert torch.equal(one, other)
    assert net.body.pos_embed.shape[1] == 1 + 5 * 2
    with pytest.raises(UserError, match="give the path of a file with its weights"):
        backbone(pretrained=str(tmp_path / "none.pth"))


def test_parameters_from_input_to_output():
    net = backbone()
    layers = net.layers()
    assert len(layers) == 3 and sum(map(len, layers)) == len(list(net.parameters()))
    assert any(p is net.cameras.vectors for p in layers[0])


def test_local_vectors_against_loops():
    head, maps = jigsaw_head(groups=4, shift=5).eval(), given(patches=8)
    with torch.no_grad():
        found = head.local_vectors(maps)
        shifted = [(i + 5) % 8 for i in range(8)]
        table = [shifted[2 * row : 2 * row + 2] for row in range(4)]  # k rows
        order = [table[row][column] for column in range(2) for row in range(4)]
        for group in range(4):
            rows = [maps["shared"], *(maps["tokens"][:, i] for i in order[2 * group :][:2])]
            slow = head.local(torch.stack(rows, 1))[:, 0]
            torch.testing.assert_close(found[:, group], slow, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("patches, groups", [(8, 4), (10, 4), (7, 3), (5, 1)])
def test_every_patch_is_in_a_group(patches, groups):
    from importlib import import_module

    module = import_module(type(jigsaw_head()).__module__)
    order = module.jigsaw(patches, groups, 5)
    assert len(order) == groups and set(order.flatten().tolist()) == set(range(patches))


def test_training_gives_the_global_vector_and_the_test_all_of_them():
    head, maps = jigsaw_head(), given()
    out = head.train()(maps, None)
    torch.testing.assert_close(out.embedding.vectors[:, 0], maps["class"])
    assert out.outputs["local_vectors"].shape == (6, 4, 64)
    before = jigsaw_head(test="before").eval()
    with torch.no_grad():
        tested = before(maps, None).embedding.vectors
        torch.testing.assert_close(tested[:, 1:], before.local_vectors(maps))
        assert not torch.equal(head.eval()(maps, None).embedding.vectors, tested)


def test_the_local_block_starts_as_the_backbones_last_one():
    net = backbone()
    supply = fake_supply("heads", features=net.specs, num_identities=5)
    head = HEADS.build(dict(type="transreid/JigsawHead", groups=1, shift=0), supply).eval()
    found = features(net, [3, 7])
    with torch.no_grad():  # one group of all patches in order: the global vector itself
        torch.testing.assert_close(head.local_vectors(found)[:, 0], found["class"])
        head.local[0].mlp.fc1.weight.zero_()
    torch.testing.assert_close(features(net, [3, 7])["class"], found["class"])  # a copy


def test_the_jigsaw_loss_is_the_mean_over_groups():
    source = torch.Generator().manual_seed(0)
    vectors, logits = (torch.randn(6, 3, width, generator=source) for width in (4, 5))
    identities = torch.tensor([0, 0, 1, 1, 2, 2])
    found = LOSSES.build(dict(type="transreid/JigsawLoss"))(vectors, logits, identities)
    slow = []
    for k in range(3):
        points = vectors[:, k].double().numpy()
        for i in range(6):
            gaps = np.linalg.norm(points - points[i], axis=1)
            same = identities.numpy() == int(identities[i])
            slow.append(np.logaddexp(0, gaps[same].max() - gaps[~same].min()))
            row = logits[i, k].double().numpy()
            slow.append(np.log(np.exp(row).sum()) - row[identities[i]])
    assert float(found) == pytest.approx(2 * np.mean(slow), rel=1e-5)


def test_it_learns(tiny_synthped, tmp_path):
    run = train_and_test(
        "transreid/viewpoint", tiny_synthped, tmp_path / "run", data="synthped_viewpoints_tiny"
    )
    first, last = run.losses["loss"]
    assert last < first
    assert set(run.losses) == {
        "loss", "loss_id", "loss_triplet", "loss_jigsaw", "loss_viewpoint",
    }  # fmt: skip
    assert run.metrics["source"]["mAP"] > run.chance["source"]["mAP"]
