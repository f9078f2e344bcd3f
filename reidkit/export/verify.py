"""What an exported file is worth: against the model on the same crops, and on the run's test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reidkit.data.decode import resize_into
from reidkit.data.tracklets import TrackletSplit
from reidkit.engine.crop_inputs import as_crops
from reidkit.engine.evaluate import evaluate
from reidkit.engine.run import Run
from reidkit.errors import UserError
from reidkit.export.graph import JOINTS, Graph
from reidkit.export.session import Session
from reidkit.structures import Embedding, Field, ReIDBatch

CROPS = 32
TOLERANCE = 1e-4  # of 1 - cosine, in float32


def test_crops(run: Run, count: int) -> tuple[list[NDArray[np.uint8]], str]:
    """Queries of a run's first test set, evenly taken, and the name of the split.

    Args:
        run: whose data is here, or can be made.
        count: at most.

    Raises:
        UserError: a run without a test set, or data that is missing.
    """
    if not run.cfg.data.tests:
        raise UserError("this model names no test set; choose one with data=NAME")
    split = run.domains.split(run.cfg.data.tests[0], "query")
    if isinstance(split, TrackletSplit):
        split = split.crops()
    rows = np.linspace(0, len(split) - 1, min(count, len(split))).astype(int)
    files = [str(split.file(row)) for row in rows]
    return [crop.pixels for crop in as_crops(files)], f"{split.dataset}/{split.name}"


def drawn_crops(count: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Crops with structure at the scale of limbs, of different sizes, the same every time."""
    rng = np.random.default_rng(seed)
    crops = []
    for number in range(count):
        coarse = rng.integers(0, 256, (12, 6, 3), dtype=np.uint8)
        crop = np.empty((90 + 7 * (number % 5), 40 + 5 * (number % 3), 3), np.uint8)
        resize_into(crop, coarse)
        crops.append(crop)
    return crops


def drawn_joints(crops: Sequence[NDArray[np.uint8]], seed: int = 0) -> Tensor:
    """Keypoints (N, 17, 3) float32 anywhere in each crop, a fifth of them unsure."""
    rng = np.random.default_rng(seed)
    shares = rng.random((len(crops), JOINTS, 3))
    shares[..., 2] = np.where(shares[..., 2] < 0.2, 0.05, shares[..., 2])
    sizes = np.array([[crop.shape[1], crop.shape[0], 1] for crop in crops])
    return torch.from_numpy((shares * sizes[:, None]).astype(np.float32))


def inputs_of(graph: Graph, crop: NDArray[np.uint8], joints: Tensor | None) -> list[Tensor]:
    """One crop, and its keypoints (17, 3), as an exported graph takes them."""
    if not graph.any_size:
        small = np.empty((*graph.size, 3), np.uint8)
        resize_into(small, crop, graph.resize)
        if joints is not None:
            factors = [graph.size[1] / crop.shape[1], graph.size[0] / crop.shape[0], 1.0]
            joints = joints * torch.tensor(factors)
        crop = small
    pixels = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))[None]
    return as_taken(graph, pixels) + ([] if joints is None else [joints[None].float()])


def as_taken(graph: Graph, pixels: Tensor) -> list[Tensor]:
    """uint8 images as a graph's ``pixels`` says."""
    if graph.pixels == "uint8":
        return [pixels]
    values = pixels.float() / 255
    return [(values - graph.mean) / graph.std if graph.pixels == "imagenet" else values]


def parity(
    run: Run, graph: Graph, session: Session, crops: Sequence[NDArray[np.uint8]], keypoints: bool
) -> dict[str, float]:
    """How far a file's outputs are from the model's on the same crops, resizing included.

    Args:
        run: with the model.
        graph: that was exported.
        session: runs the file.
        crops: of any size.
        keypoints: whether the model takes them; they are drawn.

    Returns:
        Output -> largest ``1 - cosine`` of an image ("embedding", "maps"), or largest difference
        ("visibility").
    """
    joints = drawn_joints(crops) if keypoints else None
    worst: dict[str, float] = {}
    for number, crop in enumerate(crops):
        points = None if joints is None else joints[number]
        wanted = graph.flat(run.model.embed(_batch(run, crop, points)))
        found = session(*inputs_of(graph, crop, points))
        for name, value in wanted.items():
            gap = _gap(name, value.float().cpu(), found[name].float())
            worst[name] = max(worst.get(name, 0.0), gap)
    return worst


def _batch(run: Run, crop: NDArray[np.uint8], joints: Tensor | None) -> ReIDBatch:
    """A crop as the run's test reads it."""
    small = np.empty((*run.cfg.input.size, 3), np.uint8)
    resize_into(small, crop, run.cfg.input.resize)
    fields = dict(image_sizes=Field(torch.tensor([crop.shape[:2]])))
    if joints is not None:
        fields["keypoints"] = Field(joints[None].double())
    return ReIDBatch(torch.from_numpy(small).permute(2, 0, 1)[None], fields=fields)


def _gap(name: str, wanted: Tensor, found: Tensor) -> float:
    if name == "visibility":
        return float((wanted - found).abs().max())
    cosine = nn.functional.cosine_similarity(
        wanted.double().flatten(1), found.double().flatten(1), dim=1
    )
    return float((1 - cosine).max())


class Exported(nn.Module):
    """A file in the place of its model, for the run's own test.

    Args:
        model: whose matcher compares.
        graph: that was exported.
        session: runs the file.
        parts: number of part vectors; 0 for maps.
    """

    def __init__(self, model: Any, graph: Graph, session: Session, parts: int):
        super().__init__()
        self.matcher, self.graph, self.session, self.parts = model.matcher, graph, session, parts
        self.place = nn.Parameter(torch.zeros(()), requires_grad=False)  # on the processor

    @torch.no_grad()
    def embed(self, batch: ReIDBatch) -> Embedding:
        """The embedding of loaded images, or of the frames of clips, joined by their mean."""
        flat = batch.by_frame()
        inputs = as_taken(self.graph, flat.images)
        if "keypoints" in flat:
            height, width = flat.images.shape[2:]
            sizes = flat["image_sizes"].double()
            ones = torch.ones(len(sizes), dtype=torch.float64)
            factors = torch.stack([width / sizes[:, 1], height / sizes[:, 0], ones], 1)
            inputs.append((flat["keypoints"] * factors[:, None]).float())
        out = self.session(*inputs)
        vectors = out["embedding"].float().unflatten(1, (self.parts, -1)) if self.parts else None
        maps = out["maps"].float() if "maps" in out else None
        embedding = Embedding(vectors, out.get("visibility"), maps)
        if flat.frames == 1:
            return embedding
        return embedding.join(torch.arange(len(embedding)) // flat.frames)


def test_gap(run: Run, exported: Exported, say: Callable[[str], None]) -> dict[str, Any]:
    """mAP of the model and of the file on the run's own test sets, in points.

    Args:
        run: with the model.
        exported: the file.
        say: takes a line for each test set.
    """
    before = {test.domain: test for test in evaluate(run.cfg, run.model, run.domains)}
    after = evaluate(run.cfg, exported, run.domains)
    out = {}
    for test in after:
        pair = [100 * one.result.metrics["mAP"] for one in (before[test.domain], test)]
        out[test.domain] = dict(
            data=test.query.dataset, model=pair[0], file=pair[1], difference=pair[1] - pair[0]
        )
        say(
            f"mAP on {test.query.dataset}: model {pair[0]:.3f}, file {pair[1]:.3f}, "
            f"difference {pair[1] - pair[0]:+.3f} points"
        )
    return out
