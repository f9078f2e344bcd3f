"""The visibility distance, against the vector of the specification and a slow loop."""

import pytest
import torch
import torch.nn.functional as F

from reidkit.evaluation.matchers.vectors import CosineMatcher
from reidkit.structures import Embedding
from reidkit_plugins.eanet.matcher import VisibilityMatcher

QUERY = torch.tensor([[[1.0, 0], [0, 1], [3, 4]], [[1, 1], [2, 0], [0, 0]]])
SEEN = torch.tensor([[1.0, 1, 1], [1, 0, 0]])
GALLERY = torch.tensor(
    [[[1.0, 0], [1, 0], [4, 3]], [[0, 2], [0, 1], [0, 0]], [[1, 1], [1, 1], [1, 0]]]
)
DISTANCES = torch.tensor([[1.346667, 1.666667, 1.328596], [1.292893, 1.292893, 1.000000]])


def random_pair(queries=5, gallery=7, parts=9, dims=4):
    torch.manual_seed(0)
    seen = (torch.rand(queries, parts) < 0.6).float()
    query = Embedding(torch.randn(queries, parts, dims), seen)
    return query, Embedding(torch.randn(gallery, parts, dims), torch.rand(gallery, parts))


def test_spec_vector():
    found = VisibilityMatcher()(Embedding(QUERY, SEEN), Embedding(GALLERY))
    torch.testing.assert_close(found, DISTANCES, atol=1e-6, rtol=0)


def test_stripe_distance_of_the_vector():
    found = CosineMatcher()(Embedding(QUERY[:1]), Embedding(GALLERY))
    torch.testing.assert_close(
        found, torch.tensor([[0.346667, 0.591752, 0.328596]]), atol=1e-6, rtol=0
    )


def test_gallery_visibility_is_never_used():
    for seen in (None, torch.zeros(3, 3), torch.eye(3)):
        found = VisibilityMatcher()(Embedding(QUERY, SEEN), Embedding(GALLERY, seen))
        torch.testing.assert_close(found, DISTANCES, atol=1e-6, rtol=0)


def test_loop():
    query, gallery = random_pair()
    found = VisibilityMatcher(offset=0.0)(query, gallery)
    for i in range(5):
        for j in range(7):
            seen = query.visibility[i]
            terms = 1 - F.cosine_similarity(query.vectors[i], gallery.vectors[j], dim=1)
            slow = (seen * terms).sum() / (seen.sum() + 1e-8)
            assert found[i, j].item() == pytest.approx(slow.item(), abs=2e-6)


def test_hiding_a_query_part_removes_its_term():
    query, gallery = random_pair()
    everything = Embedding(query.vectors, torch.ones(5, 9))
    hidden = torch.ones(5, 9)
    hidden[:, 3] = 0
    whole = 9 * VisibilityMatcher(offset=0.0)(everything, gallery)
    rest = 8 * VisibilityMatcher(offset=0.0)(Embedding(query.vectors, hidden), gallery)
    term = 1 - F.normalize(query.vectors[:, 3]) @ F.normalize(gallery.vectors[:, 3]).T
    torch.testing.assert_close(whole - rest, term, atol=1e-5, rtol=0)


def test_minus_one_equals_the_stripe_distance_when_all_is_visible():
    query, gallery = random_pair()
    for everything in (Embedding(query.vectors), Embedding(query.vectors, torch.ones(5, 9))):
        found = VisibilityMatcher()(everything, gallery) - 1
        torch.testing.assert_close(found, CosineMatcher()(query, gallery), atol=1e-6, rtol=0)


def test_visibility_can_be_switched_off():
    query, gallery = random_pair()
    found = VisibilityMatcher(use_visibility=False)(query, gallery)
    torch.testing.assert_close(found, VisibilityMatcher()(Embedding(query.vectors), gallery))


def test_a_query_that_shows_nothing_is_at_the_offset():
    query, gallery = random_pair()
    blind = Embedding(query.vectors, torch.zeros(5, 9))
    assert VisibilityMatcher()(blind, gallery).eq(1).all()


def test_order_sorts_as_the_distance_and_blocks_agree():
    query, gallery = random_pair()
    matcher = VisibilityMatcher()
    left, right = matcher.prepare(query, "query"), matcher.prepare(gallery, "gallery")
    whole = matcher(query, gallery)
    assert torch.equal(matcher.order(left, right).argsort(1), whole.argsort(1))
    torch.testing.assert_close(matcher.compare(left[2:4], right[1:6]), whole[2:4, 1:6])


def test_bounds_hold_and_follow_the_offset():
    vectors = torch.tensor([[[1.0, 0.1]], [[-1.0, -0.1]]])
    for offset in (0.0, 1.0):
        matcher = VisibilityMatcher(offset=offset)
        assert matcher.bounds == (offset, offset + 2)
        found = matcher(Embedding(vectors), Embedding(vectors))
        assert found.min() >= offset and found.max() <= offset + 2
        torch.testing.assert_close(found, torch.tensor([[0.0, 2], [2, 0]]) + offset)


def test_half_precision_is_compared_in_float32():
    query, gallery = random_pair()
    found = VisibilityMatcher()(query.to(torch.float16), gallery.to(torch.float16))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, VisibilityMatcher()(query, gallery), atol=1e-2, rtol=0)


def test_refusals():
    query, gallery = random_pair()
    with pytest.raises(ValueError, match=r"differ in \(parts, dims\): \(9, 4\) and \(6, 4\)"):
        VisibilityMatcher()(query, Embedding(gallery.vectors[:, :6]))
    with pytest.raises(ValueError, match="^VisibilityMatcher compares vectors; "):
        VisibilityMatcher()(Embedding(maps=torch.zeros(1, 2, 3, 4)), gallery)
