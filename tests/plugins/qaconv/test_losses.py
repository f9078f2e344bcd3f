"""Losses against the vectors of the spec, slow loops, and the class memory's life."""

import copy
import math

import pytest
import torch
from torch import nn

from reidkit.config import load_config
from reidkit.errors import UserError
from reidkit.models.reid_model import ReIDModel
from reidkit.structures import Embedding, ReIDBatch
from reidkit_plugins.qaconv.losses import PairwiseMatchingLoss, ScoreTripletLoss, hardest
from reidkit_plugins.qaconv.matcher import QAConvMatcher
from reidkit_plugins.qaconv.memory import ClassMemoryLoss

SCORES = torch.tensor(
    [[5.0, 3, 1, -2], [3, 5, 2, 0], [1, 2, 5, 4], [-2, 0, 4, 5]], dtype=torch.float64
)
LABELS = torch.tensor([0, 0, 1, 1])


def test_triplet_vector():
    positive, negative = hardest(SCORES, LABELS)
    assert (16 - positive + negative).tolist() == [14, 15, 14, 12]
    loss = ScoreTripletLoss()
    assert loss(SCORES, LABELS).item() == 13.75 and loss.accuracy.item() == 1


def test_pairwise_vector():
    rows = [
        PairwiseMatchingLoss()(SCORES.roll((-i, -i), (0, 1)), LABELS.roll(-i)).item()
        for i in range(4)
    ]
    wanted = [1.49549, 2.87538, 3.46505, 0.84494]
    assert rows[0] == pytest.approx(sum(wanted) / 4, abs=1e-5)
    same = (LABELS[:, None] == LABELS).double()
    for i in range(4):
        row = nn.functional.binary_cross_entropy_with_logits(SCORES[i], same[i], reduction="sum")
        assert row.item() == pytest.approx(wanted[i], abs=1e-5)


def test_images_without_positive_or_negative_cost_nothing():
    scores = torch.tensor([[1.0, 5.0], [5.0, 1.0]]).requires_grad_()
    loss = ScoreTripletLoss()(scores, torch.tensor([0, 1]))
    loss.backward()
    assert loss.item() == 0 and torch.equal(scores.grad, torch.zeros(2, 2))
    assert ScoreTripletLoss()(scores, torch.tensor([0, 0])).item() == 0


class DotMatcher(nn.Module):
    """Plain inner products of maps of one cell."""

    def scores(self, query, gallery):
        return query.maps.flatten(1) @ gallery.maps.flatten(1).T


X = torch.tensor([[1.0, 0.0], [0.0, 2.0]]).view(2, 2, 1, 1)
Y = torch.tensor([0, 2])


def test_class_memory_vector():
    loss = ClassMemoryLoss(num_identities=3)
    assert loss(X, Y, DotMatcher()).item() == 0
    assert loss.memory.flatten(1).tolist() == [[1, 0], [0, 0], [0, 2]]
    assert loss.seen.tolist() == [True, False, True]
    second = loss.losses(X, Y, DotMatcher())
    assert second.tolist() == pytest.approx([0.195945, 0.173293], abs=1e-5)
    assert loss.accuracy.item() == 1
    assert loss(X, Y, DotMatcher()).item() == pytest.approx((0.195945 + 0.173293) / 2, abs=1e-5)


def test_unseen_classes_as_negatives():
    """Version 1.0: three classes with a score of 0 from the first batch on."""
    loss = ClassMemoryLoss(num_identities=3, unseen="negative")
    assert loss(X, Y, DotMatcher()).item() == pytest.approx(3 * 0.25 * math.log(2), abs=1e-6)


def test_the_last_image_of_a_class_is_remembered_and_the_memory_has_no_gradient():
    torch.manual_seed(0)
    matcher = QAConvMatcher(map_size=(2, 2))
    loss = ClassMemoryLoss(num_identities=4)
    labels = torch.tensor([3, 1, 3, 1, 0])
    first = torch.randn(5, 3, 2, 2)
    loss(first, labels, matcher).backward()
    assert all(p.grad is not None and not p.grad.any() for p in matcher.parameters())
    assert torch.equal(loss.memory[[0, 1, 3]], first[[4, 3, 2]]) and not loss.seen[2]
    maps = torch.randn(5, 3, 2, 2).requires_grad_()
    loss(maps, labels, matcher).backward()
    assert maps.grad.abs().sum() > 0 and not loss.memory.requires_grad
    assert torch.equal(loss.memory[[0, 1, 3]], maps.detach()[[4, 3, 2]])
    loss.eval()
    before = loss.memory.clone()
    loss(torch.randn(5, 3, 2, 2), labels, matcher)
    assert torch.equal(loss.memory, before)


def test_focal_weight_has_a_gradient():
    """d/dz of (1 - p)^2 * -log p with p = sigmoid(z), by hand."""
    loss = ClassMemoryLoss(num_identities=1).eval()
    loss.memory, loss.seen[0] = torch.ones(1, 1, 1, 1), True
    z = torch.tensor([0.3]).view(1, 1, 1, 1).requires_grad_()
    loss(z, torch.tensor([0]), DotMatcher()).backward()
    p = 1 / (1 + math.exp(-0.3))
    by_hand = 2 * (1 - p) * -p * (1 - p) * -math.log(p) + (1 - p) ** 2 * -(1 - p)
    assert z.grad.item() == pytest.approx(by_hand, abs=1e-6)


