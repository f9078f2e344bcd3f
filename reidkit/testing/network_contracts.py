"""Contracts of what computes on tensors: backbones, heads, losses, matchers, whole models."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.models.preprocess import ReIDPreprocessor
from reidkit.registry import DATASETS, HEADS
from reidkit.structures import BATCH_TENSORS, Embedding, HeadOutput, ImageMeta, ReIDBatch
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
from reidkit.testing.supply import fake_supply

IDENTITIES = 5  # as few heads have parts, so that logits the wrong way round are seen


def check_backbone(build: Build) -> str:
    """Features are those of ``specs``, in order, of their kind, channels and stride."""
    net = build(input_size=(64, 32)).train()
    require(net.default in net.specs, f"default {net.default!r} is not among {list(net.specs)}")
    images = torch.rand(2, 3, 64, 32).requires_grad_()
    features = net(images, ReIDBatch(images, cameras=torch.tensor([0, 1])))
    require(list(features) == list(net.specs), f"gives {list(features)}, specs {list(net.specs)}")
    for name, spec in net.specs.items():
        shape = tuple(features[name].shape)
        finite(features[name], name)
        if spec.kind == "map":
            wanted = (2, spec.channels, *spec.map_size((64, 32)))
            require(shape == wanted, f"{name} is {shape}, not {wanted}")
        elif spec.kind == "tokens":
            require(len(shape) == 3 and shape[::2] == (2, spec.channels), f"{name} is {shape}")
        else:
            require(shape == (2, spec.channels), f"{name} is {shape}, not (2, {spec.channels})")
    chosen = features[net.default]
    (chosen * torch.randn_like(chosen)).sum().backward()
    reached({"images": images}, "the images")
    return "features and gradients checked"


def check_head(build: Build) -> str:
    """A HeadOutput as ``gives`` says, with N rows; gradients arrive; float64 agrees."""
    _, features = fake_features()
    batch = fake_batch(identities=IDENTITIES)
    head = build(num_identities=IDENTITIES).train()
    outputs = _outputs(head(features, batch))
    gives = set(getattr(head, "gives", ()))
    require(gives == set(outputs), f"gives is {sorted(gives)}, the output has {sorted(outputs)}")
    floating = [t for t in _tensors(outputs.values()) if t.is_floating_point()]
    total = sum(((t * torch.randn_like(t)).sum() for t in floating), torch.zeros(()))
    require(total.requires_grad, "nothing of the output depends on the features")
    total.backward()
    reached(features, "the features")
    single = list(_tensors(_outputs(head.eval()(features, batch)).values()))
    wide = {name: one.double() for name, one in features.items()}
    double = list(_tensors(_outputs(copy.deepcopy(head).double()(wide, batch)).values()))
    for one, two in zip(single, double, strict=True):
        close = torch.allclose(one.double(), two.double(), rtol=1e-3, atol=1e-3)
        require(close, "float32 and float64 differ")
    return "output, gradients and float64 checked"


def _outputs(output: HeadOutput) -> dict[str, Any]:
    """What a head hands to losses by name: finite, and of N = 8 rows what has one per image."""
    require(isinstance(output, HeadOutput), f"expected a HeadOutput, got {type(output).__name__}")
    known = {name: value for name, value in output.known().items() if value is not None}
    for name, value in known.items():
        for tensor in _tensors([value]):
            finite(tensor, name)
        if name in ("vectors", "maps", "visibility", "logits", "cosines"):
            require(len(value) == 8, f"{name} has {len(value)} rows for 8 images")
    for name in {"logits", "cosines"} & set(known):
        shape = tuple(known[name].shape)
        ok = len(shape) == 4 or (len(shape) == 3 and shape[2] == IDENTITIES)
        require(
            ok,
            f"{name} are {shape}; (N, P, K) is wanted, with K = {IDENTITIES} identities last, or "
            "(N, classes, h, w)",
        )
    return known


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """Tensors, alone or in dicts."""
    for value in values:
        yield from value.values() if isinstance(value, Mapping) else [value]


def check_loss(build: Build) -> str:
    """A finite scalar; gradients reach the inputs; float64 agrees.

    What the fakes do not have is taken from a registered head that gives it, or is a label that a
    registered data set brings: class 0 of every image.
    """
    specs, _ = fake_features()
    loss = build(num_identities=IDENTITIES)
    parameters = inspect.signature(loss.forward).parameters
    inputs = _loss_inputs("part_map" in parameters)
    unknown = {n for n, p in parameters.items() if n not in inputs and p.default is p.empty}
    inputs |= {n: torch.zeros(8, dtype=torch.int64) for n in unknown & _labels()}
    unknown -= set(inputs)
    inputs |= _of_heads(unknown, type(loss).__module__)
    unknown -= set(inputs)
    if unknown:
        return f"not run: it asks for {', '.join(sorted(unknown))}, which no head gives"
    names = [name for name in parameters if name in inputs]
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
    leaves = [t for t in _tensors(given.values()) if isinstance(t, Tensor) and t.requires_grad]
    reached({str(number): leaf for number, leaf in enumerate(leaves)}, "the inputs")
    double = before.double()(**{name: _double(one) for name, one in given.items()})
    close = torch.allclose(value.detach().double(), double.double(), rtol=1e-3, atol=1e-5)
    require(close, f"float32 gives {value.item()}, float64 {double.item()}")
    return "scalar, gradients and float64 checked"


def _double(value: Any) -> Any:
    """Floating-point tensors, alone or in a dict, detached and in float64."""
    if isinstance(value, Mapping):
        return {name: _double(one) for name, one in value.items()}
    floating = isinstance(value, Tensor) and value.is_floating_point()
    return value.detach().double() if floating else value


def _loss_inputs(segments: bool) -> dict[str, Any]:
    """What the core gives to losses; logits per cell if one wants a part map, else of K."""
    batch, embedding = fake_batch(identities=IDENTITIES), fake_embedding(8)
    shape = (8, 8, 24, 8) if segments else (8, REGIONS, IDENTITIES)
    source = torch.Generator().manual_seed(3)
    logits = torch.randn(*shape, generator=source)
    matcher = FakeMatcher()
    scores = matcher.scores(embedding, embedding)
    named = dict(vectors=embedding.vectors, maps=embedding.maps, logits=logits, scores=scores)
    named["cosines"] = logits.tanh()
    inputs: dict[str, Any] = {n: t.requires_grad_() for n, t in named.items() if t is not None}
    inputs |= dict(matcher=matcher, images=batch.images.float())  # losses get prepared ones
    return {**inputs, **{name: batch[name] for name in (*BATCH_TENSORS, *batch.fields)}}


def _of_heads(names: set[str], module: str) -> dict[str, Any]:
    """Outputs by these names of a head of the same package, as leaves that want a gradient."""
    _, features = fake_features()
    package = module.rpartition(".")[0]
    for name in HEADS.names() if names else ():
        head = HEADS.get(name)
        if head.__module__.rpartition(".")[0] != package or set(_required(head)) - HEADS.supplies:
            continue
        built = HEADS.build(dict(type=name), fake_supply("heads", num_identities=IDENTITIES))
        if names <= set(built.gives):
            outputs = built.train()(features, fake_batch(identities=IDENTITIES)).outputs
            return {n: _leaf(outputs[n]) for n in names}
    return {}


def _labels() -> set[str]:
    """Names of the labels that registered data sets bring."""
    listed = [getattr(DATASETS.get(name), "labels", ()) for name in DATASETS.names()]
    return {name for names in listed if isinstance(names, tuple) for name in names}


def _required(component: Any) -> list[str]:
    return [n for n, p in inspect.signature(component).parameters.items() if p.default is p.empty]


def _leaf(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _leaf(one) for name, one in value.items()}
    return value.detach().clone().requires_grad_()


def check_matcher(build: Build) -> str:
    """(q, g) float32 distances within the bounds; nothing is closer than itself; blocks agree."""
    matcher = build()
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
    embeddings = fake_embedding(6, seed=1), fake_embedding(30, seed=2)
    kept = copy.deepcopy(embeddings)
    clock = {6: np.arange(6) * 40.0, 30: np.arange(30) * 10.0}
    metas = [ImageMeta(np.arange(n) % 3, clock[n]) for n in (6, 30)]
    with torch.no_grad():
        query, gallery, matcher = step.rerank(*embeddings, UnitMatcher(), *metas)
        require((len(query), len(gallery)) == (6, 30), "the number of images changed")
        for side, before in zip(embeddings, kept, strict=True):
            same = all(torch.equal(getattr(side, n), t) for n, t in before._tensors().items())
            require(same, "the given embeddings were changed")
        distances = matcher(query, gallery)
        require(
            distances.shape == (6, 30), f"expected distances (6, 30), got {tuple(distances.shape)}"
        )
        require(distances.dtype == torch.float32, f"expected float32, got {distances.dtype}")
        finite(distances, "a distance")
        low, high = matcher.bounds
        inside = (distances >= low - 1e-4).all() and (distances <= high + 1e-4).all()
        require(inside, f"distances leave the bounds {matcher.bounds}")
        part = torch.cat([matcher(query[rows], gallery) for rows in (slice(0, 1), slice(1, 6))])
        require(torch.allclose(part, distances, atol=1e-4), "a block differs from the whole")
        if isinstance(matcher, Matcher) and not matcher.whole_rows:
            part = matcher(query, gallery[5:21])
            same = torch.allclose(part, distances[:, 5:21], atol=1e-4)
            require(same, "a part of the gallery differs from the whole")
    return "distances checked"


def check_model(build: Build) -> str:
    """A training step over its domains changes weights; embeddings go through its matcher."""
    torch.manual_seed(0)
    model = build(num_identities=IDENTITIES)
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
