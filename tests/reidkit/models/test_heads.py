"""The strong baseline's head: which vector goes where, of which feature, with which classifier."""

import pytest
import torch
from torch.nn import functional as F

from reidkit.models.heads import BNNeckHead
from reidkit.structures import FeatureSpec, FeatureSpecs, ReIDBatch
from reidkit.testing import fake_features

BATCH = ReIDBatch(torch.zeros(4, 3, 8, 4))


def head_of(**options) -> BNNeckHead:
    torch.manual_seed(0)
    head = BNNeckHead(fake_features()[0], num_identities=5, **options).train()
    with torch.no_grad():
        head.neck.weight.copy_(torch.rand(16) + 0.5)
        head.neck.running_mean.copy_(torch.rand(16))
        head.classifier.weight.normal_()
    return head


def test_losses_see_the_vector_before_the_norm_and_logits_of_the_one_after():
    head, (_, features) = head_of(), fake_features(4)
    pooled = features["deep"].mean((2, 3))
    out = head(features, BATCH)
    torch.testing.assert_close(out.embedding.vectors[:, 0], pooled)
    centred = (pooled - pooled.mean(0)) / (pooled.var(0, unbiased=False) + 1e-5).sqrt()
    normed = centred * head.neck.weight
    expected = normed @ head.classifier.weight.T
    torch.testing.assert_close(out.outputs["logits"][:, 0], expected, rtol=1e-3, atol=1e-4)
    assert set(out.known()) == set(head.gives)


def test_the_test_compares_the_vector_after_the_norm_or_the_one_before():
    _, features = fake_features(4)
    pooled = features["deep"].mean((2, 3))
    after, before = head_of().eval(), head_of(test="before").eval()
    out = after(features, BATCH)
    assert out.outputs == {}
    torch.testing.assert_close(out.embedding.vectors[:, 0], after.neck(pooled))
    torch.testing.assert_close(before(features, BATCH).embedding.vectors[:, 0], pooled)
    assert not torch.allclose(after.neck(pooled), pooled)


def test_the_norm_has_no_offset_and_the_classifier_no_bias():
    head = head_of()
    assert not head.neck.bias.requires_grad and not head.neck.bias.any()
    assert [p.shape for p in head.classifier_parameters()] == [(5, 16)]


def test_a_cosine_classifier_gives_cosines():
    head, (_, features) = head_of(classifier="cosine"), fake_features(4)
    logits = head(features, BATCH).outputs["cosines"][:, 0]
    vectors = head.neck(features["deep"].mean((2, 3)))
    expected = F.cosine_similarity(vectors[:, None], head.classifier.weight[None], dim=2)
    torch.testing.assert_close(logits, expected)
    assert logits.abs().max() <= 1 + 1e-6
    with torch.no_grad():
        head.classifier.weight.mul_(7)
    torch.testing.assert_close(head(features, BATCH).outputs["cosines"][:, 0], expected)


@pytest.mark.parametrize(
    "options, expected",
    [
        (dict(), lambda f: f["deep"].mean((2, 3))),
        (dict(pool="max"), lambda f: f["deep"].amax((2, 3))),
        (dict(feature="shallow"), lambda f: f["shallow"].mean((2, 3))),
        (dict(feature="tokens"), lambda f: f["tokens"].mean(1)),
        (dict(feature="tokens", pool="max"), lambda f: f["tokens"].amax(1)),
        (dict(feature="class", pool="max"), lambda f: f["class"]),
    ],
    ids=["mean", "max", "other map", "tokens", "largest tokens", "class token"],
)
def test_a_feature_of_any_kind_becomes_one_vector(options, expected):
    specs, features = fake_features(4)
    head = BNNeckHead(specs, num_identities=5, **options).train()
    vectors = head(features, BATCH).embedding.vectors
    torch.testing.assert_close(vectors[:, 0], expected(features))
    assert vectors.shape == (4, 1, head.width)


def test_the_default_of_the_backbone_is_taken():
    token = FeatureSpec(6, kind="vector")
    specs = FeatureSpecs({"map": FeatureSpec(8, 16), "class": token})
    assert BNNeckHead(specs, num_identities=2).feature == "class"
    assert BNNeckHead(FeatureSpecs(specs, "map"), num_identities=2).feature == "map"


@pytest.mark.parametrize(
    "options, text",
    [
        (dict(pool="mean"), r"BNNeckHead pool must be one of \('avg', 'max'\), got 'mean'"),
        (dict(test="both"), "BNNeckHead test must be one of"),
        (dict(classifier="arc"), "BNNeckHead classifier must be one of"),
        (dict(feature="layer9"), "no map or tokens or vector named 'layer9'"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        head_of(**options)
