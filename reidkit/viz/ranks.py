"""Ranked lists as pictures: each row a query and the gallery images closest to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from reidkit.data.decode import decode_rgb, read_bytes
from reidkit.data.identities import DISTRACTOR
from reidkit.evaluation.labelled import Labels
from reidkit.evaluation.metrics.ranked import average_precision
from reidkit.evaluation.protocols import GroundTruth, find_protocol, match_labels
from reidkit.evaluation.ranking.ranks import rank_positives, top_matches
from reidkit.structures import Embedding
from reidkit.viz.canvas import INK, SOFT, Canvas, Colour, fit, shorten

RIGHT: Colour = (30, 140, 60)
WRONG: Colour = (205, 40, 40)
QUERY: Colour = (40, 80, 170)
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
    """Draw random valid queries with their k closest gallery images, right and wrong framed.

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
    rules = find_protocol(protocol)
    sides = [_labels(split) for split in (query_split, gallery_split)]
    chosen = _choose(match_labels(rules, *sides), rows, seed)
    labels = _labels(query_split, chosen)
    truth = match_labels(rules, labels, sides[1])
    queries = query_emb[torch.from_numpy(chosen)]
    places, distances = top_matches(queries, gallery_emb, matcher, truth, k)
    precision = _precision(queries, gallery_emb, matcher, truth)

    sheet = Canvas(2 * MARGIN + (k + 1) * STEP + GAP, HEAD + len(chosen) * ROW + MARGIN // 2)
    _head(sheet, query_split, len(chosen), truth, matcher, k)
    for row, query in enumerate(chosen):
        y = HEAD + row * ROW
        lines = (f"AP {100 * precision[row]:.1f} %", _person(labels, row))
        _tile(sheet, MARGIN, y, query_split, query, QUERY, lines)
        for place, index in enumerate(places[row]):
            if index < 0:
                break
            right = sides[1].identities[index] == labels.identities[row]
            lines = (
                f"{'✓' if right else '✗'} {distances[row, place]:.3f}",
                _person(sides[1], index),
            )
            x = MARGIN + (place + 1) * STEP + GAP
            _tile(sheet, x, y, gallery_split, index, RIGHT if right else WRONG, lines)
    sheet.save(path)


def read_crop(split, index: int) -> np.ndarray:
    """One crop of a split as stored, (H, W, 3) uint8 RGB, cut out if the split has boxes."""
    address = str(split.root / split.paths[index])
    image = decode_rgb(read_bytes(address), address)
    if getattr(split, "boxes", None) is None:
        return image
    x, y, width, height = (int(v) for v in split.boxes[index])
    return image[max(y, 0) : y + height, max(x, 0) : x + width]


def _labels(split, rows: np.ndarray | None = None) -> Labels:
    keep = np.arange(len(split.paths)) if rows is None else rows
    files = [f"{split.root}/{split.paths[i]}" for i in keep]
    return Labels(split.identities[keep], split.cameras[keep], files)


def _choose(truth: GroundTruth, rows: int, seed: int) -> np.ndarray:
    """Some of the valid queries, ascending; of all queries if none is valid."""
    valid = truth.valid if len(truth.valid) else np.arange(len(truth.n_positives))
    picked = np.random.default_rng(seed).choice(valid, min(rows, len(valid)), replace=False)
    return np.sort(picked)


def _precision(
    queries: Embedding, gallery: Embedding, matcher: nn.Module, truth: GroundTruth
) -> np.ndarray:
    """Average precision of each query; NaN for invalid ones."""
    out = np.full(len(queries), np.nan)
    if len(truth.valid):
        ranks = rank_positives(queries, gallery, truth, matcher)
        out[truth.valid] = average_precision(ranks.ranks, ranks.starts)
    return out


def _head(sheet: Canvas, split, count: int, truth: GroundTruth, matcher: nn.Module, k: int) -> None:
    title = f"{split.dataset}: the {k} closest of {truth.n_gallery:,} gallery images"
    sheet.text(MARGIN, 8, title, size=16, bold=True)
    note = (
        f"{count} random queries. Distance by {type(matcher).__name__}, small is close. Left out: "
        "images of the query's identity under its own camera."
    )
    width = sheet.pixels.shape[1] - 2 * MARGIN
    sheet.text(MARGIN, 32, shorten(note, 12, width), colour=SOFT)
    entries = [("query", QUERY), ("same identity", RIGHT), ("another identity", WRONG)]
    sheet.legend(MARGIN, 53, entries)


def _tile(
    sheet: Canvas, x: int, y: int, split, index: int, colour: Colour, lines: tuple[str, str]
) -> None:
    sheet.image(x, y, fit(read_crop(split, int(index)), TILE_HEIGHT, TILE_WIDTH))
    sheet.frame(x, y, TILE_WIDTH, TILE_HEIGHT, colour)
    sheet.text(x - 2, y + TILE_HEIGHT + 5, lines[0], size=12, colour=colour, bold=True)
    sheet.text(x - 2, y + TILE_HEIGHT + 21, shorten(lines[1], 11, STEP - 3), size=11, colour=INK)


def _person(labels: Labels, index: int) -> str:
    identity, camera = labels.identities[index], labels.cameras[index]
    return f"{'distr.' if identity == DISTRACTOR else f'id {identity}'} cam {camera}"
