"""Ranked lists as pictures: each row a query and the gallery images closest to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import nn

from reidkit.evaluation.metrics.ranked import average_precision
from reidkit.evaluation.protocols import GroundTruth
from reidkit.evaluation.ranking.ranks import rank_positives
from reidkit.structures import Embedding
from reidkit.viz.canvas import INK, SOFT, Canvas, Colour, fit, shorten
from reidkit.viz.nearest import (
    NEGATIVE,
    POSITIVE,
    QUERY,
    Nearest,
    caption,
    nearest_images,
    read_crop,
)

TILE_HEIGHT, TILE_WIDTH, GAP = 160, 80, 14
ROW, HEAD, MARGIN = TILE_HEIGHT + 52, 82, 16
STEP = TILE_WIDTH + GAP


def rank_sheet(
    path: str | Path,
    query_split,
    gallery_split,
    query_emb: Embedding,
    gallery_emb: Embedding,
    matcher: nn.Module,
    k: int = 10,
    rows: int = 8,
    seed: int = 0,
    protocol: str = "market",
) -> None:
    """Draw random valid queries with their k closest gallery images, framed by identity.

    Junk (same identity and camera, identity -1) is skipped as in the score. The average precision
    of each query stands beside it.

    Args:
        path: of the PNG file.
        query_split: a ``reidkit.data`` Split; its image files are read.
        gallery_split: likewise.
        query_emb: raw embeddings of all queries.
        gallery_emb: raw embeddings of the gallery.
        matcher: as in the test.
        k: images per row.
        rows: queries; fewer if the test has fewer valid ones.
        seed: of the choice of queries.
        protocol: as in the test.

    Raises:
        UserError: an empty side or an unreadable image.
    """
    near = nearest_images(
        query_split, gallery_split, query_emb, gallery_emb, matcher, k, rows, seed, protocol
    )
    precision = _precision(near, gallery_emb, matcher)
    sheet = Canvas(2 * MARGIN + (k + 1) * STEP + GAP, HEAD + len(near.rows) * ROW + MARGIN // 2)
    _head(sheet, query_split, len(near.rows), near.truth, matcher, k)
    for row, query in enumerate(near.rows):
        y = HEAD + row * ROW
        lines = (f"AP {100 * precision[row]:.1f} %", caption(near.query_labels, row))
        _tile(sheet, MARGIN, y, query_split, query, QUERY, lines)
        for place, index in enumerate(near.places[row]):
            if index < 0:
                break
            mark, colour = ("✓", POSITIVE) if near.positive[row, place] else ("✗", NEGATIVE)
            distance = f"{mark} {near.distances[row, place]:.3f}"
            lines = (distance, caption(near.gallery_labels, index))
            x = MARGIN + (place + 1) * STEP + GAP
            _tile(sheet, x, y, gallery_split, index, colour, lines)
    sheet.save(path)


def _precision(near: Nearest, gallery: Embedding, matcher: nn.Module) -> np.ndarray:
    """Average precision of each query; NaN for invalid ones."""
    values = np.full(len(near.rows), np.nan)
    if len(near.truth.valid):
        ranks = rank_positives(near.queries, gallery, near.truth, matcher)
        values[near.truth.valid] = average_precision(ranks.ranks, ranks.starts)
    return values


def _head(sheet: Canvas, split, count: int, truth: GroundTruth, matcher: nn.Module, k: int) -> None:
    title = f"{split.dataset}: the {k} closest of {truth.n_gallery:,} gallery images"
    sheet.text(MARGIN, 8, title, size=16, bold=True)
    note = (
        f"{count} random queries. Distance by {type(matcher).__name__}, small is close. Left out: "
        "images of the query's identity under its own camera."
    )
    width = sheet.pixels.shape[1] - 2 * MARGIN
    sheet.text(MARGIN, 32, shorten(note, 12, width), colour=SOFT)
    entries = [("query", QUERY), ("same identity", POSITIVE), ("another identity", NEGATIVE)]
    sheet.legend(MARGIN, 53, entries)


def _tile(
    sheet: Canvas, x: int, y: int, split, index: int, colour: Colour, lines: tuple[str, str]
) -> None:
    sheet.image(x, y, fit(read_crop(split, int(index)), TILE_HEIGHT, TILE_WIDTH))
    sheet.frame(x, y, TILE_WIDTH, TILE_HEIGHT, colour)
    sheet.text(x - 2, y + TILE_HEIGHT + 5, lines[0], size=12, colour=colour, bold=True)
    sheet.text(x - 2, y + TILE_HEIGHT + 21, shorten(lines[1], 11, STEP - 3), size=11, colour=INK)
