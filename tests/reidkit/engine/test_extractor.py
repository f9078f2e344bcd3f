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
@pytest.mark.slow
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


@pytest.mark.slow
def test_every_form_of_a_crop_gives_its_embedding(tiny_run):
    run = tiny_run("eanet/pcb", 'data.tests=["source"]')
    extractor = reidkit.load(run.folder)
    split = run.domains.split("source", "query")
    files = [split.file(row) for row in range(3)]
    arrays = [decode_rgb(read_bytes(file)) for file in files]
    wanted = extractor(arrays).vectors
    frame = np.zeros((300, 200, 3), np.uint8)
    height, width = arrays[1].shape[:2]
    frame[10 : 10 + height, 20 : 20 + width] = arrays[1]
    box = [20, 10, 20 + width, 10 + height]
    forms = {
        "files": (extractor(files), wanted),
        "one by one": (extractor(files, batch_size=1), wanted),
        "mixed": (extractor([files[0], Image.fromarray(arrays[1]), arrays[2]]), wanted),
        "one array": (extractor(np.stack([arrays[0], arrays[0]])), wanted[[0, 0]]),
        "one image": (extractor(arrays[1]), wanted[1:2]),
        "boxes": (extractor(frame, boxes=[box, box], cameras=3), wanted[[1, 1]]),
    }
    for name, (embedding, vectors) in forms.items():
        assert torch.allclose(embedding.vectors, vectors, atol=1e-6), name


@pytest.mark.slow
def test_what_cannot_be_embedded(tiny_run):
    extractor = reidkit.load(tiny_run().folder)
    image = np.zeros((8, 4, 3), np.uint8)
    for images, options, text in (
        ([], {}, "at least one image"),
        ([image, image[..., :1]], {}, r"image 1 must be \(H, W, 3\) uint8, got \(8, 4, 1\)"),
        ([image, image[:0], image], {}, "image 1 is empty"),
        ([image], dict(cameras=[1, 2]), "2 cameras for 1 images"),
        ([image], dict(cameras=["a"]), "cameras must be whole numbers"),
        ([image], dict(cameras=[1.5]), "cameras must be whole numbers"),
        ([image], dict(batch_size=0), "batch_size must be a whole number of at least 1"),
        (image, dict(boxes=[[9, 9, 12, 12]]), r"box 0 .* lies outside the frame of 4x8 pixels"),
    ):
        with pytest.raises(ValueError, match=text):
            extractor(images, **options)
