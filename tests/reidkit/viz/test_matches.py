"""The sheet of local matches draws lines between the cells that the matcher names."""

import cv2
import numpy as np
import torch

from reidkit.data.split import Split
from reidkit.evaluation import Matcher
from reidkit.structures import Correspondences, Embedding
from reidkit.viz import match_sheet, matches
from reidkit.viz.ranks import MARGIN


class CornerMatcher(Matcher):
    """Orders by the mean of the maps and says that the upper left cell lies at the lower right."""

    def prepare(self, embedding, side):
        return Embedding(embedding.maps.mean((1, 2, 3))[:, None, None])

    def compare(self, query, gallery, out=None):
        return (query.vectors[:, 0] - gallery.vectors[:, 0].T).abs()

    def correspondences(self, query, gallery):
        return Correspondences(torch.tensor([[0, 7]]), torch.ones(1), torch.ones(1), (4, 2))


def side(folder, name, identities, camera, values):
    paths = tuple(f"{name}_{i}.png" for i in range(len(identities)))
    for path in paths:
        cv2.imwrite(str(folder / path), np.full((32, 16, 3), 255, np.uint8))
    split = Split("toy", name, folder, paths, identities, [camera] * len(identities))
    return split, Embedding(maps=torch.tensor(values)[:, None, None, None].expand(-1, 1, 4, 2))


def test_lines_join_the_named_cells(tmp_path):
    query, mine = side(tmp_path, "query", [5], 0, [1.0])
    gallery, theirs = side(tmp_path, "gallery", [4, 5, 4], 1, [9.0, 3.0, 2.0])
    path = tmp_path / "sheet.png"
    match_sheet(path, query, gallery, mine, theirs, CornerMatcher(), rows=3)
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    width = matches.HEIGHT // 2
    pair = 2 * width + matches.BETWEEN
    red = np.array(matches._rainbow(0.0))
    for column in range(2):  # positive, negative
        left = MARGIN + column * (pair + matches.APART)
        start = (left + width / 4, matches.HEAD + matches.HEIGHT / 8)
        end = (
            left + width + matches.BETWEEN + width * 3 / 4,
            matches.HEAD + matches.HEIGHT * 7 / 8,
        )
        for share in (0.0, 0.4, 0.5, 1.0):
            x, y = (round(a + share * (b - a)) for a, b in zip(start, end, strict=True))
            assert (np.abs(picture[y, x].astype(int) - red) < 3).all(), (column, share)


def test_a_query_without_a_negative_has_one_pair(tmp_path):
    query, mine = side(tmp_path, "query", [5], 0, [1.0])
    gallery, theirs = side(tmp_path, "gallery", [5], 1, [3.0])
    match_sheet(tmp_path / "a.png", query, gallery, mine, theirs, CornerMatcher())
    picture = cv2.imread(str(tmp_path / "a.png"))
    middle = MARGIN + matches.HEIGHT + matches.BETWEEN + matches.APART // 2
    assert (picture[matches.HEAD :, middle:] == 255).all()
