"""Resizing inside a graph is that of the readers; what goes out is what matchers compare."""

import cv2
import numpy as np
import pytest
import torch

from reidkit.data.decode import resize_into
from reidkit.evaluation import CosineMatcher
from reidkit.export.graph import Graph, labels_of
from reidkit.structures import Embedding


@pytest.mark.parametrize("resize", ["cv2", "pil"])
@pytest.mark.parametrize("old", [(128, 64), (90, 41), (37, 100), (512, 200)])
def test_resizing_is_that_of_the_readers(resize, old):
    rng = np.random.default_rng(3)
    image = cv2.resize(rng.integers(0, 256, (12, 6, 3), np.uint8), old[::-1])
    wanted = np.empty((96, 32, 3), np.uint8)
    resize_into(wanted, image, resize)
    graph = Graph(torch.nn.Identity(), (96, 32), resize, "uint8")
    found = graph.resized(torch.from_numpy(image).permute(2, 0, 1)[None])
    gap = found[0].permute(1, 2, 0).numpy() - wanted
    assert np.abs(gap).max() <= 1  # both round; at halves either way
    assert np.mean(gap != 0) < {"cv2": 0.005, "pil": 0.06}[resize]


def test_every_kind_of_pixels_is_the_same_picture():
    bytes_in = torch.randint(0, 256, (2, 3, 8, 4), dtype=torch.uint8)
    graphs = {name: Graph(torch.nn.Identity(), (8, 4), "cv2", name) for name in ("uint8", "float")}
    graphs["imagenet"] = Graph(torch.nn.Identity(), (8, 4), "cv2", "imagenet", any_size=False)
    shares = bytes_in.float() / 255
    mean, std = graphs["imagenet"].mean, graphs["imagenet"].std
    given = dict(uint8=bytes_in, float=shares, imagenet=(shares - mean) / std)
    for name, graph in graphs.items():
        assert torch.equal(graph.resized(given[name]), bytes_in.float()), name
    with pytest.raises(ValueError, match="pixels must be one of float, uint8, imagenet"):
        Graph(torch.nn.Identity(), (8, 4), pixels="bgr")


def test_the_cosine_of_whole_embeddings_is_that_of_the_matcher():
    embedding = Embedding(torch.rand(5, 3, 8) * torch.tensor([1.0, 5.0, 9.0])[:, None])
    flat = Graph(torch.nn.Identity(), (8, 4), unit=True).flat(embedding)["embedding"]
    assert torch.allclose(1 - flat @ flat.T, CosineMatcher()(embedding, embedding), atol=1e-5)


def test_a_model_that_asks_for_more_is_refused():
    class Model:
        def inputs(self, domain):
            return {"keypoints", "text"}

    with pytest.raises(Exception, match="asks for text beside every image"):
        labels_of(Model())
