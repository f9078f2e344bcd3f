"""The contract of every kind of component, run on fakes: shapes, finite numbers, gradients."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidkit.config.places import derived
from reidkit.errors import UserError
from reidkit.registry import KINDS, signature
from reidkit.structures import Embedding, HeadOutput, ReIDBatch, Sight
from reidkit.testing.documentation import documentation_problems
from reidkit.testing.fakes import (
    REGIONS,
    FakeLiveModel,
    FakeMatcher,
    fake_batch,
    fake_embedding,
    fake_features,
)

IDENTITIES = 4


class ContractError(AssertionError):
    """A component breaks the contract of its kind; the text says how."""


def check_component(kind: str, name: str, options: Mapping[str, Any] | None = None) -> str:
    """Build one registered component and hold it to the contract of its kind.

    Every component: documented arguments equal the signature. Built with its defaults and the
    numbers the framework derives, then run on a fake batch: backbones, heads, losses, matchers,
    re-rankers, samplers, transforms. Data sets, labellers, models, evaluators and hooks need data,
    weights or a whole run, so only their documentation is checked.

    Args:
        kind: a key of ``reidkit.registry.KINDS`` ("heads").
        name: registered name, with the plugin's prefix.
        options: for components whose options have no defaults.

    Returns:
        What was done, for people.

    Raises:
        ContractError: a broken contract.
        KeyError: no such kind or component.

    Example:
        >>> import reidkit.evaluation
        >>> check_component("matchers", "CosineMatcher")
        'documented, built, distances checked'
    """
    registry = KINDS[kind]
    component = registry.get(name)
    problems = documentation_problems(component)
    _require(not problems, f"docstring: {'; '.join(problems)}")
    run = _CHECKS.get(kind)
    if run is None:
        return "documented"
    needed = [
        p.name
        for p in signature(component).values()
        if p.default is p.empty and p.name not in derived(kind) and p.name not in (options or {})
    ]
    if needed:
        return f"documented; not run, since {', '.join(needed)} has no default"
    config = dict(options or {}, type=name)
    torch.manual_seed(0)
    try:
        return "documented, built, " + run(lambda **numbers: registry.build(config, **numbers))
    except ContractError:
        raise
    except UserError as error:
        return f"documented; not run: {error}"
    except Exception as error:
        raise ContractError(f"{type(error).__name__}: {error}") from error


def _require(condition: object, text: str) -> None:
    if not condition:
        raise ContractError(text)


def _finite(tensor: Tensor, what: str) -> None:
    _require(torch.isfinite(tensor).all(), f"{what} is not finite")


def _reached(tensors: Mapping[str, Tensor], what: str) -> None:
    """A finite gradient that is not zero everywhere has come to at least one of the tensors."""
    grads = {name: t.grad for name, t in tensors.items() if t.grad is not None}
    for name, grad in grads.items():
        _finite(grad, f"the gradient of {name}")
    _require(any(g.abs().sum() > 0 for g in grads.values()), f"no gradient reaches {what}")


Build = Callable[..., Any]


def check_backbone(build: Build) -> str:
    """Maps are those of ``specs``, in order, with their channels and strides."""
    net = build().train()
    images = torch.rand(2, 3, 64, 32).requires_grad_()
    maps = net(images)
    _require(list(maps) == list(net.specs), f"maps {list(maps)}, specs {list(net.specs)}")
    for name, spec in net.specs.items():
        shape = (2, spec.channels, -(-64 // spec.stride), -(-32 // spec.stride))
        _require(maps[name].shape == shape, f"{name} is {tuple(maps[name].shape)}, not {shape}")
        _finite(maps[name], name)
    (maps[name] * torch.randn_like(maps[name])).sum().backward()
    _reached({"images": images}, "the images")
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
    _require(total.requires_grad, "nothing of the output depends on the maps")
    total.backward()
    _reached(maps, "the maps")
    single = list(_outputs(head.eval()(maps, batch)))
    doubled = copy.deepcopy(head).double()
    double = list(_outputs(doubled({name: m.double() for name, m in maps.items()}, batch)))
    for one, two in zip(single, double, strict=True):
        close = torch.allclose(one.double(), two.double(), rtol=1e-3, atol=1e-3)
        _require(close, "float32 and float64 differ")
    return "output, gradients and float64 checked"


def _outputs(output: HeadOutput) -> list[Tensor]:
    """Vectors, maps and logits of a head's output, each finite and with N = 8 rows."""
    _require(isinstance(output, HeadOutput), f"expected a HeadOutput, got {type(output).__name__}")
    e = output.embedding
    named = {"logits": output.logits}
    named |= {"vectors": e.vectors, "maps": e.maps} if e is not None else {}
    found = {name: tensor for name, tensor in named.items() if tensor is not None}
    for name, tensor in found.items():
        _require(len(tensor) == 8, f"{name} has {len(tensor)} rows for 8 images")
        _finite(tensor, name)
    return list(found.values())


