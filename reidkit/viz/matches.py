"""Local matches as pictures: which cells of a query were found where in a gallery image."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from reidkit.evaluation.labelled import Labels
from reidkit.evaluation.protocols import find_protocol, match_labels
from reidkit.evaluation.ranking.ranks import top_matches
from reidkit.structures import Correspondences, Embedding
from reidkit.viz.canvas import INK, SOFT, Canvas, Colour, shorten
from reidkit.viz.ranks import MARGIN, QUERY, RIGHT, WRONG, _choose, _labels, _person, read_crop

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
    """Draw the strongest local matches of random queries with their nearest right and wrong image.

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
    rules = find_protocol(protocol)
    sides = [_labels(split) for split in (query_split, gallery_split)]
    chosen = _choose(match_labels(rules, *sides), rows, seed)
    labels = _labels(query_split, chosen)
    queries = query_emb[torch.from_numpy(chosen)]
    places, distances = top_matches(
        queries, gallery_emb, matcher, match_labels(rules, labels, sides[1]), len(gallery_emb)
    )
    right = sides[1].identities[places] == labels.identities[:, None]
    right[places < 0] = False
    pairs = [(right[row].argmax(), (~right[row]).argmax()) for row in range(len(chosen))]

    width = round(HEIGHT * _aspect(matcher, queries, gallery_emb))
    pair = 2 * width + BETWEEN
    sheet = Canvas(2 * MARGIN + 2 * pair + APART, HEAD + len(chosen) * ROW + MARGIN // 2)
    title = f"{query_split.dataset}: the {lines} strongest local matches"
    sheet.text(MARGIN, 8, shorten(title, 16, sheet.pixels.shape[1] - 2 * MARGIN), 16, bold=True)
    names = [("query", QUERY), ("nearest right", RIGHT), ("nearest wrong", WRONG)]
    sheet.legend(MARGIN, 34, names)
    for row, query in enumerate(chosen):
        for column, place in enumerate(pairs[row]):
            index, good = int(places[row, place]), bool(right[row, place])
            if index < 0 or good != (column == 0):
                continue  # there is no such image
            left, top = MARGIN + column * (pair + APART), HEAD + row * ROW
            matches = matcher.correspondences(  # type: ignore[operator]
                queries[[row]], gallery_emb[[index]]
            )
            crops = read_crop(query_split, int(query)), read_crop(gallery_split, index)
            _pair(sheet, left, top, width, crops, matches, lines, RIGHT if good else WRONG)
            text = f"{distances[row, place]:.3f}"
            _captions(sheet, left, top, width, (labels, row), (sides[1], index), text)
    sheet.save(path)


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
    """Two crops beside each other with their matches drawn across."""
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
    sheet: Canvas,
    x: int,
    y: int,
    width: int,
    query: tuple[Labels, int],
    gallery: tuple[Labels, int],
    distance: str,
) -> None:
    below = y + HEIGHT + 5
    sheet.text(x - 2, below, shorten(_person(*query), 11, width + BETWEEN // 2), 11, SOFT)
    right = x + width + BETWEEN
    sheet.text(right - 2, below, shorten(_person(*gallery), 11, width + APART - 4), 11, SOFT)
    sheet.text(right - 2, below + 15, f"distance {distance}", 11, INK, bold=True)
