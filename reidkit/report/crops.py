"""Crops of a data set as JPEG data URIs, from the files that are at hand."""

from __future__ import annotations

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.report.ranking import ImagePath
from reidkit.viz.nearest import read_crop

HEIGHT = 144


def data_uri(pixels: NDArray[np.uint8], height: int = HEIGHT, quality: int = 80) -> str:
    """A picture (h, w, 3) RGB as a JPEG data URI, scaled down to ``height`` pixels at most.

    Args:
        pixels: uint8 RGB.
        height: pixels; the width is held to as many.
        quality: of the JPEG, 1 to 100.

    Example:
        >>> data_uri(np.zeros((8, 4, 3), np.uint8))[:23]
        'data:image/jpeg;base64,'
    """
    scale = min(1.0, height / pixels.shape[0], height / pixels.shape[1])
    if scale < 1:
        size = [max(1, round(n * scale)) for n in pixels.shape[1::-1]]
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise ValueError("the crop could not be encoded as JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


class Crops:
    """The crops of one test, read from its splits when asked for, each once.

    A crop that cannot be read is missing from the page; the page is made nevertheless.

    Args:
        splits: side -> split; empty where there is no data at hand, or none is to be shown.
        height: of the pictures, pixels.
        quality: of the JPEG.

    Attributes:
        missing: what went wrong with the first crop that could not be read; empty if none.
    """

    def __init__(self, splits: dict[str, Split], height: int = HEIGHT, quality: int = 80):
        self.splits, self.height, self.quality = splits, height, quality
        self.missing = ""
        self._uris: dict[tuple[str, int], str] = {}

    def uri(self, path: ImagePath) -> str:
        """The data URI of an image; empty where it cannot be shown."""
        key = path.side, path.row
        if path.side not in self.splits:
            return ""
        if key not in self._uris:
            try:
                pixels = read_crop(self.splits[path.side], path.row)
                self._uris[key] = data_uri(pixels, self.height, self.quality)
            except (UserError, OSError, ValueError) as error:
                self.missing = self.missing or str(error).splitlines()[0]
                self._uris[key] = ""
        return self._uris[key]

    @property
    def count(self) -> int:
        """How many crops have been read."""
        return sum(map(bool, self._uris.values()))