def check_loss(build: Build) -> str:
    """A finite scalar; gradients reach the inputs; float64 agrees."""
    specs, _ = fake_features()
    vectors = fake_embedding(1).vectors
    assert vectors is not None  # it has both kinds
    loss = build(features=specs, num_identities=IDENTITIES, width=vectors.numel())
    names = list(inspect.signature(loss.forward).parameters)
    inputs = _loss_inputs("part_map" in names)
    unknown = [name for name in names if name not in inputs]
    _require(not unknown, f"forward asks for {unknown}; known: {sorted(inputs)}")
    given = {name: inputs[name] for name in names}
    if any(True for _ in loss.buffers()):
        loss(**given)  # what it keeps between batches is filled
    before = copy.deepcopy(loss)
    value = loss(**given)
    _require(value.shape == (), f"expected a scalar, got shape {tuple(value.shape)}")
    _finite(value, "the loss")
    value.backward()
    tensors = {n: t for n, t in given.items() if isinstance(t, Tensor)}
    _reached({n: t for n, t in tensors.items() if t.requires_grad}, "the inputs")
    wide = {n: t.detach().double() if t.is_floating_point() else t for n, t in tensors.items()}
    double = before.double()(**{**given, **wide})
    close = torch.allclose(value.detach().double(), double.double(), rtol=1e-3, atol=1e-5)
    _require(close, f"float32 gives {value.item()}, float64 {double.item()}")
    return "scalar, gradients and float64 checked"


def _loss_inputs(segments: bool) -> dict[str, Any]:
    """Everything a loss may ask for; logits of parts per cell if it wants a part map, else of K."""
    batch, embedding = fake_batch(identities=IDENTITIES), fake_embedding(8)
    shape = (8, 8, 24, 8) if segments else (8, REGIONS, IDENTITIES)
    source = torch.Generator().manual_seed(3)
    logits = torch.randn(*shape, generator=source)
    attention = torch.randn(8, REGIONS, 32, generator=source).log_softmax(-1)
    matcher = FakeMatcher()
    scores = matcher.scores(embedding, embedding)
    named = dict(vectors=embedding.vectors, maps=embedding.maps, logits=logits, scores=scores)
    named["attention"] = attention
    inputs: dict[str, Any] = {n: t.requires_grad_() for n, t in named.items() if t is not None}
    inputs["matcher"] = matcher
    names = ("visibility", "identities", "cameras", "part_map", "keypoints", "masks")
    return {**inputs, **{name: getattr(batch, name) for name in names}}


def check_matcher(build: Build) -> str:
    """(q, g) float32 distances within the bounds; nothing is closer than itself; blocks agree."""
    matcher = build()
    query, gallery = fake_embedding(5, seed=1), fake_embedding(7, seed=2)
    with torch.no_grad():
        block = matcher(query, gallery)
        _require(block.shape == (5, 7), f"expected shape (5, 7), got {tuple(block.shape)}")
        _require(block.dtype == torch.float32, f"expected float32, got {block.dtype}")
        _finite(block, "a distance")
        low, high = matcher.bounds
        inside = (block >= low - 1e-4).all() and (block <= high + 1e-4).all()
        _require(inside, f"distances leave the bounds {matcher.bounds}")
        part = matcher(query[1:3], gallery[2:6])
        _require(torch.allclose(part, block[1:3, 2:6], atol=1e-4), "a block differs from the whole")
        both = Embedding.cat([query, gallery])
        own = matcher(query, both)
        nearest = own.diagonal()
        _require(
            (nearest[:, None] <= own + 1e-3).all(), "another image is closer than the same one"
        )
    return "distances checked"


def check_reranker(build: Build) -> str:
    """New embeddings of as many images, left as they were, and a matcher that keeps its contract.

    It sees cameras and times; distances must not depend on the size of the blocks.
    """
    step = build()
    sides = fake_embedding(6, seed=1), fake_embedding(30, seed=2)
    kept = [side.vectors.clone() for side in sides if side.vectors is not None]
    clock = {6: np.arange(6) * 40.0, 30: np.arange(30) * 10.0}
    sights = [Sight(np.arange(n) % 3, clock[n]) for n in (6, 30)]
    with torch.no_grad():
        query, gallery, matcher = step.rerank(*sides, _FakeMatcher(), *sights)
        _require((len(query), len(gallery)) == (6, 30), "the number of images changed")
        for side, before in zip(sides, kept, strict=True):
            _require(torch.equal(side.vectors, before), "the given embeddings were changed")
        found = matcher(query, gallery)
        _require(found.shape == (6, 30), f"expected distances (6, 30), got {tuple(found.shape)}")
        _require(found.dtype == torch.float32, f"expected float32, got {found.dtype}")
        _finite(found, "a distance")
        low, high = matcher.bounds
        inside = (found >= low - 1e-4).all() and (found <= high + 1e-4).all()
        _require(inside, f"distances leave the bounds {matcher.bounds}")
        part = torch.cat([matcher(query[rows], gallery) for rows in (slice(0, 1), slice(1, 6))])
        _require(torch.allclose(part, found, atol=1e-4), "a block differs from the whole")
    return "distances checked"


