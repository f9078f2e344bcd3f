"""From a file to RGB pixels of the wanted size, in two ways: fast, or exactly as PIL does it."""

from __future__ import annotations

import io
import os
import re
import struct

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from reidkit.data.orientation import orientation_of, upright
from reidkit.errors import UserError
from reidkit.utils.io import read_regular

RESIZES = ("cv2", "pil")
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PIL_LIMIT = Image.MAX_IMAGE_PIXELS or 0
_max_pixels = 100_000_000  # 300 MB as RGB; limit_pixels changes it
_OF_A_SET = "restore the file from its archive, or remove it and list the data set again"
_PNG_END = b"IEND\xaeB`\x82"


def read_bytes(address: str | os.PathLike[str], advice: str = _OF_A_SET) -> bytes:
    """The content of a file; local ones directly, addresses with "://" through mmengine.fileio.

    Args:
        address: of the file.
        advice: what would help, for the message.

    Raises:
        UserError: it cannot be read; the text names it.
    """
    address = os.fspath(address)
    try:
        if "://" in address:
            from mmengine import fileio

            return fileio.get(address)
        return read_regular(address)
    except (KeyError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, KeyError):  # mmengine's way to say so
            reason = f"no file backend for {error}"
        raise UserError(f"{address}: cannot be read ({reason}); {advice}") from None


def limit_pixels(most: int) -> None:
    """Say how large an image may be, in pixels, for this process and those forked from it.

    Args:
        most: ``settings.max_pixels``; a header that claims more is refused before memory is asked
            for.
    """
    global _max_pixels
    _max_pixels = most
    Image.MAX_IMAGE_PIXELS = max(most, _PIL_LIMIT)  # PIL refuses twice as much itself


def refuse_large(pixels: int, address: str) -> None:
    """Refuse an image that claims more than ``settings.max_pixels``.

    Raises:
        UserError: it does; the text names it.
    """
    if pixels > _max_pixels:
        raise UserError(
            f"{address}: claims {pixels:,} pixels, more than settings.max_pixels={_max_pixels}; "
            "remove the file, or raise that setting if it is what you expect"
        )


def _opened(data: bytes, address: str) -> Image.Image:
    """An image whose header PIL has read and nothing else; one of a claim too large is refused."""
    try:
        image = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        claimed = re.search(r"\d+", str(error))
        refuse_large(int(claimed[0]) if claimed else _max_pixels + 1, address)
        raise
    refuse_large(image.width * image.height, address)
    return image


def _claimed(data: bytes, address: str) -> bool:
    """Whether a header is understood; the size that it claims is refused if it is too large."""
    if data[:8] == _PNG_START and data[12:16] == b"IHDR" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        refuse_large(width * height, address)
        return True
    try:
        _opened(data, address)
    except UserError:
        raise
    except Exception:  # PIL raises almost anything; it is asked again for the message
        return False
    return True


def decode_stored(address: str | os.PathLike[str]) -> np.ndarray | None:
    """An image file as it is stored, whatever its channels; None where it is none.

    Raises:
        UserError: it cannot be read, or claims more than ``settings.max_pixels``.
    """
    data = read_bytes(address)
    if not data or not _claimed(data, os.fspath(address)):
        return None
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def decode_rgb(data: bytes, address: str = "image") -> np.ndarray:
    """Decode an image file to RGB, turned as its EXIF orientation says.

    JPEG goes through libjpeg-turbo (simplejpeg), everything else through OpenCV. What those refuse
    is tried with PIL, so files with harmless oddities (stray bytes, CMYK) still work.

    Args:
        data: the file's bytes.
        address: its name, for the message.

    Shape:
        returns (H, W, 3) uint8.

    Raises:
        UserError: empty, truncated or no image, or one that claims more than
            ``settings.max_pixels``.

    Example:
        >>> data = simplejpeg.encode_jpeg(np.full((8, 4, 3), 200, np.uint8))
        >>> decode_rgb(data).shape
        (8, 4, 3)
        >>> decode_rgb(b"", "a/b.jpg")
        Traceback (most recent call last):
        reidkit.errors.UserError: a/b.jpg: the file is empty; restore it ...
    """
    return upright(_as_stored(data, address), orientation_of(data))


