"""The losses, against the vectors of the specification and slow loops."""

import pytest
import torch
import torch.nn.functional as F

from reidkit.models.roles import LossRole
from reidkit.structures import HeadOutput, ReIDBatch
from reidkit_plugins.eanet.losses import PartGroupTripletLoss, PartSegLoss, VisibleIDLoss

LOGITS = torch.tensor([[[2.0, 0], [0, 0]], [[0, 1], [3, 0]], [[1, 1], [0, 2]]])
IDENTITIES = torch.tensor([0, 1, 0])
VISIBILITY = torch.tensor([[1.0, 1], [1, 0], [1, 1]])


def test_identity_loss_vector():
    loss = VisibleIDLoss()(LOGITS, IDENTITIES, VISIBILITY)
    assert loss.item() == pytest.approx(0.377779 + 1.410038, abs=1e-6)
    first = VisibleIDLoss()(LOGITS[:, :1], IDENTITIES, VISIBILITY[:, :1])
    assert first.item() == pytest.approx(0.377779, abs=1e-6)


def test_all_visible_equals_no_visibility():
    plain = VisibleIDLoss()(LOGITS, IDENTITIES)
    assert plain.item() == pytest.approx(0.377779 + 1.956222, abs=2e-6)
    masked = VisibleIDLoss()(LOGITS, IDENTITIES, torch.ones(3, 2))
    torch.testing.assert_close(masked, plain)
    each = sum(F.cross_entropy(LOGITS[:, p], IDENTITIES) for p in range(2))
    torch.testing.assert_close(plain, each)


def test_a_part_nobody_shows_adds_and_moves_nothing():
    logits = LOGITS.clone().requires_grad_()
    visibility = torch.tensor([[1.0, 0]] * 3)
    loss = VisibleIDLoss()(logits, IDENTITIES, visibility)
    loss.backward()
    torch.testing.assert_close(loss, F.cross_entropy(LOGITS[:, 0], IDENTITIES))
    assert logits.grad[:, 1].eq(0).all() and logits.grad[:, 0].ne(0).all()


def test_identity_loss_in_half_precision_is_computed_in_float32():
    role = LossRole(dict(type="eanet/VisibleIDLoss"))
    output = HeadOutput(outputs={"logits": LOGITS.bfloat16()})
    batch = ReIDBatch(torch.zeros(3, 3, 4, 4), IDENTITIES).with_fields(visibility=VISIBILITY)
    with torch.autocast("cpu", torch.bfloat16):
        value = role(output, batch)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, VisibleIDLoss()(LOGITS, IDENTITIES, VISIBILITY))


def test_identity_loss_checks_shapes():
    with pytest.raises(
        ValueError, match=r"^logits must be \(N, P, K\) with identities \(N,\), got"
    ):
        VisibleIDLoss()(LOGITS[:, 0], IDENTITIES)
    with pytest.raises(ValueError, match=r"^visibility must be \(N, P\) = \(3, 2\), got \(3, 9\)$"):
        VisibleIDLoss()(LOGITS, IDENTITIES, torch.ones(3, 9))


PIXELS = torch.tensor([[2.0, 0, 0, 0]] * 3 + [[0.0, 1, 0, 0], [0, 0, 3, 0], [1, 0, 0, 0]])
LABELS = torch.tensor([0, 0, 0, 1, 2, 2])


def as_maps(pixels, labels):
    return pixels.T.reshape(1, pixels.shape[1], 1, -1), labels.view(1, 1, -1)


def test_segmentation_loss_vector():
    logits, labels = as_maps(PIXELS, LABELS)
    assert PartSegLoss()(logits, labels).item() == pytest.approx(0.675286, abs=1e-6)
    assert PartSegLoss("pixel")(logits, labels).item() == pytest.approx(0.608134, abs=1e-6)


@pytest.mark.parametrize(("part", "mean"), [(0, 0.340753), (1, 0.743668), (2, 0.941437)])
def test_class_means_of_the_vector(part, mean):
    chosen = part == LABELS
    loss = PartSegLoss()(*as_maps(PIXELS[chosen], LABELS[chosen]))
    assert loss.item() == pytest.approx(mean, abs=1e-6)