class _FakeMatcher(torch.nn.Module):
    """Half of one minus the cosine of all parts together, in [0, 1]."""

    bounds = (0.0, 1.0)

    def forward(self, query: Embedding, gallery: Embedding) -> Tensor:
        left, right = (e.vectors.flatten(1) for e in (query, gallery) if e.vectors is not None)
        left, right = (torch.nn.functional.normalize(side) for side in (left, right))
        return ((1 - left @ right.T) / 2).clamp(0.0, 1.0)


def check_sampler(build: Build) -> str:
    """Lists of indices in range; the same for the same epoch, other for another; state goes on.

    A frame sampler: clips of frames that are there, in order, the same for the same generator.
    """
    identities = torch.arange(64) // 4
    numbers: dict[str, Any] = dict(num_samples=64, batch_size=16, seed=0, rank=0, world_size=1)
    numbers |= dict(identities=identities.numpy(), cameras=(torch.arange(64) % 2).numpy())
    sampler, other = build(**numbers), build(**numbers)
    if not hasattr(sampler, "set_epoch"):
        return _check_frames(sampler)
    epochs = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        if hasattr(sampler, "refresh"):
            sampler.refresh(FakeLiveModel())
        epochs.append([list(map(int, batch)) for batch in sampler])
        _require(len(epochs[-1]) == len(sampler), f"{len(epochs[-1])} batches, len {len(sampler)}")
    _require(epochs[0], "no batches")
    drawn = {index for batch in epochs[0] for index in batch}
    _require(drawn <= set(range(64)), "indices outside the data set")
    _require(epochs[0] != epochs[1], "epochs 0 and 1 are the same")
    other.load_state_dict(sampler.state_dict())
    again = [list(map(int, batch)) for batch in other]
    _require(again == epochs[1], "a sampler with the state of another goes on differently")
    return "batches, epochs and state checked"


def _check_frames(sampler: Callable) -> str:
    for length in (1, 2, 5, 64):
        for seed in (None, 7):
            first, again = (
                sampler(length, None if seed is None else np.random.default_rng(seed))
                for _ in range(2)
            )
            _require(first.ndim == 2 and first.dtype == np.int64, "clips must be (J, T) int64")
            _require((first >= 0).all() and (first < length).all(), "frames outside the tracklet")
            _require((np.diff(first) >= 0).all(), "frames out of order")
            _require(np.array_equal(first, again), "another choice for the same generator")
        _require(seed is None or len(first) == 1, "training takes one clip")
    return "frames checked"


def check_transform(build: Build) -> str:
    """A batch to a batch of the same images, the same for the same generator; the input is kept."""
    batch = fake_batch()
    step = build(map_size=(24, 8))
    try:
        results = _twice(step, batch)
    except ValueError:  # one that stands after Normalize says so
        batch.images = batch.images.float() / 255
        results = _twice(step, batch)
    kept = fake_batch().images.to(batch.images.dtype)
    kept = kept / 255 if kept.is_floating_point() else kept
    _require(torch.equal(batch.images, kept), "the images of the input batch were changed")
    for result in results:
        _require(
            isinstance(result, ReIDBatch), f"expected a ReIDBatch, got {type(result).__name__}"
        )
        _require(result.images.shape[:2] == kept.shape[:2], "images were lost")
    for one in fields(ReIDBatch):
        first, second = (getattr(result, one.name) for result in results)
        if isinstance(first, Tensor):
            _finite(first, one.name)
            _require(torch.equal(first, second), f"{one.name} differs for the same generator")
    return "batch and randomness checked"


def _twice(step: Callable, batch: ReIDBatch) -> list[ReIDBatch]:
    results = []
    for _ in range(2):
        batch.generator = torch.Generator().manual_seed(7)
        results.append(step(batch))
    return results


_CHECKS: dict[str, Callable[[Build], str]] = {
    "backbones": check_backbone,
    "heads": check_head,
    "losses": check_loss,
    "matchers": check_matcher,
    "rerankers": check_reranker,
    "samplers": check_sampler,
    "transforms": check_transform,
}