def test_statistics_of_all_classes_or_of_blocks():
    torch.manual_seed(0)
    maps, labels = torch.randn(6, 4, 2, 2), torch.arange(6)
    whole, parts = ClassMemoryLoss(6), ClassMemoryLoss(6, block=2)
    for loss in (whole, parts):
        loss(maps, labels, QAConvMatcher(map_size=(2, 2)))
    torch.manual_seed(1)
    matcher = QAConvMatcher(map_size=(2, 2))
    other = copy.deepcopy(matcher)
    query = torch.randn(6, 4, 2, 2)
    assert not torch.allclose(whole(query, labels, matcher), parts(query, labels, other))


def test_the_memory_is_saved_and_loaded_whatever_its_size():
    loss = ClassMemoryLoss(num_identities=3)
    loss(X, Y, DotMatcher())
    fresh = ClassMemoryLoss(num_identities=1)
    fresh.load_state_dict(loss.state_dict())
    assert torch.equal(fresh.memory, loss.memory) and torch.equal(fresh.seen, loss.seen)


def test_an_identity_beyond_the_memory_is_refused():
    with pytest.raises(ValueError, match="^identities must be below 2, got 2$"):
        ClassMemoryLoss(num_identities=2)(X, Y, DotMatcher())


def small_model(loss, matcher):
    return ReIDModel(
        backbone=dict(type="qaconv/IBNResNet", depth=10, width=8, fixed_statistics=False),
        head=dict(type="qaconv/QAConvHead", dim=8),
        losses=dict(match=dict(domain="source", loss=loss)),
        matcher=matcher,
        transforms=dict.fromkeys(("train", "test"), dict(normalize=dict(type="Normalize"))),
        num_identities=4,
        input_size=(64, 32),
    )


def test_the_matcher_is_trained_and_saved_with_the_model():
    loss, matcher = dict(type="qaconv/ScoreTripletLoss"), dict(type="qaconv/QAConvMatcher")
    torch.manual_seed(0)
    model = small_model(loss, matcher)
    assert model.matcher.map_size == (4, 2)
    assert "matcher.fc.weight" in model.state_dict()
    assert {id(p) for p in model.matcher.parameters()} <= {id(p) for p in model.parameters()}
    images = torch.randint(0, 256, (8, 3, 64, 32), dtype=torch.uint8)
    batch = ReIDBatch(images, identities=torch.arange(8) // 2)
    model.train()
    logs = model(**model.data_preprocessor({"source": batch}, True))
    assert set(logs) == {"loss_match", "accuracy_match"}
    logs["loss_match"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    embedding = model.embed(batch)
    assert isinstance(embedding, Embedding) and embedding.maps.shape == (8, 8, 4, 2)
    norms = embedding.maps.norm(dim=1)
    assert (norms - 1).abs().max() < 1e-4


def test_a_matching_loss_without_a_learned_matcher_is_refused():
    loss = dict(type="qaconv/ScoreTripletLoss")
    with pytest.raises(UserError, match="^ScoreTripletLoss trains a learned matcher, and CosineM"):
        small_model(loss, dict(type="CosineMatcher"))


def summand_after(steps, optimizer, prior=0.5, people=90):
    """The summand of the last norm after some steps of a matcher and a class memory."""
    torch.manual_seed(0)
    matcher = QAConvMatcher((4, 2), symmetric=False, prior=prior)
    memory = ClassMemoryLoss(people)
    centres = torch.randn(people, 16, 4, 2)
    options = {key: value for key, value in optimizer.items() if key != "type"}
    optim = getattr(torch.optim, optimizer["type"])(matcher.parameters(), **options)
    for _ in range(steps):
        identities = torch.randint(0, people, (24,))
        maps = centres[identities] + torch.randn(24, 16, 4, 2)
        optim.zero_grad()
        memory(maps, identities, matcher).backward()
        optim.step()
    return matcher.logit_norm.bias.item()


@pytest.mark.slow
def test_the_score_of_a_class_memory_travels_to_where_strangers_are_unlikely():
    """89 wrong classes of 90 at one half each: the summand must fall to about -2 in some steps."""
    own = load_config("qaconv/qaconv_memory").train.optimizer.to_dict()
    assert summand_after(60, own) < -2
    adaptive = load_config("qaconv/qaconv_gs").train.optimizer.to_dict()
    assert summand_after(60, adaptive) > -0.2  # why the recipe has another optimiser
    assert summand_after(60, adaptive, prior=1 / 90) < -3


@pytest.mark.parametrize("prior", [0.0, 1.0, -0.1])
def test_a_prior_is_a_probability(prior):
    with pytest.raises(ValueError, match="prior must lie in"):
        QAConvMatcher(prior=prior)
