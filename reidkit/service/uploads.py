"""From uploaded bytes to crops, within limits."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import numpy as np
from fastapi import UploadFile
from PIL import Image

from reidkit.data.decode import decode_rgb
from reidkit.errors import UserError
from reidkit.service.limits import Limits
from reidkit.service.problems import Refusal


def crops_of(files: Sequence[UploadFile], limits: Limits) -> list[np.ndarray]:
    """Uploaded images as pixels; names of files are neither used nor kept.

    Args:
        files: JPEG, PNG, WebP, BMP: what the project reads.
        limits: of a request.

    Shape:
        returns (H, W, 3) uint8 RGB each.

    Raises:
        Refusal: too many (413), too large (413), no image (422), by number from 0.
    """
    if len(files) > limits.crops:
        raise Refusal(413, f"{len(files)} images; a request has at most {limits.crops}")
    return [_crop(file.file.read(), f"image {n}", limits.pixels) for n, file in enumerate(files)]


def _crop(data: bytes, name: str, most: int) -> np.ndarray:
    claimed = _pixels(data)
    if claimed > most:
        raise Refusal(413, f"{name} has {claimed:,} pixels; at most {most:,} are taken")
    try:
        pixels = decode_rgb(data, name)
    except UserError as error:
        reason = str(error).partition("; ")[0]  # what follows speaks of files in a data set
        raise Refusal(422, f"{reason}; send a whole JPEG, PNG, WebP or BMP file") from None
    if not pixels.size:
        raise Refusal(422, f"{name} has no pixels")
    return pixels


def _pixels(data: bytes) -> int:
    """How many pixels a header claims; 0 where PIL does not understand it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                return image.width * image.height
    except Image.DecompressionBombError:
        return Image.MAX_IMAGE_PIXELS or 1 << 30
    except Exception:  # PIL raises almost anything; the decoder says what is wrong
        return 0
