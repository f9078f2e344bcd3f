"""Recordings of coloured people, and a model that sees their colour."""

import cv2
import numpy as np
import pytest
import torch

from reidkit.evaluation import CosineMatcher
from reidkit.structures import Embedding

HEIGHT, WIDTH = 64, 96
COLOURS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220)}


class MapMatcher(torch.nn.Module):
    """The cosine distance of maps of one cell."""

    def forward(self, query, gallery):
        return CosineMatcher()(*(Embedding(one.maps[:, :, 0].mT) for one in (query, gallery)))


class ColourModel:
    """The mean colour of a crop as its embedding; as maps of one cell where ``maps`` says so."""

    name, open_set = "colours", None

    def __init__(self, maps=False):
        self.maps, self.seen = maps, 0
        self.matcher = MapMatcher() if maps else CosineMatcher()

    def __call__(self, images, batch_size=64, cameras=None):
        self.seen += len(images)
        rows = torch.tensor(np.array([one.reshape(-1, 3).mean(0) for one in images]) - 60.0)
        rows = rows.float()
        return Embedding(maps=rows[:, :, None, None]) if self.maps else Embedding(rows[:, None])


def write_camera(folder, boxes, rate=10):
    """A MOT sequence without ground truth, and ``tracks.txt``.

    ``boxes``: (frame, track, colour, left), left from 0; a person is 16 x 40 pixels.
    """
    (folder / "img1").mkdir(parents=True)
    lines = []
    for frame in range(1, max(box[0] for box in boxes) + 1):
        image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        for _, track, colour, left in [box for box in boxes if box[0] == frame]:
            image[10:50, left : left + 16] = COLOURS[colour]
            lines.append(f"{frame},{track},{left + 1},11,16,40,0.{50 + track},-1,-1,-1")
        cv2.imwrite(str(folder / f"img1/{frame:06d}.png"), image[..., ::-1])
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nimDir=img1\nframeRate={rate}\nimWidth={WIDTH}\nimHeight={HEIGHT}\n"
    )
    (folder / "tracks.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def two_cameras(tmp_path):
    """Red and green in a broken track at camera a; green, blue and red later at camera b."""
    a = [(f, 1, "red", 4) for f in (1, 2)] + [(f, 5, "green", 40) for f in (1, 2, 3, 4)]
    a += [(f, 7, "red", 6) for f in (4, 5)]
    b = [(f, 1, "green", 2) for f in (3, 4)] + [(f, 2, "blue", 30) for f in (3, 4, 5)]
    b += [(f, 3, "red", 60) for f in (4, 5, 6)]
    return [write_camera(tmp_path / "a", a), write_camera(tmp_path / "b", b)]
