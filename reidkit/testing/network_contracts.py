"""Contracts of what computes on tensors: backbones, heads, losses, matchers, whole models."""

from __future__ import annotations

import copy
import inspect
import math
from typing import Any

import numpy as np
import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.models.preprocess import ReIDPreprocessor
from reidkit.registry import LOSS_INPUTS
from reidkit.structures import Embedding, HeadOutput, ImageMeta
from reidkit.testing.fakes import (
    REGIONS,
    FakeMatcher,
    UnitMatcher,
    fake_batch,
    fake_domains,
    fake_embedding,
    fake_features,
    fake_images,
)
from reidkit.testing.requirements import Build, finite, reached, require

IDENTITIES = 5  # as few heads have parts, so that logits the wrong way round are seen


def check_backbone(build: Build) -> str:
    """Maps are those of ``specs``, in order, with their channels and strides."""
    net = build(input_size=(64, 32)).train()
    images = torch.rand(2, 3, 64, 32).requires_grad_()
    maps = net(images)
    require(list(maps) == list(net.specs), f"maps {list(maps)}, specs {list(net.specs)}")
    for name, spec in net.specs.items():
        shape = (2, spec.channels, *spec.map_size((64, 32)))
        require(maps[name].shape == shape, f"{name} is {tuple(maps[name].shape)}, not {shape}")
        finite(maps[name], name)
    (maps[name] * torch.randn_like(maps[name])).sum().backward()
    reached({"images": images}, "the images")
    return "maps and gradients checked"


def check_head(build: Build) -> str:
    """A HeadOutput: finite, with N rows; gradients reach the maps; float64 agrees in eval mode."""
    specs, maps = fake_features()
    batch = fake_batch(identities=IDENTITIES)
    size = tuple(maps["deep"].shape[2:])
    head = build(features=specs, num_identities=IDENTITIES, map_size=size).train()
    total = sum(
        ((t * torch.randn_like(t)).sum() for t in _outputs(head(maps, batch))), torch.zeros(())
    )
    require(total.requires_grad, "nothing of the output depends on the maps")
    total.backward()
    reached(maps, "the maps")
    single = list(_outputs(head.eval()(maps, batch)))
    doubled = copy.deepcopy(head).double()
    double = list(_outputs(doubled({name: m.double() for name, m in maps.items()}, batch)))
    for one, two in zip(single, double, strict=True):
        close = torch.allclose(one.double(), two.double(), rtol=1e-3, atol=1e-3)
        require(close, "float32 and float64 differ")
    return "output, gradients and float64 checked"


def _outputs(output: HeadOutput) -> list[Tensor]:
    """Vectors, maps and logits of a head's output, each finite and with N = 8 rows."""
    require(isinstance(output, HeadOutput), f"expected a HeadOutput, got {type(output).__name__}")
    e = output.embedding
    named = {"logits": output.logits}
    named |= {"vectors": e.vectors, "maps": e.maps} if e is not None else {}
    found = {name: tensor for name, tensor in named.items() if tensor is not None}
    for name, tensor in found.items():
        require(len(tensor) == 8, f"{name} has {len(tensor)} rows for 8 images")
        finite(tensor, name)
    if output.logits is not None and output.logits.ndim == 3:
        shape = tuple(output.logits.shape)
        require(
            shape[2] == IDENTITIES,
            f"logits are {shape}; (N, P, K) is wanted, with K = {IDENTITIES} identities last",
        )
    return list(found.values())


def check_loss(build: Build) -> str:
    """A finite scalar; gradients reach the inputs; float64 agrees."""
    specs, _ = fake_features()
    vectors = fake_embedding(1).vectors
    assert vectors is not None  # it has both kinds
    size = specs["deep"].map_size((192, 64))
    loss = build(features=specs, num_identities=IDENTITIES, map_size=size, width=vectors.numel())
    names = list(inspect.signature(loss.forward).parameters)
    unknown = [name for name in names if name not in LOSS_INPUTS]
    require(not unknown, f"forward asks for {unknown}; a loss may ask for {list(LOSS_INPUTS)}")
    if "weights" in names:
        return "not run: it acts on layers that only its head has"
    inputs = _loss_inputs("part_map" in names)
    declared = inspect.signature(type(loss)).parameters
    if hasattr(loss, "classifier_parameters") and "width" not in declared:
        # it keeps vectors itself: as wide as pooled maps
        pooled = torch.randn(
            8, 1, specs["deep"].channels, generator=torch.Generator().manual_seed(4)
        )
        inputs["vectors"] = pooled.requires_grad_()
    given = {name: inputs[name] for name in names}
    if any(True for _ in loss.buffers()):
        loss(**given)  # what it keeps between batches is filled
    before = copy.deepcopy(loss)
    value = loss(**given)
    shape = tuple(value.shape)
    require(shape == (), f"expected a scalar, of shape (), got shape {shape}; take the mean")
    finite(value, "the loss")
    value.backward()
    tensors = {n: t for n, t in given.items() if isinstance(t, Tensor)}
    reached({n: t for n, t in tensors.items() if t.requires_grad}, "the inputs")
    wide = {n: t.detach().double() if t.is_floating_point() else t for n, t in tensors.items()}
    double = before.double()(**{**given, **wide})
    close = torch.allclose(value.detach().double(), double.double(), rtol=1e-3, atol=1e-5)
    require(close, f"float32 gives {value.item()}, float64 {double.item()}")
    return "scalar, gradients and float64 checked"


