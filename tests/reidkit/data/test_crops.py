from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from reidkit.data import CropDataset
from reidkit.data.decode import decode_rgb, read_bytes

SIZE = (48, 24)


def store(count, parts=True):
    rng = np.random.default_rng(1)
    return SimpleNamespace(
        keypoints=rng.random((count, 17, 3), dtype=np.float32),
        image_sizes=rng.integers(50, 90, (count, 2)).astype(np.int32),
        part_maps=rng.integers(0, 8, (count, 12, 6), dtype=np.uint8) if parts else None,
    )


def test_a_batch_is_what_a_loop_over_its_images_gives(crops):
    dataset = CropDataset(crops, SIZE, domain="source")
    rows = [13, 2, 0, 22, 2]
    batch = dataset.__getitems__(rows)
    for place, row in enumerate(rows):
        image = decode_rgb(read_bytes(crops.file(row)))
        assert batch["image_sizes"][place].tolist() == list(image.shape[:2])
        wanted = cv2.resize(image, SIZE[::-1]).transpose(2, 0, 1)
        assert np.array_equal(batch.images[place].numpy(), wanted)
    assert batch.images.dtype == torch.uint8 and batch.images.shape == (5, 3, *SIZE)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert batch.identities.tolist() == crops.identities[rows].tolist()
    assert batch.cameras.tolist() == crops.cameras[rows].tolist()
    assert batch.indices.tolist() == rows and batch.domain == "source"
    assert batch.paths == [crops.paths[row] for row in rows]
    assert list(batch.fields) == ["image_sizes"] and batch.times is batch.generator is None


def test_one_image_is_a_batch_of_one(crops):
    assert CropDataset(crops, SIZE)[4].indices.tolist() == [4]
    assert len(CropDataset(crops, SIZE)) == 23


def test_labels_come_by_row_with_the_sizes_they_were_made_for(crops):
    labels = store(23)
    batch = CropDataset(crops, SIZE, labels=labels).__getitems__([9, 1])
    keypoints, parts = batch["keypoints"], batch["part_map"]
    assert np.array_equal(keypoints.numpy(), labels.keypoints[[9, 1]].astype(np.float64))
    assert keypoints.dtype == torch.float64 and parts.dtype == torch.int64
    assert np.array_equal(parts.numpy(), labels.part_maps[[9, 1]])
    assert {name for name, field in batch.fields.items() if field.grid} == {"part_map"}
    assert np.array_equal(batch["image_sizes"].numpy(), labels.image_sizes[[9, 1]])
    only = CropDataset(crops, SIZE, labels=labels, fields=["part_map"]).__getitems__([9])
    assert "keypoints" not in only and only["image_sizes"].tolist() == [[32, 16]]
    none = CropDataset(crops, SIZE, labels=labels, fields=[]).__getitems__([9])
    assert list(none.fields) == ["image_sizes"]


def test_labels_that_the_split_brings_come_under_their_own_names(crops):
    views = np.arange(23) % 3
    split = replace(crops, labels={"view": views})
    batch = CropDataset(split, SIZE).__getitems__([9, 1])
    assert batch["view"].tolist() == views[[9, 1]].tolist()
    assert not batch.fields["view"].grid and batch.fields["view"].per == "image"
    assert "view" not in CropDataset(split, SIZE, fields=[]).__getitems__([9])
    both = CropDataset(split, SIZE, labels=store(23), fields=["view", "part_map"])
    assert set(both.__getitems__([9]).fields) == {"image_sizes", "view", "part_map"}


def test_relabel_numbers_identities(crops):
    dataset = CropDataset(crops, SIZE, relabel=True)
    assert dataset.num_identities == 6
    assert dataset.__getitems__([0, 5, 6]).identities.tolist() == [0, 5, 0]
    assert CropDataset(crops, SIZE).__getitems__([5]).identities.tolist() == [21]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(resize="lanczos"), "resize must be one of ('cv2', 'pil'), got 'lanczos'"),
        (dict(size=(0, 8)), "size must be (height, width) in pixels, got (0, 8)"),
        (dict(fields=["view"]), "toy/train: no view in its labels; it has: none"),
        (
            dict(fields=["part_map"], labels=store(23, parts=False)),
            "toy/train: no part_map in its labels; it has: keypoints",
        ),
        (dict(labels=store(22)), "toy/train: labels of keypoints have 22 rows for 23 crops"),
    ],
)
def test_bad_arguments_are_refused(crops, options, text):
    with pytest.raises(ValueError) as error:
        CropDataset(crops, **{"size": SIZE, **options})
    assert str(error.value) == text
