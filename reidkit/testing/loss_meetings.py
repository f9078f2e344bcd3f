"""Where a loss meets the rest: what a head gives, a learned matcher, the batch of a sampler."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from reidkit.models.roles import OF_EMBEDDING, OF_MODEL, learned
from reidkit.structures import FeatureSpec, FeatureSpecs, HeadOutput, ReIDBatch
from reidkit.testing.fakes import fake_batch


def loss_for(build: Callable, known: dict) -> Any:
    """The loss for a head; one that keeps vectors wants the head to say how wide they are.

    Args:
        build: makes the loss from ``known``.
        known: what the framework supplies beside this head; ``width`` is the head's, or None.

    Raises:
        ValueError: the loss keeps vectors, and the head does not say its width.
    """
    if known.get("width") is None:
        kind = type(build(**{**known, "width": 1}))  # of any width: only its class is looked at
        keeps = inspect.signature(kind).parameters.get("width")
        if keeps is not None and keeps.default is keeps.empty:
            raise ValueError("the loss keeps vectors, and the head does not say its width")
    return build(**known)


def trains_matcher(build: Callable, known: dict) -> bool:
    """Whether the loss for a head asks for a learned matcher or its scores; as ``loss_for``."""
    names = inspect.signature(loss_for(build, known).forward).parameters
    return not {"scores", "matcher"}.isdisjoint(names)


def output_in_loss(
    build: Callable, output: HeadOutput, batch: ReIDBatch, supply: dict, matcher: Any = None
) -> None:
    """Run a loss on what a head gives.

    Without a matcher, a loss that wants a learned one is only asked for everything else it needs.

    Args:
        build: makes the loss from ``supply``.
        output: of the head in training.
        batch: that the head saw, with its labels.
        supply: as ``known`` of ``loss_for``.
        matcher: a learned one.

    Raises:
        ValueError: a tensor that nobody gives, or a loss that is no finite scalar.
    """
    loss = loss_for(build, supply)
    names = list(inspect.signature(loss.forward).parameters)
    known = {name: batch.get(name) for name in names}
    if output.embedding is not None:  # parts of the embedding are the head's own
        known |= dict.fromkeys(OF_EMBEDDING)
    known |= output.known()
    wanted = set(OF_MODEL) & set(names)
    if wanted and output.embedding is None:
        raise ValueError("the loss compares embeddings, and the head gives none")
    if wanted and matcher is None:
        _require_known(loss, {**known, "scores": True, "matcher": True})
        return
    if wanted:
        known["scores"] = learned(matcher, loss).scores(output.embedding, output.embedding)
        known["matcher"] = matcher
    _call(loss, known)


def batch_in_loss(build: Callable, identities: Sequence[int], size: tuple[int, int]) -> None:
    """Run a loss on the identities that a sampler puts together, with whatever else it wants.

    Args:
        build: makes the loss from what a head would tell.
        identities: of one batch, one per image.
        size: of the images, (height, width) in pixels.

    Raises:
        ValueError: a loss that is no finite scalar.
    """
    n, kinds = len(identities), max(identities) + 1
    features = FeatureSpecs({"map": FeatureSpec(16, 8)})
    loss = build(features=features, num_identities=kinds, width=16)
    batch = fake_batch(n, size, 2)
    source = torch.Generator().manual_seed(0)
    parameters = inspect.signature(loss.forward).parameters
    own = hasattr(loss, "classifier_parameters")
    known: dict[str, Any] = {name: batch.get(name) for name in parameters}
    known["identities"] = torch.tensor(identities)
    shape = (n, 8, 24, 8) if "part_map" in parameters else (n, 9, kinds)
    known["logits"] = torch.randn(shape, generator=source)
    known["vectors"] = torch.randn((n, 1, 16) if own else (n, 9, 8), generator=source)
    known["maps"] = torch.rand(n, 16, 24, 8, generator=source)
    _call(loss, {name: value for name, value in known.items() if value is not None}, strict=False)


def _missing(loss: Any, known: Mapping[str, Any]) -> list[str]:
    parameters = inspect.signature(loss.forward).parameters
    optional = {name for name, p in parameters.items() if p.default is not p.empty}
    return [n for n in parameters if known.get(n) is None and n not in optional]


def _require_known(loss: Any, known: Mapping[str, Any]) -> None:
    missing = _missing(loss, known)
    if missing:
        raise ValueError(f"the loss needs {', '.join(missing)}, which the head does not give")


def _call(loss: Any, known: Mapping[str, Any], strict: bool = True) -> None:
    if not strict and _missing(loss, known):
        return  # not this meeting's affair: the head gives it, or does not
    _require_known(loss, known)
    parameters = inspect.signature(loss.forward).parameters
    value = loss(**{name: known[name] for name in parameters if known.get(name) is not None})
    if value.shape != () or not torch.isfinite(value):
        raise ValueError(f"the loss is {value}")
