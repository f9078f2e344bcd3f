"""Image files, as the loader of every data set reads them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from reidkit.data.decode import load_into, read_bytes
from reidkit.testing.fuzz.case import Case, Door, Place
from reidkit.testing.fuzz.doors.crops import picture
from reidkit.testing.fuzz.mutate import damaged, odd_name, put_odd

EXACT = 1.5  # mean difference in grey levels that rounding may make
LOSSY = 12.0  # that JPEG and palettes may make
TURNS = {1: 0, 3: 2, 6: 3, 8: 1}  # EXIF orientation -> quarter turns to the left


def _encoded(image: Image.Image, form: str, **options) -> bytes:
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def _valid(rng: Random, pixels: np.ndarray) -> tuple[bytes, np.ndarray, float, str]:
    """A file, the pixels that it shows, how exactly it keeps them, and its kind."""
    image, grey = Image.fromarray(pixels), pixels.mean(2).astype(np.uint8)
    shown = np.repeat(grey[..., None], 3, 2)
    exif = Image.Exif()
    exif[0x0112] = turn = rng.choice(sorted(TURNS))
    turned = np.rot90(pixels, TURNS[turn])
    forms: dict[str, Callable[[], tuple[bytes, np.ndarray, float]]] = {
        "PNG": lambda: (_encoded(image, "PNG"), pixels, EXACT),
        "BMP": lambda: (_encoded(image, "BMP"), pixels, EXACT),
        "TIFF": lambda: (_encoded(image, "TIFF"), pixels, EXACT),
        "PPM": lambda: (_encoded(image, "PPM"), pixels, EXACT),
        "WebP": lambda: (_encoded(image, "WEBP", lossless=True), pixels, EXACT),
        "GIF": lambda: (_encoded(image, "GIF"), pixels, LOSSY),
        "palette": lambda: (_encoded(image.quantize(256), "PNG"), pixels, LOSSY),
        "JPEG": lambda: (_encoded(image, "JPEG", quality=95), pixels, LOSSY),
        "progressive JPEG": lambda: (
            _encoded(image, "JPEG", quality=95, progressive=True), pixels, LOSSY
        ),
        "CMYK JPEG": lambda: (_encoded(image.convert("CMYK"), "JPEG", quality=95), pixels, LOSSY),
        "grey JPEG": lambda: (_encoded(Image.fromarray(grey), "JPEG", quality=95), shown, LOSSY),
        "grey PNG": lambda: (_encoded(Image.fromarray(grey), "PNG"), shown, EXACT),
        "16-bit PNG": lambda: (
            _encoded(Image.fromarray(grey.astype(np.uint16) * 257), "PNG"), shown, EXACT
        ),
        "RGBA PNG": lambda: (_encoded(image.convert("RGBA"), "PNG"), pixels, EXACT),
        "stray bytes": lambda: (_encoded(image, "JPEG", quality=95) + b"\0" * 99, pixels, LOSSY),
        "EXIF JPEG": lambda: (_encoded(image, "JPEG", quality=95, exif=exif), turned, LOSSY),
        "EXIF PNG": lambda: (_encoded(image, "PNG", exif=exif), turned, EXACT),
    }  # fmt: skip
    name = rng.choice(sorted(forms))
    return *forms[name](), name


def _hostile(rng: Random) -> tuple[bytes, str]:
    """A file that claims more than it has, or is no image."""
    size = rng.choice(((65500, 65500), (1 << 31, 1), (0, 0), (20000, 20000)))
    jpeg = bytearray(_encoded(Image.fromarray(picture(1, 64, 32)), "JPEG"))
    at = jpeg.find(b"\xff\xc0")
    header = struct.pack(">II5B", *size, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    png = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )
    claim = rng.choice(((640, 320), (65500, 65500), (64, 40)))
    jpeg[at + 5 : at + 9] = struct.pack(">HH", *claim)
    return rng.choice(
        (
            (bytes(png), f"PNG of {size}"), (bytes(jpeg), f"JPEG that claims {claim}"),
            (b"", "nothing"), (b"<html>not found</html>", "HTML"), (b"\xff\xd8", "JPEG's start"),
            (b"II*\0" + b"\xff" * 40, "TIFF of offsets"), (b"RIFF\xff\xff\xff\xffWEBPVP8 ", "WebP"),
            (b"P6 99999999999 99999999999 255\n", "PPM that claims"), (b"BM" + b"\xff" * 60, "BMP"),
        )
    )  # fmt: skip


def make(rng: Random, place: Place) -> Case:
    """Reading one file."""
    pixels = picture(rng.randrange(1000), rng.randrange(30, 80), rng.randrange(16, 50))
    resize, name = rng.choice(("cv2", "pil")), "a.jpg" if rng.random() < 0.8 else odd_name(rng)
    path = place.here / name.replace("/", "_")
    data, wanted, exact, what = _valid(rng, pixels)
    kind, refuse = rng.choice(("valid", "valid", "bytes", "bytes", "cut", "hostile", "file")), False
    if kind == "bytes":
        data, how = damaged(data, rng)
        what = f"{what}: {how}"
    elif kind == "cut":
        data, refuse = data[: rng.randrange(1, len(data) * 2 // 3)], what != "stray bytes"
        what = f"{what}: cut short"
    elif kind == "hostile":
        data, what = _hostile(rng)
        refuse = True
    Path(path).write_bytes(data)
    if kind == "file":
        what, refuse = f"{put_odd(path, rng)} in its place", True
    height, width = (40, 20) if kind != "valid" else wanted.shape[:2]

    def run() -> tuple[tuple[int, int], np.ndarray]:
        out = np.zeros((height, width, 3), np.uint8)
        size = load_into(out, read_bytes(path), str(path), resize)
        return size, out

    def check(found: tuple[tuple[int, int], np.ndarray]) -> str | None:
        if kind != "valid":  # damaged pixels cannot be told from others
            return None
        gap = np.abs(found[1].astype(float) - wanted).mean()
        same = found[0] == wanted.shape[:2] and gap < exact
        return "" if same else f"{found[0]} for {wanted.shape}, {gap:.1f} grey levels apart"

    return Case(f"{what}, {resize}", run, check, refuse)


DOOR = Door("images", "image files, decoded and resized", make, share=0.5, seconds=20)
