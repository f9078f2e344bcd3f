"""The rules of occlusion, rotation and colour."""

import pytest
import torch

from reidkit.structures import ReIDBatch
from reidkit_plugins.qaconv.transforms import (
    FactorJitter,
    RandomOcclusion,
    RandomRotation,
    shift_hue,
)


def batch(n=300, size=(40, 20), value=0.0):
    return ReIDBatch(torch.full((n, 3, *size), value), generator=torch.Generator().manual_seed(0))


def test_occlusion_is_one_white_square_inside_of_every_allowed_size():
    images = RandomOcclusion(max_size=0.8)(batch()).images
    white = (images == 255).all(1)
    assert torch.equal(white, (images != 0).any(1))
    sides = set()
    for one in white:
        rows, columns = one.any(1).nonzero().flatten(), one.any(0).nonzero().flatten()
        side = len(rows)
        assert side == len(columns) and one.sum() == side**2
        assert rows[-1] - rows[0] == side - 1 and columns[-1] - columns[0] == side - 1
        sides.add(side)
    assert sides == set(range(1, 16))  # floor(0.8 * 20) is left out
    touched = white.any(0)
    assert touched.float().mean() > 0.9


def test_occlusion_of_size_zero_changes_nothing_and_bytes_stay_bytes():
    assert torch.equal(RandomOcclusion(max_size=0.0)(batch(4)).images, batch(4).images)
    small = ReIDBatch(
        torch.zeros(4, 3, 8, 4, dtype=torch.uint8), generator=torch.Generator().manual_seed(0)
    )
    out = RandomOcclusion()(small).images
    assert out.dtype == torch.uint8 and (out == 255).any()
    with pytest.raises(ValueError, match="in order, got 0.9, 0.8"):
        RandomOcclusion(min_size=0.9)


def test_rotation_turns_about_the_middle_in_pixels():
    """A line of pixels across a tall image stays a straight line at the drawn angle."""
    size = (80, 40)
    images = torch.zeros(1, 3, *size)
    images[:, :, 39:41] = 255
    for seed in range(3):
        given = ReIDBatch(images, generator=torch.Generator().manual_seed(seed))
        angle = (2 * torch.rand(1, generator=torch.Generator().manual_seed(seed)) - 1) * 5
        out = RandomRotation(5.0)(given).images[0, 0]
        rows = torch.arange(80.0)[:, None]
        centre = (out * rows).sum(0) / out.sum(0)
        slope = (centre[30] - centre[10]) / 20
        assert abs(abs(slope) - torch.deg2rad(angle).tan().abs()) < 0.01
        assert centre[19:21].mean() == pytest.approx(39.5, abs=0.05)


def test_hue_goes_round_and_keeps_the_greys():
    torch.manual_seed(0)
    images = 255 * torch.rand(5, 3, 6, 4)
    round_trip = shift_hue(images, torch.ones(5, 1, 1, 1))
    torch.testing.assert_close(round_trip, images, atol=0.05, rtol=1e-4)
    third = shift_hue(images, torch.full((5, 1, 1, 1), 1 / 3))
    torch.testing.assert_close(third, images.roll(1, 1), atol=0.05, rtol=1e-3)
    grey = torch.full((1, 3, 2, 2), 70.0)
    torch.testing.assert_close(shift_hue(grey, torch.full((1, 1, 1, 1), 0.3)), grey)


def test_jitter_multiplies_by_factors_of_the_range():
    given = batch(200, value=100.0)
    out = FactorJitter(0.5, 2.0, hue=0.0)(given).images
    grey = out[:, 0, 0, 0]  # plain grey images: contrast and saturation do nothing
    assert grey.min() >= 50 and grey.max() <= 200 and grey.max() > 180 and grey.min() < 60
