"""The ranked-list sheet frames what the ranking found."""

import cv2
import numpy as np
import pytest
import torch

from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher, Labels, match_labels, top_matches
from reidkit.evaluation.protocols import PROTOCOLS
from reidkit.structures import Embedding
from reidkit.viz import nearest, rank_sheet, ranks


def make_split(folder, name, identities, cameras, boxes=None) -> Split:
    paths = tuple(f"{name}_{i:03d}.png" for i in range(len(identities)))
    for i, path in enumerate(paths):
        cv2.imwrite(str(folder / path), np.full((32, 16, 3), 10 * i % 250, np.uint8))
    return Split("toy", name, folder, paths, np.array(identities), np.array(cameras), boxes=boxes)


def vectors(count, seed):
    return Embedding(torch.randn(count, 1, 4, generator=torch.Generator().manual_seed(seed)))


def frames(picture, rows, k):
    """Colours of the frames, read where a tile's left edge is."""
    found = []
    for row in range(rows):
        y = ranks.HEAD + row * ranks.ROW + ranks.TILE_HEIGHT // 2
        x = [ranks.MARGIN + (i + 1) * ranks.STEP + ranks.GAP - 2 for i in range(k)]
        found.append([tuple(picture[y, place].tolist()) for place in x])
    return found


def read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def test_frames_show_right_and_wrong_and_junk_is_skipped(tmp_path):
    people = [1, 2, 3]
    query = make_split(tmp_path, "query", people, [0, 0, 0])
    identities, cameras = people * 4 + [-1, 0], [0, 1, 2, 1, 2, 0, 2, 0, 1, 1, 1, 1, 5, 5]
    gallery = make_split(tmp_path, "gallery", identities, cameras)
    sides = vectors(3, 0), vectors(14, 1)
    rank_sheet(tmp_path / "sheet.png", query, gallery, *sides, CosineMatcher(), k=6, rows=5)
    labels = [Labels(s.identities, s.cameras) for s in (query, gallery)]
    truth = match_labels(PROTOCOLS["market"], *labels)
    found, _ = top_matches(*sides, CosineMatcher(), truth, k=6)
    wanted = [
        [nearest.POSITIVE if identities[g] == p else nearest.NEGATIVE for g in row]
        for p, row in zip(people, found, strict=True)
    ]
    assert frames(read(tmp_path / "sheet.png"), 3, 6) == wanted
    colours = {colour for row in wanted for colour in row}
    assert colours == {nearest.POSITIVE, nearest.NEGATIVE}


def test_short_rankings_leave_the_rest_of_the_row_white(tmp_path):
    query = make_split(tmp_path, "query", [1], [0])
    gallery = make_split(tmp_path, "gallery", [1, 2], [1, 1])
    sides = vectors(1, 0), vectors(2, 1)
    rank_sheet(tmp_path / "sheet.png", query, gallery, *sides, CosineMatcher(), k=3)
    row = frames(read(tmp_path / "sheet.png"), 1, 3)[0]
    assert set(row[:2]) == {nearest.POSITIVE, nearest.NEGATIVE} and row[2] == (255, 255, 255)


def test_the_choice_of_queries_follows_the_seed_and_skips_invalid_ones(tmp_path):
    labels = (
        Labels(np.array([1] * 30 + [9]), np.zeros(31, int)),
        Labels(np.array([1]), np.array([1])),
    )
    truth = match_labels(PROTOCOLS["market"], *labels)
    first, again, other = (nearest._choose(truth, 8, seed).tolist() for seed in (0, 0, 1))
    assert first == again != other and first == sorted(set(first)) and len(first) == 8
    assert 30 not in nearest._choose(truth, 31, 0)


def test_boxes_cut_the_crop_out(tmp_path):
    split = make_split(tmp_path, "query", [1], [0], boxes=np.array([[4, 8, 6, 10]]))
    image = np.zeros((32, 16, 3), np.uint8)
    image[8:18, 4:10] = 255
    cv2.imwrite(str(tmp_path / split.paths[0]), image)
    crop = ranks.read_crop(split, 0)
    assert crop.shape == (10, 6, 3) and crop.min() == 255


def test_an_unreadable_image_is_named(tmp_path):
    query = make_split(tmp_path, "query", [1], [0])
    gallery = make_split(tmp_path, "gallery", [1], [1])
    (tmp_path / gallery.paths[0]).unlink()
    with pytest.raises(UserError, match="gallery_000.png: cannot be read"):
        rank_sheet(
            tmp_path / "sheet.png", query, gallery, vectors(1, 0), vectors(1, 1), CosineMatcher()
        )
    assert not (tmp_path / "sheet.png").exists()