def test_segmentation_loss_against_a_loop():
    torch.manual_seed(0)
    logits = torch.randn(3, 8, 12, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 6, (3, 12, 4))  # 6 and 7 are absent
    loss = PartSegLoss()(logits, labels)
    (grad,) = torch.autograd.grad(loss, logits)
    pixel = F.cross_entropy(logits, labels, reduction="none")
    means = [pixel[labels == k].mean() for k in range(8) if (labels == k).any()]
    slow = sum(means) / (len(means) + 1e-8)
    assert len(means) == 6
    torch.testing.assert_close(loss, slow)
    torch.testing.assert_close(grad, torch.autograd.grad(slow, logits)[0])


def test_duplicating_a_part_leaves_only_the_balanced_loss():
    more = torch.cat([torch.arange(6), torch.tensor([3, 3, 3])])
    once, thrice = as_maps(PIXELS, LABELS), as_maps(PIXELS[more], LABELS[more])
    torch.testing.assert_close(PartSegLoss()(*thrice), PartSegLoss()(*once))
    assert abs(PartSegLoss("pixel")(*thrice) - PartSegLoss("pixel")(*once)) > 0.01


def test_a_batch_of_background_is_finite():
    logits = torch.randn(2, 8, 6, 4, requires_grad=True)
    loss = PartSegLoss()(logits, torch.zeros(2, 6, 4, dtype=torch.int64))
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


def test_segmentation_loss_refuses():
    logits = torch.zeros(1, 8, 4, 2)
    with pytest.raises(ValueError, match='^normalize must be "part" or "pixel", got \'class\'$'):
        PartSegLoss("class")
    with pytest.raises(ValueError, match=r"^part_map must be .* = \(1, 4, 2\), got \(1, 2, 4\)$"):
        PartSegLoss()(logits, torch.zeros(1, 2, 4, dtype=torch.int64))
    for wrong, span in ((8, "0 to 8"), (-1, "-1 to 0")):
        labels = torch.zeros(1, 4, 2, dtype=torch.int64)
        labels[0, 0, 0] = wrong
        with pytest.raises(ValueError, match=rf"^part labels must lie in \[0, 8\), got {span}$"):
            PartSegLoss()(logits, labels)


def test_triplet_against_a_loop():
    torch.manual_seed(0)
    identities = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 3])  # the last one has no positive
    vectors = torch.randn(9, 9, 4, dtype=torch.float64)
    slow = 0.0
    for group in ((0, 1, 2, 3, 4, 5), (6, 7), (8,)):
        joined = vectors[:, list(group)].flatten(1)
        hinges = []
        for i in range(8):
            gaps = [(joined[i] - joined[j]).norm() for j in range(9)]
            far = max(gaps[j] for j in range(9) if j != i and identities[j] == identities[i])
            near = min(gaps[j] for j in range(9) if identities[j] != identities[i])
            hinges.append(max(far - near + 0.3, torch.tensor(0.0)))
        slow += sum(hinges) / 8
    torch.testing.assert_close(PartGroupTripletLoss()(vectors, identities), slow)


def test_triplet_of_equal_vectors_is_the_margin_and_has_a_finite_gradient():
    vectors = torch.zeros(4, 1, 3, requires_grad=True)
    loss = PartGroupTripletLoss(groups=((0,),))(vectors, torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert loss.item() == pytest.approx(0.3) and vectors.grad.isfinite().all()


@pytest.mark.parametrize("identities", [[0, 0, 0], [0, 1, 2]])
def test_triplet_without_triplets_is_zero(identities):
    vectors = torch.randn(3, 1, 3, requires_grad=True)
    loss = PartGroupTripletLoss(groups=((0,),))(vectors, torch.tensor(identities))
    loss.backward()
    assert loss.item() == 0 and vectors.grad.eq(0).all()


def test_triplet_refuses_parts_that_are_not_there():
    with pytest.raises(ValueError, match="name parts beyond the 6 given$"):
        PartGroupTripletLoss()(torch.zeros(2, 6, 3), torch.tensor([0, 1]))
