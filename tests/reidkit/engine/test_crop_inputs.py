"""What people hand to an extractor: taken as the crop that it is, or refused by its number."""

from __future__ import annotations

import io
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from reidkit.engine.crop_inputs import File, as_crops
from reidkit.errors import UserError

CROP = np.random.default_rng(0).integers(0, 256, (90, 40, 3), dtype=np.uint8)


def pixels(images, boxes=None) -> list[np.ndarray]:
    return [crop.pixels for crop in as_crops(images, boxes)]


def equal(images, *wanted) -> bool:
    found = pixels(images)
    return len(found) == len(wanted) and all(map(np.array_equal, found, wanted))


def test_one_image_or_many(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), CROP[..., ::-1])
    assert equal(CROP, CROP) and equal(str(path), CROP) and equal(Path(path), CROP)
    assert equal(path.read_bytes(), CROP) and equal([path.read_bytes(), CROP], CROP, CROP)
    assert equal(Image.fromarray(CROP), CROP)
    assert equal([path, Image.fromarray(CROP), CROP], CROP, CROP, CROP)
    assert equal((CROP, CROP[:50]), CROP, CROP[:50])
    assert equal(np.stack([CROP, CROP // 2]), CROP, CROP // 2)
    assert equal(CROP[:, ::-1], CROP[:, ::-1]), "views are copied"


def test_boxes_are_rows_or_detections():
    rows = np.array([[0, 0, 20, 30], [10, 5, 40, 90]])
    detections = types.SimpleNamespace(xyxy=torch.tensor(rows))
    for own, other in zip(pixels(CROP, rows), pixels(CROP, detections), strict=True):
        assert np.array_equal(own, other)


def test_a_file_is_read_when_its_batch_is_made(tmp_path):
    (crop,) = as_crops(tmp_path / "later.png")
    assert isinstance(crop, File)
    cv2.imwrite(str(tmp_path / "later.png"), CROP[..., ::-1])
    out = np.empty((8, 4, 3), np.uint8)
    assert crop.into(out, "cv2") == (90, 40) and np.array_equal(crop.pixels, CROP)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "YCbCr", "HSV"])
def test_pil_images_of_eight_bits_become_rgb(mode):
    image = Image.fromarray(CROP).convert(mode)
    assert equal(image, np.asarray(image.convert("RGB")))


def test_a_pil_image_is_turned_as_its_tag_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = io.BytesIO()
    Image.fromarray(CROP).save(data, "PNG", exif=exif)
    image = Image.open(data)
    assert image.size == (40, 90) and pixels(image)[0].shape == (40, 90, 3)
    assert np.array_equal(pixels(image)[0], np.rot90(CROP, -1))


@pytest.mark.parametrize(
    "image, words",
    [
        (CROP[:0], r"image 1 is empty, \(0, 40, 3\): its box has no area or lies outside"),
        (CROP[:, :0], "image 1 is empty"),
        (CROP[..., 0], r"image 1 must be .*, got \(90, 40\) uint8; it is grey: np.repeat"),
        (CROP[..., :1], "image 1 .* it is grey"),
        (np.dstack([CROP, CROP[..., :1]]), r"image 1 .* image\[..., :3\] leaves transparency out"),
        (CROP / 255, "image 1 .* float64; scale it to 0..255"),
        (CROP.astype(np.int64), "image 1 .* int64; scale it"),
        (CROP.astype(object), "image 1 .* object"),
        (CROP.transpose(2, 0, 1), r"image 1 .* channels come last: image.transpose\(1, 2, 0\)"),
        (np.stack([CROP, CROP]), "image 1 .* several images are a list of them"),
        (np.zeros(3, np.uint8), "image 1"),
        (Image.fromarray(CROP[..., 0]).convert("I"), "image 1 is a PIL image of mode 'I'"),
        (Image.fromarray(CROP[..., 0].astype(np.uint16)), "image 1 .* more than 8 bits"),
        (Image.fromarray(CROP[..., 0]).convert("F"), "image 1 .* mode 'F'"),
    ],
)
def test_one_that_does_not_fit_is_named_by_its_number(image, words):
    with pytest.raises(ValueError, match=words):
        as_crops([CROP, image, CROP])


@pytest.mark.parametrize("images", [[], (), np.empty((0, 90, 40, 3), np.uint8)])
def test_no_images(images):
    with pytest.raises(ValueError, match="at least one image"):
        as_crops(images)


@pytest.mark.parametrize(
    "images, words",
    [
        (None, "got NoneType"), (5, "got int"), ({}, "got dict"), ([None], "image 0: .* NoneType"),
        (torch.zeros(3, 8, 4), "torch tensor; give image.permute"),
        ([CROP, torch.zeros(3, 8, 4)], "image 1: .* torch tensor"), ([[CROP]], "image 0: .* list"),
    ],
)  # fmt: skip
def test_what_is_no_image(images, words):
    with pytest.raises(TypeError, match=words):
        as_crops(images)


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"hello")
    for name, words in (
        ("a.jpg", "a.jpg: it is no image"),
        ("b.jpg", r"b.jpg: cannot be read \(No such.*; look at its path and permissions"),
    ):
        with pytest.raises(UserError, match=words):
            pixels(tmp_path / name)


def test_boxes_are_cut_out_of_a_frame_and_clipped():
    boxes = [[0, 0, 40, 90], [10.4, 20.6, 20.5, 30.4], [-5, -7, 8, 9], [30, 80, 400, 900]]
    found = pixels(CROP, boxes)
    wanted = [CROP, CROP[21:30, 10:20], CROP[:9, :8], CROP[80:, 30:]]
    assert all(map(np.array_equal, found, wanted))
    assert all(map(np.array_equal, pixels(Image.fromarray(CROP), torch.tensor(boxes)), wanted))
    assert all(map(np.array_equal, pixels(CROP, np.array(boxes, np.float32)), wanted))


@pytest.mark.parametrize(
    "box, words",
    [
        ([50, 0, 60, 9], r"box 1 \(50, 0, 60, 9\) lies outside the frame of 40x90 pixels"),
        ([0, 90, 9, 95], "box 1 .* lies outside"), ([-9, 0, 0, 9], "box 1 .* lies outside"),
        ([5, 5, 5, 9], "box 1 .* is empty; boxes are x1, y1, x2, y2"),
        ([30, 40, 10, 20], "box 1 .* is empty"), ([1.1, 1, 1.3, 9], "box 1 .* is empty"),
        ([float("nan"), 0, 1, 1], "box 1 .*: expected finite"),
        ([0, 0, float("inf"), 1], "box 1 .*: expected finite"),
        ([1e300, 0, 2e300, 9], "box 1 .* lies outside"),
    ],
)  # fmt: skip
def test_a_box_without_area_is_named_by_its_number(box, words):
    with pytest.raises(ValueError, match=words):
        as_crops(CROP, [[0, 0, 9, 9], box])


@pytest.mark.parametrize(
    "boxes",
    [[], [1, 2, 3, 4], [[1, 2, 3]], "abcd", [["a", 1, 2, 3]], 5, [[]], [[1, 2, 3, 10**400]]],
)
def test_what_is_no_list_of_boxes(boxes):
    with pytest.raises(ValueError, match="one or more rows of x1, y1, x2, y2"):
        as_crops(CROP, boxes)


def test_boxes_need_one_frame():
    with pytest.raises(ValueError, match="boxes are cut out of one frame"):
        as_crops([CROP, CROP], [[0, 0, 9, 9]])
    with pytest.raises(ValueError, match="the frame is empty"):
        as_crops(CROP[:0], [[0, 0, 9, 9]])
