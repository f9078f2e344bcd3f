"""A white sheet to put crops, frames, captions and legends on."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from reidkit.utils.io import atomic_write

Colour = tuple[int, int, int]
INK: Colour = (34, 34, 34)
SOFT: Colour = (110, 110, 110)
PAPER: Colour = (255, 255, 255)
PAD: Colour = (236, 236, 236)  # beside crops that are narrower than their place


class Canvas:
    """An RGB sheet; places are in pixels, (x, y) from the top left.

    Args:
        width: pixels.
        height: pixels.

    Example:
        >>> sheet = Canvas(120, 40)
        >>> sheet.text(4, 4, "query")
        >>> sheet.pixels.shape, bool((sheet.pixels < 255).any())
        ((40, 120, 3), True)
    """

    def __init__(self, width: int, height: int):
        self._image = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The sheet (H, W, 3) uint8 RGB."""
        return np.asarray(self._image)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: int = 12,
        colour: Colour = INK,
        bold: bool = False,
    ) -> None:
        """Write one line with its top left corner at (x, y); unknown characters become "?"."""
        self._draw.text((x, y), printable(words), fill=colour, font=font(size, bold))

    def image(self, x: int, y: int, pixels: NDArray[np.uint8]) -> None:
        """Put an RGB picture (h, w, 3) down with its top left corner at (x, y)."""
        self._image.paste(Image.fromarray(np.ascontiguousarray(pixels)), (x, y))

    def frame(self, x: int, y: int, width: int, height: int, colour: Colour, line: int = 3) -> None:
        """Draw a frame ``line`` pixels wide around, not over, a picture of that place and size."""
        box = (x - line, y - line, x + width + line - 1, y + height + line - 1)
        self._draw.rectangle(box, outline=colour, width=line)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], colour: Colour, width: int = 2
    ) -> None:
        """Join two places by a line with a dot on each."""
        self._draw.line((start, end), fill=colour, width=width)
        radius = width + 1
        for x, y in (start, end):
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def legend(
        self, x: int, y: int, entries: Sequence[tuple[str, Colour]], size: int = 12
    ) -> list[int]:
        """Coloured squares with their names in one line; returns where each entry starts."""
        starts = []
        for name, colour in entries:
            starts.append(x)
            self._draw.rectangle((x, y + 2, x + size - 1, y + size + 1), fill=colour, outline=SOFT)
            self.text(x + size + 5, y, name, size)
            x += size + 5 + text_width(name, size) + 18
        return starts

    def save(self, path: str | Path) -> None:
        """Write the sheet as PNG; the file appears whole or not at all."""
        done, data = cv2.imencode(".png", cv2.cvtColor(self.pixels, cv2.COLOR_RGB2BGR))
        if not done:
            raise ValueError(f"{path}: the sheet could not be encoded as PNG")
        with atomic_write(path) as file:
            file.write(data.tobytes())


def fit(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """A picture (h, w, 3) scaled into (height, width) with its proportions kept, edges in grey.

    Example:
        >>> fit(np.zeros((128, 32, 3), np.uint8), 64, 32)[0, :, 0].tolist()[:10]
        [236, 236, 236, 236, 236, 236, 236, 236, 0, 0]
    """
    scale = min(height / pixels.shape[0], width / pixels.shape[1])
    size = [max(1, round(n * scale)) for n in pixels.shape[1::-1]]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=way)
    out = np.full((height, width, 3), PAD, np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = small
    return out


@functools.cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib ships it, so that every machine draws the same letters."""
    return ImageFont.truetype(str(_font_file(bold)), size)


@functools.cache
def _font_file(bold: bool) -> Path:
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name


@functools.cache
def _known() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(_font_file(False))).get_charmap())


def printable(words: str) -> str:
    """The words with a "?" for every character that the font does not have.

    Example:
        >>> printable("caméra 2 行")
        'caméra 2 ?'
    """
    return "".join(c if ord(c) in _known() else "?" for c in words)


def text_width(words: str, size: int, bold: bool = False) -> int:
    """Width of a line in pixels."""
    return round(font(size, bold).getlength(printable(words)))


def shorten(words: str, size: int, width: int) -> str:
    """The words, cut with an ellipsis where they would be wider than ``width`` pixels.

    Example:
        >>> shorten("identity 12", 12, 200), shorten("identity 12", 12, 40)
        ('identity 12', 'iden…')
    """
    if text_width(words, size) <= width:
        return words
    while words and text_width(words + "…", size) > width:
        words = words[:-1]
    return words + "…"
