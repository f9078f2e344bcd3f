"""Batches with fields by name: found, replaced, moved, and carried between frames and clips."""

import pytest
import torch

from reidkit.structures import Field, ReIDBatch


def clips() -> ReIDBatch:
    """Two clips of three frames, with a field of each kind."""
    frames = torch.arange(6).view(2, 3)
    return ReIDBatch(
        (frames[..., None, None, None] * torch.ones(3, 4, 2)).to(torch.uint8),
        identities=torch.tensor([5, 6]),
        cameras=torch.tensor([1, 2]),
        domain="source",
        frames=3,
        fields={
            "keypoints": Field(frames[..., None, None].expand(2, 3, 17, 3).double()),
            "part_map": Field(frames[..., None, None].expand(2, 3, 4, 2), grid=True),
            "view": Field(torch.tensor([7, 8]), per="clip"),
        },
    )


def test_frames_get_their_own_fields_and_share_those_of_their_clip():
    batch = clips()
    flat = batch.by_frame()
    assert len(flat) == 6 and flat.frames == 3 and flat.by_frame() is flat
    assert flat.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert flat["keypoints"].shape == (6, 17, 3)
    assert flat["keypoints"][:, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert flat["part_map"].shape == (6, 4, 2) and flat.fields["part_map"].grid
    assert flat["view"].tolist() == [7, 7, 7, 8, 8, 8]
    assert flat.identities.tolist() == [5, 5, 5, 6, 6, 6]
    assert batch["view"].tolist() == [7, 8], "the batch itself is as it was"


def test_by_clip_brings_back_what_is_known_of_a_clip_once():
    once = clips().by_frame().by_clip()
    assert once.identities.tolist() == [5, 6] and once.cameras.tolist() == [1, 2]
    assert once["view"].tolist() == [7, 8]
    assert len(once) == 6 and once["keypoints"].shape == (6, 17, 3), "of images: they stay"


def test_single_images_are_their_own_frames_and_clips():
    image = ReIDBatch(torch.zeros(2, 3, 4, 4), torch.tensor([1, 2]))
    assert image.by_frame() is image and image.by_clip() is image


def test_a_field_that_is_replaced_stays_what_it_was():
    batch = clips()
    other = batch.with_fields(part_map=batch["part_map"] + 1, view=torch.tensor([1, 2]))
    assert other.fields["part_map"].grid and other.fields["view"].per == "clip"
    assert torch.equal(batch["part_map"] + 1, other["part_map"])
    assert batch["view"].tolist() == [7, 8]
    fresh = batch.with_fields(weather=torch.zeros(2), heat=Field(torch.zeros(2), "clip", True))
    assert (fresh.fields["weather"].per, fresh.fields["weather"].grid) == ("image", False)
    assert (fresh.fields["heat"].per, fresh.fields["heat"].grid) == ("clip", True)


def test_names_of_attributes_and_fields():
    batch = clips()
    assert batch["images"] is batch.images and batch["identities"] is batch.identities
    assert "view" in batch and "cameras" in batch
    assert "times" not in batch and batch.get("times") is None and "masks" not in batch
    assert "domain" not in batch, "only tensors are asked for by name"
    with pytest.raises(KeyError) as error:
        batch["masks"]
    for text in ("'source'", "'masks'", "identities", "keypoints", "part_map", "view"):
        assert text in str(error.value)


def test_all_tensors_move():
    batch = clips().to("meta")
    named = [batch.images, batch.identities, batch.cameras]
    assert all(one.is_meta for one in [*named, *(f.tensor for f in batch.fields.values())])
    assert batch.times is None and batch.domain == "source" and batch.frames == 3
    assert batch.fields["part_map"].grid and batch.fields["view"].per == "clip"


def test_all_tensors_are_pinned(monkeypatch):
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: pinned.append(self) or self + 0)
    batch = clips()
    result = batch.pin_memory()
    known = [batch.images, batch.identities, batch.cameras]
    known += [field.tensor for field in batch.fields.values()]
    assert {id(one) for one in pinned} == {id(one) for one in known}
    assert torch.equal(result["view"], batch["view"]) and result["view"] is not batch["view"]
    assert result.fields["view"].per == "clip"


def test_a_field_is_of_images_or_of_clips():
    with pytest.raises(ValueError, match='Field.per must be "image" or "clip", got \'tracklet\''):
        Field(torch.zeros(1), per="tracklet")