def _loss_inputs(segments: bool) -> dict[str, Any]:
    """Everything a loss may ask for; logits of parts per cell if it wants a part map, else of K."""
    batch, embedding = fake_batch(identities=IDENTITIES), fake_embedding(8)
    shape = (8, 8, 24, 8) if segments else (8, REGIONS, IDENTITIES)
    source = torch.Generator().manual_seed(3)
    logits = torch.randn(*shape, generator=source)
    matcher = FakeMatcher()
    scores = matcher.scores(embedding, embedding)
    named = dict(vectors=embedding.vectors, maps=embedding.maps, logits=logits, scores=scores)
    named["attention"] = torch.randn(8, REGIONS, 32, generator=source).log_softmax(-1)
    inputs: dict[str, Any] = {n: t.requires_grad_() for n, t in named.items() if t is not None}
    inputs["matcher"] = matcher
    names = ("visibility", "identities", "cameras", "part_map", "keypoints", "masks")
    return {**inputs, **{name: getattr(batch, name) for name in names}}


def check_matcher(build: Build) -> str:
    """(q, g) float32 distances within the bounds; nothing is closer than itself; blocks agree."""
    matcher = build(map_size=(24, 8))
    query, gallery = fake_embedding(5, seed=1), fake_embedding(7, seed=2)
    with torch.no_grad():
        block = matcher(query, gallery)
        require(block.shape == (5, 7), f"expected shape (5, 7), got {tuple(block.shape)}")
        require(block.dtype == torch.float32, f"expected float32, got {block.dtype}")
        finite(block, "a distance")
        low, high = matcher.bounds
        inside = (block >= low - 1e-4).all() and (block <= high + 1e-4).all()
        require(inside, f"distances leave the bounds {matcher.bounds}")
        part = matcher(query[1:3], gallery[2:6])
        require(torch.allclose(part, block[1:3, 2:6], atol=1e-4), "a block differs from the whole")
        if isinstance(matcher, Matcher):
            ready = matcher.prepare(query, "query"), matcher.prepare(gallery, "gallery")
            for side in ready:
                kind = type(side).__name__
                require(isinstance(side, Prepared), f"prepare must give a Prepared, got {kind}")
            require([len(side) for side in ready] == [5, 7], "prepare changed the number of rows")
            whole, part = matcher.order(*ready), matcher.order(ready[0][1:3], ready[1][2:6])
            same = torch.allclose(part, whole[1:3, 2:6], atol=1e-4)
            require(same, "order differs between all that prepare returned and a slice of it")
        both = Embedding.cat([query, gallery])
        own = matcher(query, both)
        nearest = own.diagonal()
        require((nearest[:, None] <= own + 1e-3).all(), "another image is closer than the same one")
    return "distances checked"


def check_reranker(build: Build) -> str:
    """New embeddings of as many images, left as they were, and a matcher that keeps its contract.

    It sees cameras and times; distances must not depend on the size of the blocks.
    """
    step = build()
    sides = fake_embedding(6, seed=1), fake_embedding(30, seed=2)
    kept = copy.deepcopy(sides)
    clock = {6: np.arange(6) * 40.0, 30: np.arange(30) * 10.0}
    metas = [ImageMeta(np.arange(n) % 3, clock[n]) for n in (6, 30)]
    with torch.no_grad():
        query, gallery, matcher = step.rerank(*sides, UnitMatcher(), *metas)
        require((len(query), len(gallery)) == (6, 30), "the number of images changed")
        for side, before in zip(sides, kept, strict=True):
            same = all(torch.equal(getattr(side, n), t) for n, t in before._tensors().items())
            require(same, "the given embeddings were changed")
        found = matcher(query, gallery)
        require(found.shape == (6, 30), f"expected distances (6, 30), got {tuple(found.shape)}")
        require(found.dtype == torch.float32, f"expected float32, got {found.dtype}")
        finite(found, "a distance")
        low, high = matcher.bounds
        inside = (found >= low - 1e-4).all() and (found <= high + 1e-4).all()
        require(inside, f"distances leave the bounds {matcher.bounds}")
        part = torch.cat([matcher(query[rows], gallery) for rows in (slice(0, 1), slice(1, 6))])
        require(torch.allclose(part, found, atol=1e-4), "a block differs from the whole")
        if isinstance(matcher, Matcher) and not matcher.whole_rows:
            part = matcher(query, gallery[5:21])
            same = torch.allclose(part, found[:, 5:21], atol=1e-4)
            require(same, "a part of the gallery differs from the whole")
    return "distances checked"


def check_model(build: Build) -> str:
    """A training step over its domains changes weights; embeddings go through its matcher."""
    torch.manual_seed(0)
    model = build(num_identities=IDENTITIES, input_size=(192, 64))
    if isinstance(model, ReIDPreprocessor):
        return "a data preprocessor, which models build"
    before = copy.deepcopy(model.state_dict())
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    values = model.train().train_step(fake_domains(model.domains or ("source",)), optim)
    require("loss" in values, f"train_step gives {sorted(values)}, but no 'loss'")
    for name, value in values.items():
        number = float(value.detach()) if isinstance(value, Tensor) else float(value)
        require(math.isfinite(number), f"{name} is {number}")
    after = model.state_dict()
    require(any(not torch.equal(before[n], after[n]) for n in before), "a step changes no weight")
    training = model.training
    embedding = model.embed(fake_images(4))
    require(model.training == training, "embed leaves the model in another mode")
    require(isinstance(embedding, Embedding), f"embed gives {type(embedding).__name__}")
    with torch.no_grad():
        shape = tuple(model.matcher(embedding[:1], embedding).shape)
    require(shape == (1, 4), f"the matcher gives {shape} for (1, 4) distances")
    return "training step, embedding and matcher checked"