def _as_stored(data: bytes, address: str) -> np.ndarray:
    try:
        if data[:2] == b"\xff\xd8":
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            refuse_large(height * width, address)
            return simplejpeg.decode_jpeg(data, "RGB")
        # a truncated PNG would make OpenCV chatter on stderr (old versions: return a part of it)
        whole = data[:4] != b"\x89PNG" or _PNG_END in data[-64:]
        if data and whole and _claimed(data, address):
            image = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
            if image is not None:
                return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    except ValueError as error:
        _refuse_premature(error, address)
    except cv2.error:
        pass
    return np.asarray(_with_pil(data, address))


def _refuse_premature(error: ValueError, address: str) -> None:
    """Refuse a JPEG whose data ends before the image does; PIL would fill up with grey."""
    if "premature end of data" in str(error).lower():
        raise _damaged(address, "it is damaged (its data ends before the image that it claims)")


def _with_pil(data: bytes, address: str) -> Image.Image:
    """Decode with PIL, or raise the ``UserError`` that names the file."""
    if not data:
        raise _damaged(address, "the file is empty")
    try:
        return _eight_bits(_opened(data, address), address).convert("RGB")
    except UserError:
        raise
    except Exception as error:  # PIL raises OSError, SyntaxError, ValueError, struct.error, ...
        text = str(error)
        reason = "it is no image" if "BytesIO" in text else f"it is damaged ({text})"
        raise _damaged(address, reason) from None


def _eight_bits(image: Image.Image, address: str) -> Image.Image:
    """An image of 16 bits as OpenCV reads it, by its upper byte; PIL's own way clips at 255."""
    if image.mode == "F":
        raise UserError(
            f"{address}: it holds floating-point numbers, whose range nobody tells; store it with "
            "8 or 16 bits"
        )
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise UserError(f"{address}: it holds numbers of 32 bits; store it with 8 or 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


def _damaged(address: str, reason: str) -> UserError:
    return UserError(
        f"{address}: {reason}; restore it from its archive, or remove it and list the data set "
        "again"
    )


def _exactly(data: bytes, address: str) -> np.ndarray:
    """Decoded by PIL, as stored."""
    if data[:2] == b"\xff\xd8":
        try:  # an eighth of the size is enough to learn whether the data is whole
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            refuse_large(height * width, address)
            simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8)
        except ValueError as error:
            _refuse_premature(error, address)
    return np.asarray(_with_pil(data, address))


def load_into(
    out: np.ndarray,
    data: bytes,
    address: str = "image",
    resize: str = "cv2",
    box: np.ndarray | None = None,
) -> tuple[int, int]:
    """Decode, crop and resize one image straight into its place in a batch.

    Args:
        out: (height, width, 3) uint8, contiguous; filled.
        data: the file's bytes.
        address: its name, for messages.
        resize: "cv2" is OpenCV bilinear without antialiasing (EANet's); "pil" is decoding and
            bilinear resizing by PIL, byte for byte what torchvision's ``Resize`` gives on a PIL
            image, for weights that were trained so; about five times slower.
        box: x, y, width, height of the part to take, in pixels of the upright image; None for all
            of it.

    Returns:
        (height, width) of the crop before resizing.

    Raises:
        UserError: an undecodable file, or a box outside the image.

    Example:
        >>> out = np.empty((16, 8, 3), np.uint8)
        >>> load_into(out, simplejpeg.encode_jpeg(np.full((8, 4, 3), 200, np.uint8)))
        (8, 4)
        >>> int(out.min()) > 195
        True
    """
    image = (_exactly if resize == "pil" else _as_stored)(data, address)
    image = upright(image, orientation_of(data))
    if box is not None:
        x, y, width, height = (int(v) for v in box)
        full = image.shape[:2]
        image = image[max(y, 0) : y + height, max(x, 0) : x + width]
        if not image.size:
            raise UserError(
                f"{address}: the box x={x} y={y} {width}x{height} lies outside the image of "
                f"{full[1]}x{full[0]}; correct the annotation"
            )
    resize_into(out, image, resize)
    return image.shape[0], image.shape[1]


def resize_into(out: np.ndarray, image: np.ndarray, resize: str = "cv2") -> None:
    """Resize one decoded image into its place in a batch.

    Args:
        out: (height, width, 3) uint8, contiguous; filled.
        image: (H, W, 3) uint8.
        resize: "cv2" or "pil", as ``load_into``.
    """
    size = (out.shape[1], out.shape[0])
    if resize == "pil":
        out[:] = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    else:
        cv2.resize(image, size, dst=out, interpolation=cv2.INTER_LINEAR)
