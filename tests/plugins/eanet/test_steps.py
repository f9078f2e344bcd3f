"""Training steps with a small backbone: what moves what."""

import copy

import pytest
import torch
from torch import nn

from reidkit.models.backbones import ResNet
from reidkit.structures import Field, ReIDBatch
from reidkit_plugins.eanet.heads import PAPHead, PartSegHead
from reidkit_plugins.eanet.losses import PartSegLoss, VisibleIDLoss


class Net(nn.Module):
    """Backbone, PAP and part segmentation on one forward pass."""

    def __init__(self):
        super().__init__()
        self.backbone = ResNet(depth=18, width=8, stages=3, strides=(1, 2, 1), last_stride=None)
        self.head = PAPHead(self.backbone.specs, num_identities=3, dim=8)
        self.ps = PartSegHead(self.backbone.specs)

    def forward(self, batch, identities):
        maps = self.backbone(batch.images)
        loss = PartSegLoss()(self.ps(maps, batch).outputs["logits"], batch["part_map"])
        if identities:
            out = self.head(maps, batch)
            logits, seen = out.outputs["logits"], batch["visibility"]
            loss = loss + VisibleIDLoss()(logits, batch.identities, seen)
        return loss


def make_batch(seed, count=4):
    random = torch.Generator().manual_seed(seed)
    masks = torch.rand(count, 9, 24, 8, generator=random) < 0.3
    return ReIDBatch(
        images=torch.randn(count, 3, 192, 64, generator=random),
        identities=torch.randint(0, 3, (count,), generator=random),
        fields={
            "part_map": Field(torch.randint(0, 8, (count, 48, 16), generator=random), grid=True),
            "masks": Field(masks, grid=True),
            "visibility": Field(masks.flatten(2).any(2).float()),
        },
    )


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


def freeze_statistics(net):
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eval()


def gradients(net, *losses):
    net.zero_grad()
    for loss in losses:
        loss.backward()
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in net.named_parameters()
    }


def test_shapes_and_sign_of_the_map(net):
    batch = make_batch(0)
    maps = net.backbone(batch.images)
    deepest = maps[list(maps)[-1]]
    assert deepest.shape[2:] == (24, 8) and deepest.min() >= 0
    assert net.ps(maps, batch).outputs["logits"].shape[2:] == (48, 16)


def test_gradients_of_two_domains_add_up(net):
    freeze_statistics(net)
    source, target = make_batch(1), make_batch(2)
    alone = gradients(net, net(source, True)), gradients(net, net(target, False))
    both = gradients(net, net(source, True), net(target, False))
    for name, gradient in both.items():
        torch.testing.assert_close(gradient, alone[0][name] + alone[1][name])
        if name.startswith("head."):
            assert alone[1][name].eq(0).all(), name
        if name.startswith("ps."):
            assert alone[0][name].any() and alone[1][name].any(), name


def test_segmentation_statistics_move_once_per_domain(net):
    source, target = make_batch(1), make_batch(2)
    norm, seen = net.ps.norm, []
    for batch, identities in ((source, True), (target, False)):
        net(batch, identities)
        seen.append((norm.num_batches_tracked.item(), norm.running_mean.clone()))
    assert [count for count, _ in seen] == [1, 2]
    assert not torch.equal(seen[0][1], seen[1][1])
    assert net.head.embedding.norm.num_batches_tracked == 1


def test_a_part_nobody_shows_is_not_trained(net):
    batch = make_batch(3)
    batch["masks"][:, 5], batch["visibility"][:, 5] = False, 0.0
    loss = net(batch, True)
    grads = gradients(net, loss)
    assert loss.isfinite()
    for layer in ("linear", "classifier"):
        for kind in ("weight", "bias"):
            gradient = grads[f"head.embedding.{layer}.{kind}"]
            assert gradient[5].eq(0).all(), (layer, kind)
            if (layer, kind) != ("linear", "bias"):  # batch norm takes the bias out again
                assert gradient[4].any(), (layer, kind)
    scale = grads["head.embedding.norm.weight"].view(9, 8)
    assert scale[5].eq(0).all() and scale[4].any()


def test_all_visible_equals_the_unmasked_loss(net):
    batch = make_batch(4)
    batch = batch.with_fields(visibility=torch.ones(4, 9))
    logits = net.head(net.backbone(batch.images), batch).outputs["logits"]
    masked = VisibleIDLoss()(logits, batch.identities, batch["visibility"])
    torch.testing.assert_close(masked, VisibleIDLoss()(logits, batch.identities))


def test_a_step_lowers_the_loss_of_both_domains(net):
    source, target = make_batch(5), make_batch(6)
    before = copy.deepcopy(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    for _ in range(4):
        optimizer.zero_grad()
        net(source, True).backward()
        net(target, False).backward()
        optimizer.step()
    for batch, identities in ((source, True), (target, False)):
        assert net(batch, identities) < before(batch, identities)
