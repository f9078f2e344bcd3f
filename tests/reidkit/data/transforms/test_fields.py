"""Fields on the image's grid move with its pixels; all others stay."""

import torch

from reidkit.data.transforms.fields import move_grid, resample_cells
from reidkit.structures import Field, ReIDBatch


def batch() -> ReIDBatch:
    source = torch.Generator().manual_seed(0)
    masks = torch.zeros(2, 3, 4, 2, dtype=torch.bool)
    masks[:, 0, 0], masks[:, 1, 2] = True, True
    return ReIDBatch(
        torch.rand(2, 3, 8, 4, generator=source),
        fields={
            "masks": Field(masks, grid=True),
            "visibility": Field(torch.tensor([[1.0, 0.5, 1.0], [1.0, 0.0, 1.0]])),
            "heat": Field(torch.rand(2, 4, 2, generator=source), grid=True),
            "keypoints": Field(torch.rand(2, 17, 3, generator=source)),
        },
    )


def test_every_field_on_the_grid_moves_and_only_those():
    before, names = batch(), []

    def down(name, cells):
        names.append(name)
        return cells.roll(1, -2)

    after = move_grid(before, before.images.flip(-1), down, empties=False)
    assert names == ["masks", "heat"]
    assert torch.equal(after.images, before.images.flip(-1))
    assert torch.equal(after["heat"], before["heat"].roll(1, -2)) and after.fields["heat"].grid
    assert after["keypoints"] is before["keypoints"]
    assert after["visibility"] is before["visibility"]
    assert torch.equal(before["heat"], batch()["heat"]), "the input is as it was"


def test_a_region_without_cells_is_no_longer_visible_and_none_becomes_so():
    before = batch()

    def up(name, cells):  # the first row leaves the image
        moved = torch.zeros_like(cells)
        moved[..., :-1, :] = cells[..., 1:, :]
        return moved

    seen = move_grid(before, before.images, up)["visibility"]
    assert seen.tolist() == [[0.0, 0.5, 0.0], [0.0, 0.0, 0.0]]
    assert torch.equal(before["visibility"], batch()["visibility"])


def test_a_batch_without_masks_keeps_its_visibility():
    before = batch()
    del before.fields["masks"]
    after = move_grid(before, before.images, lambda name, cells: cells * 0)
    assert torch.equal(after["visibility"], before["visibility"])


def test_masks_and_classes_take_the_nearest_cell():
    half = torch.nn.functional.interpolate
    masks = torch.tensor([[[[True, False], [False, False]]]])
    grown = resample_cells(masks, lambda maps: half(maps, scale_factor=2, mode="nearest"))
    assert grown.dtype == torch.bool and grown[0, 0].sum() == 4 and grown[0, 0, :2, :2].all()
    classes = torch.tensor([[[3, 7], [0, 7]]])
    turned = resample_cells(classes, lambda maps: maps.flip(-1))
    assert turned.dtype == torch.int64 and turned.tolist() == [[[7, 3], [7, 0]]]
