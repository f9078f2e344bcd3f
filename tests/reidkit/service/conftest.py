"""A service of a gallery whose model is a thumbnail."""

import io

import cv2
import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from reidkit.evaluation import CosineMatcher
from reidkit.gallery import EmbeddingsOnly, Gallery
from reidkit.service import Limits, Tokens, application
from reidkit.structures import Embedding

TOKEN = "0123456789abcdef0123456789abcdef"


class Thumbnail(EmbeddingsOnly):
    """A model whose embedding is the crop at 4x4 pixels, without its mean."""

    def __call__(self, images, batch_size=64, cameras=None):
        small = [cv2.resize(image, (4, 4), interpolation=cv2.INTER_AREA) for image in images]
        vectors = torch.from_numpy(np.stack(small)).float().flatten(1) / 255
        return Embedding((vectors - vectors.mean(1, keepdim=True))[:, None])


def picture(seed, size=(32, 16), kind="PNG"):
    """A file of blocks of random colours, as a part of an upload."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(blocks).resize(size[::-1], Image.Resampling.NEAREST).save(out, kind)
    return ("images", (f"secret-{seed}.png", out.getvalue(), "image/png"))


@pytest.fixture
def gallery(tmp_path):
    return Gallery(tmp_path / "people", Thumbnail("thumbnail 1", CosineMatcher()))


@pytest.fixture
def service(gallery):
    """Makes a client of the gallery's service, which needs a token and has one."""
    clients = []

    def make(**limits):
        tokens = Tokens.parse(f"door {TOKEN}", "a test")
        app = application(gallery, tokens, Limits(**limits))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        client = TestClient(app, "http://127.0.0.1", headers=headers)
        clients.append(client.__enter__())
        return client

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(service):
    return service()
