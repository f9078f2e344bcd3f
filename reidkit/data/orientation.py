"""Images that a camera stored lying on their side, with a tag that says how to turn them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

TAG = 0x0112  # "Orientation" of EXIF
APPLICATION = {bytes([mark]) for mark in (*range(0xE0, 0xF0), 0xFE)}  # and comments


def orientation_of(data: bytes) -> int:
    """The EXIF orientation of an image file, 1 to 8; 1 where it has none.

    Files without such a block are not parsed: the look for one costs a few microseconds.

    Args:
        data: the file's bytes.

    Example:
        >>> orientation_of(b"no image")
        1
    """
    kind = data[:4]
    if kind[:2] == b"\xff\xd8":
        tagged = _jpeg_tagged(data)
    elif kind == b"\x89PNG":
        tagged = b"eXIf" in data
    else:  # decoders turn TIFF themselves
        tagged = kind == b"RIFF" and b"EXIF" in data
    if not tagged:
        return 1
    try:
        with Image.open(io.BytesIO(data)) as image:
            turn = image.getexif().get(TAG, 1)
    except Exception:  # damaged files are refused where they are decoded
        return 1
    return turn if turn in range(1, 9) else 1


def _jpeg_tagged(data: bytes) -> bool:
    """Whether one of the application segments at a JPEG's beginning is an EXIF block."""
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] in APPLICATION:
        if data[at + 4 : at + 10] == b"Exif\0\0":
            return True
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as a viewer shows them.

    Args:
        image: as stored.
        orientation: of ``orientation_of``; 1 gives the image itself.

    Shape:
        image: (H, W, C); returns (H, W, C), or (W, H, C) from 5 on.

    Example:
        >>> upright(np.zeros((4, 2, 3)), 6).shape
        (2, 4, 3)
    """
    if orientation == 1:
        return image
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    down = orientation in (3, 4, 7, 8)
    across = orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(image[:: -1 if down else 1, :: -1 if across else 1])
