"""Distance over shared parts, in one product, against the reference part by part."""

import torch

from reidkit.evaluation import CosineMatcher, VisiblePartsMatcher
from reidkit.evaluation.matchers.visible_parts import reference_visible_parts
from reidkit.structures import Embedding


def test_visible_parts_against_the_reference():
    generator = torch.Generator().manual_seed(4)
    sides = []
    for count in (6, 9):
        seen = (torch.rand(count, 3, generator=generator) * 2 - 1).clamp_min(0)  # half are hidden
        sides.append(Embedding(torch.randn(count, 3, 5, generator=generator), seen))
    sides[0].visibility[0] = torch.tensor([1.0, 0, 0])
    sides[1].visibility[0] = torch.tensor([0.0, 1, 1])  # no part in common
    found = VisiblePartsMatcher()(*sides)
    wanted = reference_visible_parts(
        *(side.vectors for side in sides), *(side.visibility for side in sides)
    )
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    assert found[0, 0] == 1 and (found > 0).all()
    out = torch.full((6, 9), torch.nan)
    matcher = VisiblePartsMatcher()
    ready = matcher.prepare(sides[0], "query"), matcher.prepare(sides[1], "gallery")
    torch.testing.assert_close(matcher.order(*ready, out), found)
    plain = [Embedding(side.vectors) for side in sides]
    torch.testing.assert_close(
        VisiblePartsMatcher()(*plain), CosineMatcher()(*plain), atol=1e-5, rtol=0
    )
