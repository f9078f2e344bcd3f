"""The field's losses against slow, obvious versions."""

import math

import pytest
import torch

from reidkit.models.losses import BatchHardTripletLoss, CrossEntropyLoss, euclidean, hardest_pairs


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


def slow_hardest(distances, identities):
    """Farthest positive and nearest negative of every anchor that has both."""
    found = []
    for i, row in enumerate(distances):
        positive = [d for j, d in enumerate(row) if j != i and identities[j] == identities[i]]
        negative = [d for j, d in enumerate(row) if identities[j] != identities[i]]
        if positive and negative:
            found.append((max(positive), min(negative)))
    return found


@pytest.mark.parametrize("identities", [1, 2, 4, 40])
@pytest.mark.parametrize("seed", range(4))
def test_hardest_pairs_equal_the_loops(seed, identities):
    generator = torch.Generator().manual_seed(seed)
    distances = torch.randn(10, 10, generator=generator)  # not symmetric, and below 0 as well
    people = torch.randint(0, identities, (10,), generator=generator)
    positive, negative = hardest_pairs(distances, people)
    found = list(zip(positive.tolist(), negative.tolist(), strict=True))
    assert found == slow_hardest(distances.tolist(), people.tolist())


def test_gradients_reach_only_the_hardest_pairs():
    distances = torch.tensor([[0.0, 1, 2, 5], [1, 0, 3, 4], [2, 3, 0, 6], [5, 4, 6, 0]])
    distances.requires_grad_()
    positive, negative = hardest_pairs(distances, torch.tensor([7, 7, 7, 8]))
    (positive - negative).sum().backward()
    wanted = torch.zeros(4, 4)
    wanted[[0, 1, 2], [2, 2, 1]], wanted[[0, 1, 2], 3] = 1.0, -1.0
    assert torch.equal(distances.grad, wanted)


def test_distances_of_near_duplicates_keep_their_digits():
    x = 100 + torch.tensor([[0.0, 0.0], [1e-3, 0.0]])
    gap = (x[1, 0] - x[0, 0]).item()
    assert euclidean(x)[0, 1].item() == pytest.approx(gap, rel=1e-5)


def test_cosine_triplet_equals_the_formula():
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    who = torch.tensor([0, 0, 1, 1, 2, 2])
    unit = torch.nn.functional.normalize(x.flatten(1))
    pairs = slow_hardest((1 - unit @ unit.T).tolist(), who.tolist())
    expected = sum(max(0.0, p - n + 0.2) for p, n in pairs) / len(pairs)
    ours = BatchHardTripletLoss(margin=0.2, distance="cosine")(x, who)
    assert float(ours) == pytest.approx(expected)
    with pytest.raises(ValueError, match="distance must be 'euclidean' or 'cosine', got 'dot'"):
        BatchHardTripletLoss(distance="dot")


def test_normalized_triplet_does_not_see_lengths():
    x, who = torch.randn(6, 1, 3), torch.tensor([0, 0, 1, 1, 2, 2])
    loss = BatchHardTripletLoss(normalize=True)
    longer = x * torch.tensor([1.0, 2, 3, 4, 5, 6])[:, None, None]
    torch.testing.assert_close(loss(longer, who), loss(x, who))


def test_cross_entropy_refuses_logits_of_another_shape():
    with pytest.raises(ValueError, match=r"wants identity logits \(N, P, K\) with N identities"):
        CrossEntropyLoss()(torch.zeros(4, 7), torch.arange(4))


def test_cross_entropy_sums_over_parts():
    logits = torch.randn(5, 3, 7)
    labels = torch.tensor([0, 1, 2, 3, 4])
    each = [torch.nn.functional.cross_entropy(logits[:, p], labels) for p in range(3)]
    torch.testing.assert_close(CrossEntropyLoss()(logits, labels), sum(each))


def test_label_smoothing_is_checked():
    with pytest.raises(ValueError, match=r"must be in \[0, 1\), got 1.0"):
        CrossEntropyLoss(label_smoothing=1.0)
