"""What trackers of other libraries are given: unit vectors for the boxes of a frame."""

import types

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.structures import Embedding
from reidkit.tracks import Appearance


class CropModel:
    """The colour of a crop's first pixel, twice: two parts."""

    name = "toy"

    def __init__(self, maps=False):
        self.maps = maps

    def __call__(self, image, boxes):
        rows = [image[int(y), int(x)] + 1.0 for x, y, _, _ in boxes]
        made = torch.tensor(np.array(rows), dtype=torch.float32)
        return (
            Embedding(maps=made[:, :, None, None])
            if self.maps
            else Embedding(torch.stack([made, 2 * made], 1))
        )


FRAME = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
BOXES = np.array([[1, 2, 10, 15], [12, 3, 20, 19]])


def test_vectors_are_of_length_one_and_of_rgb():
    appearance = Appearance(CropModel())
    vectors = appearance(FRAME, BOXES)
    assert vectors.shape == (2, 6) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1])
    rgb = FRAME[2, 1, ::-1] + 1.0
    assert vectors[0, :3] / vectors[0, 0] == pytest.approx(rgb / rgb[0])
    assert np.array_equal(appearance.get_features(BOXES, FRAME), vectors)
    same = Appearance(CropModel(), bgr=False)(FRAME[..., ::-1], BOXES)
    assert np.array_equal(same, vectors)


def test_detections_and_frames_without_any():
    appearance = Appearance(CropModel())
    assert len(appearance(FRAME, types.SimpleNamespace(xyxy=BOXES))) == 2
    assert appearance(FRAME, np.empty((0, 4))).shape == (0, 6) == (0, appearance.embedding_dim)


def test_frames_as_boxmot_gives_them():
    image = torch.from_numpy(FRAME[..., ::-1].copy()).permute(2, 0, 1)
    frame = types.SimpleNamespace(image=image)
    boxes = types.SimpleNamespace(geometry=types.SimpleNamespace(values=torch.tensor(BOXES)))
    appearance = Appearance(CropModel())
    made = appearance.encode([frame, frame], [boxes, boxes])
    assert len(made) == 2 and np.array_equal(made[0].numpy(), appearance(FRAME, BOXES))


def test_maps_are_refused():
    with pytest.raises(UserError, match="compares maps"):
        Appearance(CropModel(maps=True))(FRAME, BOXES)
