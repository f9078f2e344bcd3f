"""The field's losses against slow, obvious versions."""

import math

import pytest
import torch

from reidkit.models.losses import BatchHardTripletLoss, CrossEntropyLoss


def slow_batch_hard(vectors, identities, margin):
    total, anchors = 0.0, 0
    points = [v.flatten().tolist() for v in vectors]
    for i, a in enumerate(points):
        positive = [
            math.dist(a, p)
            for j, p in enumerate(points)
            if j != i and identities[j] == identities[i]
        ]
        negative = [math.dist(a, p) for j, p in enumerate(points) if identities[j] != identities[i]]
        if positive and negative:
            gap = max(positive) - min(negative)
            total += max(0.0, gap + margin) if margin is not None else math.log1p(math.exp(gap))
            anchors += 1
    return total / anchors if anchors else 0.0


@pytest.mark.parametrize("margin", [0.3, None])
@pytest.mark.parametrize("seed", range(5))
def test_batch_hard_equals_the_loops(seed, margin):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(9, 2, 4, generator=generator, dtype=torch.float64)
    identities = torch.randint(0, 4, (9,), generator=generator)
    ours = BatchHardTripletLoss(margin=margin)(vectors, identities)
    assert float(ours) == pytest.approx(
        slow_batch_hard(vectors, identities.tolist(), margin), rel=1e-5
    )


def test_batch_hard_without_positives_is_zero_with_gradient():
    vectors = torch.randn(3, 1, 4, requires_grad=True)
    loss = BatchHardTripletLoss()(vectors, torch.tensor([0, 1, 2]))
    loss.backward()
    assert float(loss.detach()) == 0 and torch.isfinite(vectors.grad).all()


def test_cross_entropy_sums_over_parts():
    logits = torch.randn(5, 3, 7)
    labels = torch.tensor([0, 1, 2, 3, 4])
    each = [torch.nn.functional.cross_entropy(logits[:, p], labels) for p in range(3)]
    torch.testing.assert_close(CrossEntropyLoss()(logits, labels), sum(each))


def test_label_smoothing_is_checked():
    with pytest.raises(ValueError, match=r"must be in \[0, 1\), got 1.0"):
        CrossEntropyLoss(label_smoothing=1.0)
