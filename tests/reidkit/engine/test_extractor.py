"""Images from Python give the embeddings of the run's own test, to the last bit."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

import reidkit
from reidkit.data.decode import decode_rgb, read_bytes
from reidkit.engine.evaluate import build_evaluator, embed_test
from reidkit.registry import LABELLERS


@LABELLERS.register_module()
class CornersLabeller:
    """Joints in float64 from the crop's size and brightness; counts how often it is built."""

    built = 0

    def __init__(self):
        type(self).built += 1
        self.provenance = dict(config="corners", weights_sha256="none")

    def label(self, images):
        joints = []
        for image in images:
            height, width = image.shape[:2]
            x = np.linspace(0.1, 0.9, 17) * width
            y = np.linspace(1 / 3, 0.95, 17) * height
            joints.append(np.stack([x, y, np.full(17, image.mean() / 256)], 1))
        return np.stack(joints)


def crops(split, resize: str) -> list[np.ndarray]:
    """The files of a split, decoded as a run with this ``resize`` decodes them."""
    data = [read_bytes(split.file(row)) for row in range(len(split))]
    if resize == "pil":
        return [np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in data]
    return [decode_rgb(one) for one in data]


@pytest.mark.parametrize("resize", ["cv2", "pil"])
@pytest.mark.parametrize(
    ("config", "labeller"),
    [("eanet/pcb", None), ("eanet/pap", "TopdownLabeller"), ("eanet/pap", "CornersLabeller")],
)
def test_equal_to_the_runs_own_embeddings(tiny_run, config, labeller, resize):
    overrides = [f"input.resize={resize}", 'data.tests=["source"]']
    if labeller == "CornersLabeller":
        overrides.append("data.labeller=CornersLabeller")
    run = tiny_run(config, *overrides)
    sides = embed_test(run.cfg, run.model, run.domains, "source", build_evaluator(run.cfg))
    CornersLabeller.built = 0
    extractor = reidkit.load(run.folder)
    for wanted, split in (sides["query"], sides["gallery"]):
        embedding = extractor(crops(split, resize))
        assert torch.equal(embedding.vectors, wanted.vectors)
        if wanted.visibility is not None:
            assert torch.equal(embedding.visibility, wanted.visibility)
    assert CornersLabeller.built == (labeller == "CornersLabeller")


def test_what_cannot_be_embedded(tiny_run):
    extractor = reidkit.load(tiny_run().folder)
    image = np.zeros((8, 4, 3), np.uint8)
    for images, cameras, text in (
        ([], None, "at least one image"),
        ([image, image[..., :1]], None, r"image 1 must be \(H, W, 3\) uint8, got \(8, 4, 1\)"),
        ([image.astype(np.float32)], None, "got .* float32"),
        ([image], [1, 2], "2 cameras for 1 images"),
    ):
        with pytest.raises(ValueError, match=text):
            extractor(images, cameras=cameras)
