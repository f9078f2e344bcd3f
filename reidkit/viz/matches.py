"""Local matches as pictures: which cells of a query were found where in a gallery image."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import nn

from reidkit.structures import Correspondences, Embedding
from reidkit.viz.canvas import INK, SOFT, Canvas, Colour, shorten
from reidkit.viz.nearest import (
    NEGATIVE,
    POSITIVE,
    QUERY,
    caption,
    nearest_images,
    read_crop,
)
from reidkit.viz.ranks import MARGIN

HEIGHT, BETWEEN, APART, HEAD = 288, 70, 48, 66
ROW = HEIGHT + 50


def match_sheet(
    path: str | Path,
    query_split,
    gallery_split,
    query_emb: Embedding,
    gallery_emb: Embedding,
    matcher: nn.Module,
    rows: int = 4,
    lines: int = 14,
    seed: int = 0,
    protocol: str = "market",
) -> None:
    """Draw the strongest local matches of random queries with their nearest positive and negative.

    Crops are stretched to the network's shape. A line joins two cells that the matcher holds for
    the same place, coloured by the height of the query's cell, from the head (red) to the feet
    (violet); its width grows with what the match adds to the score.

    Args:
        path: of the PNG file.
        query_split: a ``reidkit.data`` Split; its image files are read.
        gallery_split: likewise.
        query_emb: raw embeddings of all queries.
        gallery_emb: raw embeddings of the gallery.
        matcher: has ``correspondences(query, gallery)``.
        rows: queries; fewer if the test has fewer valid ones.
        lines: matches drawn for each pair of crops.
        seed: of the choice of queries.
        protocol: as in the test.

    Raises:
        UserError: an empty side or an unreadable image.
    """
    size = len(gallery_emb)
    near = nearest_images(
        query_split, gallery_split, query_emb, gallery_emb, matcher, size, rows, seed, protocol
    )
    width = round(HEIGHT * _aspect(matcher, near.queries, gallery_emb))
    title = f"{query_split.dataset}: the {lines} strongest local matches"
    sheet = _empty_sheet(title, width, len(near.rows))
    for row, query in enumerate(near.rows):
        for column, is_positive in enumerate((True, False)):
            place = int((near.positive[row] == is_positive).argmax())
            index = int(near.places[row, place])
            if index < 0 or near.positive[row, place] != is_positive:
                continue  # there is no such image
            left = MARGIN + column * (2 * width + BETWEEN + APART)
            top = HEAD + row * ROW
            matches = matcher.correspondences(  # type: ignore[operator]
                near.queries[[row]], gallery_emb[[index]]
            )
            crops = read_crop(query_split, int(query)), read_crop(gallery_split, index)
            colour = POSITIVE if is_positive else NEGATIVE
            _pair(sheet, left, top, width, crops, matches, lines, colour)
            texts = caption(near.query_labels, row), caption(near.gallery_labels, index)
            _captions(sheet, left, top, width, texts, f"{near.distances[row, place]:.3f}")
    sheet.save(path)


def _empty_sheet(title: str, width: int, rows: int) -> Canvas:
    """A sheet with its title and legend, for two pairs of crops of a width in every row."""
    sheet = Canvas(2 * MARGIN + 2 * (2 * width + BETWEEN) + APART, HEAD + rows * ROW + MARGIN // 2)
    sheet.text(MARGIN, 8, shorten(title, 16, sheet.pixels.shape[1] - 2 * MARGIN), 16, bold=True)
    names = [("query", QUERY), ("nearest positive", POSITIVE), ("nearest negative", NEGATIVE)]
    sheet.legend(MARGIN, 34, names)
    return sheet


def _aspect(matcher: Any, queries: Embedding, gallery: Embedding) -> float:
    """Width over height of the maps' cells, which are square."""
    height, width = matcher.correspondences(queries[[0]], gallery[[0]]).map_size
    return width / height


def _pair(
    sheet: Canvas,
    x: int,
    y: int,
    width: int,
    crops: tuple[np.ndarray, np.ndarray],
    matches: Correspondences,
    lines: int,
    colour: Colour,
) -> None:
    """Two crops side by side with their matches drawn across."""
    other = x + width + BETWEEN
    for left, crop, frame in ((x, crops[0], QUERY), (other, crops[1], colour)):
        picture = cv2.resize(crop, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)
        sheet.image(left, y, np.asarray(picture, np.uint8))
        sheet.frame(left, y, width, HEIGHT, frame)
    height, across = matches.map_size
    cell = HEIGHT / height, width / across
    strongest = float(matches.contribution[0])
    for (a, b), worth in zip(matches.places(lines), matches.contribution.tolist(), strict=False):
        start = (x + (a[1] + 0.5) * cell[1], y + (a[0] + 0.5) * cell[0])
        end = (other + (b[1] + 0.5) * cell[1], y + (b[0] + 0.5) * cell[0])
        share = worth / strongest if strongest > 0 else 0.0
        sheet.line(start, end, _rainbow(a[0] / height), 1 + round(2 * max(0.0, share)))


def _rainbow(share: float) -> Colour:
    """From red (0) to violet (1)."""
    red, green, blue = colorsys.hsv_to_rgb(0.78 * share, 0.9, 0.92)
    return round(255 * red), round(255 * green), round(255 * blue)


def _captions(
    sheet: Canvas, x: int, y: int, width: int, texts: tuple[str, str], distance: str
) -> None:
    """Who is to be seen in the query and in the gallery image, and how far apart they are."""
    below = y + HEIGHT + 5
    sheet.text(x - 2, below, shorten(texts[0], 11, width + BETWEEN // 2), 11, SOFT)
    other = x + width + BETWEEN
    sheet.text(other - 2, below, shorten(texts[1], 11, width + APART - 4), 11, SOFT)
    sheet.text(other - 2, below + 15, f"distance {distance}", 11, INK, bold=True)
