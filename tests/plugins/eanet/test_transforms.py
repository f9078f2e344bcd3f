"""Region masks on batches, and the controls of the experiments."""

import pytest
import torch

import reidkit.data  # noqa: F401  (registers RandomFlip)
from reidkit.registry import TRANSFORMS
from reidkit.structures import Field, ReIDBatch
from reidkit.testing.supply import fake_supply
from reidkit_plugins.eanet.regions import region_masks
from reidkit_plugins.eanet.transforms import CutLower, RegionMasks, ShuffledPartMaps, StripeMasks


@pytest.fixture
def batch():
    random = torch.Generator().manual_seed(0)
    sizes = torch.tensor([[128, 64], [160, 70], [90, 40], [128, 64]])
    keypoints = torch.rand(4, 17, 3, generator=random, dtype=torch.float64)
    keypoints[..., :2] *= sizes.flip(1)[:, None]
    return ReIDBatch(
        images=torch.randint(0, 256, (4, 3, 48, 16), generator=random, dtype=torch.uint8),
        generator=random,
        fields={
            "image_sizes": Field(sizes),
            "keypoints": Field(keypoints),
            "part_map": Field(torch.randint(0, 8, (4, 48, 16), generator=random), grid=True),
        },
    )


def test_masks_and_visibility_are_filled(batch):
    filled = RegionMasks()(batch)
    masks, visibility = region_masks(batch["keypoints"], batch["image_sizes"])
    assert torch.equal(filled["masks"], masks) and torch.equal(filled["visibility"], visibility)
    assert filled.images is batch.images and "masks" not in batch
    assert filled.fields["masks"].grid and not filled.fields["visibility"].grid


def test_six_regions_are_the_first_of_nine(batch):
    six, nine = RegionMasks(regions=6)(batch), RegionMasks()(batch)
    assert torch.equal(six["masks"], nine["masks"][:, :6])
    assert torch.equal(six["visibility"], nine["visibility"][:, :6])


def test_confidence_and_size_are_options(batch):
    masks, visibility = region_masks(batch["keypoints"], batch["image_sizes"], (16, 8), 0.7)
    filled = RegionMasks(confidence=0.7, map_size=(16, 8))(batch)
    assert torch.equal(filled["masks"], masks) and torch.equal(filled["visibility"], visibility)
    assert not torch.equal(visibility, RegionMasks()(batch)["visibility"])


def test_the_setting_is_the_default_of_the_option(batch):
    known = fake_supply("transforms", settings=dict(seed=0, eanet=dict(confidence=0.7)))
    by_setting = TRANSFORMS.build(dict(type="eanet/RegionMasks"), known)(batch)
    assert torch.equal(by_setting["masks"], RegionMasks(confidence=0.7)(batch)["masks"])
    by_option = TRANSFORMS.build(dict(type="eanet/RegionMasks", confidence=0.1), known)(batch)
    assert torch.equal(by_option["masks"], RegionMasks()(batch)["masks"])


def test_a_domain_without_keypoints_passes():
    batch = ReIDBatch(torch.zeros(2, 3, 48, 16))
    assert "masks" not in RegionMasks()(batch)


def test_the_whole_road_through_the_registry(batch):
    known = fake_supply("transforms", map_size=(12, 4))
    built = TRANSFORMS.build(dict(type="eanet/RegionMasks"), known)
    assert built(batch)["masks"].shape == (4, 9, 12, 4)


def test_region_masks_refuse(batch):
    with pytest.raises(ValueError, match="^regions must be 6 or 9, got 7$"):
        RegionMasks(regions=7)
    del batch.fields["image_sizes"]
    with pytest.raises(
        ValueError, match="^RegionMasks: the batch has keypoints but no image_sizes$"
    ):
        RegionMasks()(batch)


def test_flip_reverses_columns_and_twice_is_nothing(batch):
    filled = RegionMasks()(batch)
    flip = TRANSFORMS.build(dict(type="RandomFlip", p=1.0))
    once = flip(filled)
    assert torch.equal(once["masks"], filled["masks"].flip(-1))
    assert torch.equal(once["visibility"], filled["visibility"])
    assert torch.equal(once["masks"].sum(-1), filled["masks"].sum(-1))
    twice = flip(once)
    for field in ("images", "masks", "part_map"):
        assert torch.equal(twice[field], filled[field]), field


def test_stripes_do_not_look_at_the_image(batch):
    filled = StripeMasks()(batch)
    assert filled["masks"].shape == (4, 6, 24, 8)
    assert (filled["masks"] == filled["masks"][:1]).all() and filled["visibility"].eq(1).all()
    with pytest.raises(ValueError, match="^24 rows cannot be cut into 5 equal stripes$"):
        StripeMasks(stripes=5)


def test_shuffling_gives_every_image_the_map_of_another(batch):
    for seed in range(20):
        batch.generator.manual_seed(seed)
        shuffled = ShuffledPartMaps()(batch)["part_map"]
        found = [[bool((a == b).all()) for b in batch["part_map"]] for a in shuffled]
        assert not any(found[i][i] for i in range(4))
        assert sorted(row.index(True) for row in found) == [0, 1, 2, 3]
    assert "part_map" not in ShuffledPartMaps()(ReIDBatch(torch.zeros(1, 3, 2, 2)))


def test_cutting_keeps_the_upper_part_and_hides_what_lay_below(batch):
    cut = CutLower(0.25)(batch)
    assert cut["image_sizes"].tolist() == [[96, 64], [120, 70], [68, 40], [96, 64]]
    assert cut.images.shape == batch.images.shape and cut.images.dtype == torch.uint8
    below = batch["keypoints"][..., 1] >= cut["image_sizes"][:, :1]
    assert cut["keypoints"][..., 2][below].eq(0).all() and below.any()
    assert torch.equal(cut["keypoints"][~below], batch["keypoints"][~below])
    assert torch.equal(cut["part_map"][:, ::4], batch["part_map"][:, :36:3])


def test_cutting_nothing_changes_nothing(batch):
    same = CutLower(0.0)(batch)
    for field in ("images", "image_sizes", "keypoints", "part_map"):
        assert torch.equal(same[field], batch[field]), field
    with pytest.raises(ValueError, match=r"^fraction must be in \[0, 1\), got 1$"):
        CutLower(1)


def test_cutting_below_the_knees_moves_the_regions():
    """What is visible is cut at the same heights of the body, now lower in the image."""
    keypoints = torch.zeros(1, 17, 3)
    keypoints[0, [5, 11, 13, 15]] = torch.tensor(
        [[9.0, 24, 1], [9, 60, 1], [9, 84, 1], [9, 114, 1]]
    )
    batch = ReIDBatch(torch.zeros(1, 3, 48, 16)).with_fields(
        keypoints=keypoints, image_sizes=torch.tensor([[128, 64]])
    )
    whole, cut = RegionMasks()(batch), RegionMasks()(CutLower()(batch))
    assert whole["visibility"].tolist() == [[1.0] * 9]
    assert cut["visibility"].tolist() == [[1, 1, 1, 1, 1, 0, 1, 1, 1]]  # no ankle, no shoes
    rows = cut["masks"][0, 3].all(1).nonzero().flatten()  # upper leg, 60 to 84 of 96 pixels
    assert rows.tolist() == list(range(15, 21))
