"""What a model knows about images: joined, sliced, checked; what a head hands on by name."""

import numpy as np
import pytest
import torch

from reidkit.structures import Embedding, HeadOutput


def test_joining_frames():
    source = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(6, 2, 5, generator=source), dim=2)
    seen = torch.tensor([[1.0, 1], [1, 0], [1, 0], [1, 0], [1, 0], [1, 1]])
    groups = torch.tensor([0, 0, 0, 1, 1, 1])
    joined = Embedding(vectors, seen).join(groups)
    torch.testing.assert_close(joined.vectors.norm(dim=2), torch.ones(2, 2))
    torch.testing.assert_close(joined.vectors[0, 1], vectors[0, 1])  # the one that shows the part
    mean = vectors[:3, 0].mean(0)
    torch.testing.assert_close(joined.vectors[0, 0], mean / mean.norm())
    assert joined.visibility.tolist() == pytest.approx(np.array([[1, 1 / 3], [1, 1 / 3]]))
    largest = Embedding(vectors).join(groups, "max").vectors
    wanted = vectors[:3].amax(0)
    torch.testing.assert_close(largest[0], torch.nn.functional.normalize(wanted, dim=1))
    with pytest.raises(ValueError, match="how must be"):
        Embedding(vectors).join(groups, "sum")


def test_slices_and_casts_keep_what_there_is():
    whole = Embedding(torch.rand(4, 2, 3), torch.ones(4, 2), torch.rand(4, 5, 6, 2))
    part = whole[1:3]
    assert len(part) == 2 and torch.equal(part.maps, whole.maps[1:3])
    assert torch.equal(whole[torch.tensor([3, 0])].vectors, whole.vectors[[3, 0]])
    assert whole.to(torch.float64).maps.dtype == torch.float64
    assert torch.equal(Embedding.cat([whole[:1], whole[1:]]).visibility, whole.visibility)
    with pytest.raises(ValueError, match="parts hold different tensors"):
        Embedding.cat([whole, Embedding(whole.vectors)])


@pytest.mark.parametrize(
    "tensors, text",
    [
        (dict(), "needs vectors .* or maps .*; got neither"),
        (dict(vectors=torch.zeros(2, 3)), r"vectors must be \(N, P, D\), got \(2, 3\)"),
        (
            dict(vectors=torch.zeros(2, 3, 4), visibility=torch.ones(2, 4)),
            r"visibility must be \(N, P\) = \(2, 3\), got \(2, 4\)",
        ),
        (
            dict(vectors=torch.zeros(2, 3, 4), maps=torch.zeros(3, 1, 1, 1)),
            "differ in their number of images",
        ),
    ],
    ids=str,
)
def test_tensors_that_do_not_belong_together_are_refused(tensors, text):
    with pytest.raises(ValueError, match=text):
        Embedding(**tensors)


def test_losses_find_outputs_and_tensors_of_the_embedding_by_name():
    vectors, logits = torch.zeros(2, 1, 4), torch.zeros(2, 1, 7)
    known = HeadOutput(Embedding(vectors), {"logits": logits}, {"entropy": logits.sum()}).known()
    assert set(known) == {"vectors", "logits"} and known["vectors"] is vectors
    assert HeadOutput(outputs={"heat": logits}).known() == {"heat": logits}
    again = HeadOutput(Embedding(vectors), {"vectors": logits}).known()
    assert again["vectors"] is logits, "an output of that name is meant for the losses"
