"""Crops as people have them in hand: files, PIL images, arrays, boxes out of a frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from reidkit.data.decode import decode_rgb, load_into, read_bytes, resize_into
from reidkit.data.orientation import TAG, upright
from reidkit.errors import WRONG_CONTENT

Given = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
_ADVICE = "look at its path and permissions"
DEEP = ("I", "F")  # PIL's modes of more than 8 bits begin so


@dataclass(frozen=True)
class Pixels:
    """A crop in memory, (H, W, 3) uint8 RGB."""

    pixels: np.ndarray

    def into(self, out: np.ndarray, resize: str) -> tuple[int, int]:
        """Resize it into its place in a batch, (h, w, 3) uint8; its height and width before."""
        resize_into(out, self.pixels, resize)
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True)
class File:
    """A crop in a file, which is read when its batch is made."""

    address: str

    @property
    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, as a labeller reads it."""
        return decode_rgb(read_bytes(self.address, _ADVICE), self.address)

    def into(self, out: np.ndarray, resize: str) -> tuple[int, int]:
        """As ``Pixels.into``, as a data set's files are read."""
        return load_into(out, read_bytes(self.address, _ADVICE), self.address, resize)


@dataclass(frozen=True)
class Encoded:
    """A crop as the bytes of an image file, with a name for messages."""

    data: bytes
    name: str

    @property
    def pixels(self) -> np.ndarray:
        """As ``File.pixels``."""
        return decode_rgb(self.data, self.name)

    def into(self, out: np.ndarray, resize: str) -> tuple[int, int]:
        """As ``File.into``."""
        return load_into(out, self.data, self.name, resize)


Crop = Pixels | File | Encoded


def as_crops(images: Given | Sequence[Given], boxes: Any = None) -> list[Crop]:
    """The crops that an argument stands for; files are not read yet.

    Args:
        images: one image or a list of them, each a path, the bytes of an image file, a PIL image or
            an (H, W, 3) uint8 RGB array; or an (N, H, W, 3) array. With ``boxes`` one image, the
            frame.
        boxes: x1, y1, x2, y2 in pixels of the frame (x2 and y2 exclusive), one row per crop;
            rounded to whole pixels and clipped to the frame. Or what has such as its ``xyxy``:
            ``Detections`` of supervision, ``Boxes`` of ultralytics.

    Raises:
        ValueError: no images or boxes; one that is empty, grey, transparent or not of bytes, by
            its number; a box outside the frame.
        TypeError: something else than an image.

    Example:
        >>> frame = np.zeros((100, 200, 3), np.uint8)
        >>> [crop.pixels.shape for crop in as_crops(frame, [[0, 0, 40, 90], [180, 20, 230, 130]])]
        [(90, 40, 3), (80, 20, 3)]
    """
    if boxes is not None:
        return _cut(images, boxes)
    if isinstance(images, np.ndarray):
        images = [images] if images.ndim != 4 else list(images)
    elif isinstance(images, (str, os.PathLike, bytes, Image.Image)):
        images = [images]
    elif not isinstance(images, (list, tuple)):
        raise TypeError(f"expected an image or a list of images, {_hint(images)}")
    if not images:
        raise ValueError("Extractor needs at least one image")
    return [_crop(image, f"image {number}") for number, image in enumerate(images)]


def _crop(image: Any, name: str) -> Crop:
    if isinstance(image, (str, os.PathLike)):
        return File(os.fspath(image))
    if isinstance(image, bytes):
        return Encoded(image, name)
    return Pixels(_from_pil(image, name) if isinstance(image, Image.Image) else _array(image, name))


def _from_pil(image: Image.Image, name: str) -> np.ndarray:
    """A PIL image as its file would be decoded: without transparency, turned upright."""
    if image.mode.startswith(DEEP):
        raise ValueError(
            f"{name} is a PIL image of mode {image.mode!r}, more than 8 bits per pixel; scale it "
            "to 0..255 first"
        )
    orientation = image.getexif().get(TAG, 1)
    pixels = np.asarray(image.convert("RGB"))
    return _not_empty(upright(pixels, orientation if orientation in range(1, 9) else 1), name)


def _array(image: Any, name: str) -> np.ndarray:
    """An array that is a crop already.

    Raises:
        ValueError: another shape or type; the text says how to make it fit.
        TypeError: no array.
    """
    if not isinstance(image, np.ndarray):
        raise TypeError(f"{name}: expected a path, bytes, a PIL image or an array, {_hint(image)}")
    grey = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8:
        return _not_empty(np.ascontiguousarray(image), name)
    if image.dtype != np.uint8:
        hint = "scale it to 0..255 and cast it with .astype(np.uint8)"
    elif grey:
        hint = "it is grey: np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2) is its RGB"
    elif image.ndim == 3 and image.shape[2] == 4:
        hint = "it has a fourth channel: image[..., :3] leaves transparency out"
    elif image.ndim == 3 and image.shape[0] == 3:
        hint = "channels come last: image.transpose(1, 2, 0)"
    else:
        hint = "several images are a list of them, or one (N, H, W, 3) array"
    raise ValueError(f"{name} must be (H, W, 3) uint8, got {image.shape} {image.dtype}; {hint}")


def _not_empty(pixels: np.ndarray, name: str) -> np.ndarray:
    if not pixels.size:
        raise ValueError(
            f"{name} is empty, {pixels.shape}: its box has no area or lies outside the frame"
        )
    return pixels


def _hint(value: Any) -> str:
    """What was given in place of an image, and what to do with a tensor."""
    kind = type(value)
    if kind.__module__.partition(".")[0] == "torch":
        return "got a torch tensor; give image.permute(1, 2, 0).cpu().numpy() as uint8 RGB"
    return f"got {kind.__name__}"


def _cut(frame: Any, boxes: Any) -> list[Crop]:
    """The crops of one frame."""
    if isinstance(frame, (list, tuple)) or (isinstance(frame, np.ndarray) and frame.ndim == 4):
        raise ValueError("boxes are cut out of one frame; give one image, not several")
    pixels = _crop(frame, "the frame").pixels
    try:
        rows = np.asarray(getattr(boxes, "xyxy", boxes), dtype=np.float64)
    except (RuntimeError, *WRONG_CONTENT):  # the last: a tensor with gradients
        rows = np.empty(0)
    if rows.ndim != 2 or rows.shape[1] != 4 or not len(rows):
        raise ValueError(f"boxes must be one or more rows of x1, y1, x2, y2; got {str(boxes)[:60]}")
    return [
        Pixels(_part(pixels, row, f"box {number} ({', '.join(f'{v:g}' for v in row)})"))
        for number, row in enumerate(rows)
    ]


def _part(frame: np.ndarray, box: np.ndarray, name: str) -> np.ndarray:
    """What lies in a box, (h, w, 3)."""
    height, width = frame.shape[:2]
    if not np.isfinite(box).all():
        raise ValueError(f"{name}: expected finite numbers")
    x1, y1, x2, y2 = np.rint(box)
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f"{name} is empty; boxes are x1, y1, x2, y2, not x, y, width, height")
    left, right = np.clip([x1, x2], 0, width).astype(int)
    top, bottom = np.clip([y1, y2], 0, height).astype(int)
    if right <= left or bottom <= top:
        raise ValueError(f"{name} lies outside the frame of {width}x{height} pixels")
    return np.ascontiguousarray(frame[top:bottom, left:right])
