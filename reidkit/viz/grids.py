"""Generated images beside the images they are made of.

Shapes: A appearances, S structures, T steps, H W pixels; all uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reidkit.viz.canvas import SOFT, Canvas

GAP, EDGE = 3, 22


def swap_grid(
    appearances: NDArray[np.uint8], structures: NDArray[np.uint8], composites: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Every appearance (rows) in every structure (columns), the originals on the left and on top.

    Shape:
        appearances (A, H, W, 3), structures (S, H, W, 3), composites (A, S, H, W, 3).
        returns a sheet (h, w, 3).

    Raises:
        ValueError: composites have other numbers of rows and columns.

    Example:
        >>> one, two = np.zeros((1, 8, 4, 3), np.uint8), np.zeros((2, 8, 4, 3), np.uint8)
        >>> swap_grid(one, two, np.zeros((1, 2, 8, 4, 3), np.uint8)).ndim
        3
    """
    if composites.shape[:2] != (len(appearances), len(structures)):
        raise ValueError(
            f"{len(appearances)} appearances and {len(structures)} structures make another grid "
            f"than {composites.shape[:2]}"
        )
    height, width = composites.shape[2:4]
    left, top = EDGE + width + 3 * GAP, EDGE + height + 3 * GAP
    sheet = Canvas(
        left + len(structures) * (width + GAP) + GAP, top + len(appearances) * (height + GAP) + GAP
    )
    sheet.text(left, 4, "structure: pose, build and place of these", 11, SOFT)
    sheet.text(4, top - 16, "clothes of", 10, SOFT)
    for column, image in enumerate(structures):
        sheet.image(left + column * (width + GAP), EDGE, image)
    for row, image in enumerate(appearances):
        y = top + row * (height + GAP)
        sheet.image(EDGE, y, image)
        for column in range(len(structures)):
            sheet.image(left + column * (width + GAP), y, composites[row, column])
    return sheet.pixels


def strips(rows: Sequence[NDArray[np.uint8]], captions: Sequence[str]) -> NDArray[np.uint8]:
    """Rows of images (T, H, W, 3), each with a line above it that says what it shows.

    Shape:
        returns a sheet (h, w, 3).

    Raises:
        ValueError: no rows, or as many captions as there are not rows.
    """
    if not rows or len(rows) != len(captions):
        raise ValueError(f"strips: {len(rows)} rows and {len(captions)} captions")
    height, width = rows[0].shape[1:3]
    longest = max(len(row) for row in rows)
    line = height + EDGE + GAP
    sheet = Canvas(longest * (width + GAP) + 3 * GAP, len(rows) * line + GAP)
    for number, (row, caption) in enumerate(zip(rows, captions, strict=True)):
        sheet.text(2 * GAP, number * line + 4, caption, 11, SOFT)
        for step, image in enumerate(row):
            sheet.image(2 * GAP + step * (width + GAP), number * line + EDGE, image)
    return sheet.pixels
