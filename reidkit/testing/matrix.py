"""Which registered components run on each other: every combination, at tiny size.

A combination of backbone, head, loss, sampler, matcher and evaluator meets at five contracts: the
backbone's maps in the head, the head's output in the loss, its embedding in the matcher, the
matcher's distances in the evaluator, the sampler's batch in the loss. Each meeting is run once and
remembered, so the whole product is walked although it has far too many members to train each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reidkit.errors import UserError
from reidkit.registry import REGISTRIES
from reidkit.structures import Embedding, FeatureSpecs, Field, HeadOutput, ReIDBatch
from reidkit.testing.contracts import options_needed
from reidkit.testing.fakes import FakeLiveModel, fake_batch, fake_split, labelled
from reidkit.testing.loss_meetings import batch_in_loss, output_in_loss, trains_matcher
from reidkit.testing.supply import fake_supply

SIZE = (192, 64)
IMAGES, IDENTITIES = 8, 4
AXES = ("backbones", "heads", "losses", "samplers", "matchers", "evaluators")
# makes large components quick; any other is built with its defaults
SMALL: dict[str, dict[str, Any]] = {
    "ResNet": dict(depth=10, width=8, stages=3, strides=(1, 2, 1), last_stride=None),
    "OSNet": dict(name="osnet_x0_25"),
}


@dataclass
class Matrix:
    """Every meeting of two or three components: the reason why it fails, "" where it runs.

    Attributes:
        names: kind -> names of the components walked.
        build: (kind, name) -> why a component cannot be built at all, for those that cannot.
        in_head: (backbone, head).
        in_loss: (backbone, head, loss).
        in_matcher: (backbone, head, matcher).
        in_evaluator: (head, matcher, evaluator).
        in_scores: (backbone, head, loss, matcher), for losses that train a learned matcher.
        in_batch: (sampler, loss).
    """

    names: dict[str, list[str]]
    build: dict[tuple[str, str], str] = field(default_factory=dict)
    in_head: dict[tuple[str, str], str] = field(default_factory=dict)
    in_loss: dict[tuple[str, str, str], str] = field(default_factory=dict)
    in_matcher: dict[tuple[str, str, str], str] = field(default_factory=dict)
    in_evaluator: dict[tuple[str, str, str], str] = field(default_factory=dict)
    in_scores: dict[tuple[str, str, str, str], str] = field(default_factory=dict)
    in_batch: dict[tuple[str, str], str] = field(default_factory=dict)

    def verdict(
        self, backbone: str, head: str, loss: str, sampler: str, matcher: str, evaluator: str
    ) -> str:
        """Why a combination is refused; "" if it runs."""
        names = (backbone, head, loss, sampler, matcher, evaluator)
        unbuilt = (self.build.get(pair) for pair in zip(AXES, names, strict=True))
        meetings = (
            self.in_head.get((backbone, head)),
            self.in_loss.get((backbone, head, loss)),
            self.in_matcher.get((backbone, head, matcher)),
            self.in_evaluator.get((head, matcher, evaluator)),
            self.in_scores.get((backbone, head, loss, matcher)),
            self.in_batch.get((sampler, loss)),
        )
        return next((reason for reason in (*unbuilt, *meetings) if reason), "")

    def combinations(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Every combination with its verdict."""
        for parts in itertools.product(*(self.names[kind] for kind in AXES)):
            yield parts, self.verdict(*parts)


def walk(names: Mapping[str, Sequence[str]], settings: Mapping | None = None) -> Matrix:
    """Run every meeting of the named components.

    Args:
        names: kind -> registered names, for every kind in ``AXES``; their plugins are loaded.
        settings: of a run, for components that want them.
    """
    matrix = Matrix({kind: list(names[kind]) for kind in AXES})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        losses = _built(matrix, "losses", settings=settings)
        matchers = _built(matrix, "matchers")
        evaluators = _built(matrix, "evaluators")
        samplers = _samplers(matrix)
        for name in matrix.names["backbones"]:
            net = _try(matrix.build, ("backbones", name), _build, "backbones", name)
            if net is not None:
                _with_backbone(matrix, name, net, losses, matchers, evaluators, settings)
        for (sampler, rows), loss in itertools.product(samplers.items(), losses):
            _try(matrix.in_batch, (sampler, loss), batch_in_loss, losses[loss], rows, SIZE)
    return matrix


def _build(kind: str, name: str, **known: Any) -> Any:
    supply = fake_supply(kind, **{"input_size": SIZE, **known})
    return REGISTRIES[kind].build(dict(SMALL.get(name, {}), type=name), supply)


def _built(matrix: Matrix, kind: str, **known: Any) -> dict[str, Callable[..., Any]]:
    """How to build each component of a kind; those that need the width of a map are built later."""
    builders = {}
    for name in matrix.names[kind]:
        needed = options_needed(kind, name)
        if needed:
            matrix.build[kind, name] = f"{name} needs option {', '.join(map(repr, needed))}"
        else:
            builders[name] = lambda name=name, **more: _build(kind, name, **{**known, **more})
    return builders


def _samplers(matrix: Matrix) -> dict[str, list[int]]:
    """The first batch of every sampler, as identities."""
    rows = torch.arange(64) // 4  # as in fake_supply
    first = {}
    for name in matrix.names["samplers"]:
        key = ("samplers", name)
        sampler = _try(matrix.build, key, _build, "samplers", name)
        batch = _try(matrix.build, key, _first_batch, sampler) if sampler else None
        if batch is not None:
            first[name] = [int(rows[int(i)]) for i in batch]
    return first


def _first_batch(sampler: Any) -> list[int]:
    sampler.set_epoch(0)
    if hasattr(sampler, "refresh"):
        sampler.refresh(FakeLiveModel())
    return next(iter(sampler))


def _with_backbone(
    matrix: Matrix,
    backbone: str,
    net: Any,
    losses: Mapping[str, Callable],
    matchers: Mapping[str, Callable],
    evaluators: Mapping[str, Callable],
    settings: Mapping | None,
) -> None:
    specs = FeatureSpecs(net.specs, net.default)
    maps = [name for name, spec in specs.items() if spec.kind == "map"]
    size = specs[specs.pick("map")].map_size(SIZE) if maps else None
    batch = _batch(size or (24, 8))
    with torch.no_grad():
        features = net.train()(batch.images, batch)
    known = dict(features=specs, num_identities=IDENTITIES, map_size=size, settings=settings)
    for head in matrix.names["heads"]:
        ran = _try(matrix.in_head, (backbone, head), _run_head, head, features, batch, known)
        if ran is None:
            continue
        output, embedding, batch_of_head, width = ran
        of_head = {**known, "width": width}
        for name, build in losses.items():
            key = (backbone, head, name)
            _try(matrix.in_loss, key, output_in_loss, build, output, batch_of_head, of_head)
        for name, build in matchers.items():
            key = (backbone, head, name)
            matcher = _try(matrix.in_matcher, key, _in_matcher, build, embedding, size)
            for loss, make_loss in losses.items() if matcher is not None else ():
                four = (backbone, head, loss, name)
                if _try({}, four, trains_matcher, make_loss, of_head):
                    given = (make_loss, output, batch_of_head, of_head, matcher)
                    _try(matrix.in_scores, four, output_in_loss, *given)
            for evaluator, make in evaluators.items() if matcher is not None else ():
                place = (head, name, evaluator)
                if place not in matrix.in_evaluator:
                    _try(matrix.in_evaluator, place, _in_evaluator, make, matcher, embedding)


def _batch(size: tuple[int, int]) -> ReIDBatch:
    """Normalised images, with masks and visibility on the cells of the default map."""
    batch = fake_batch(IMAGES, SIZE, IDENTITIES)
    source = torch.Generator().manual_seed(1)
    visibility = batch["visibility"]
    masks = torch.rand(IMAGES, visibility.shape[1], *size, generator=source) < 0.5
    masks[:, :, 0, 0] = True
    batch = batch.with_fields(masks=masks & visibility.bool()[:, :, None, None])
    batch.images = (batch.images.float() / 255 - 0.5) / 0.25
    return batch


def _run_head(
    name: str, features: dict[str, Tensor], batch: ReIDBatch, known: dict
) -> tuple[HeadOutput, Embedding | None, ReIDBatch, int | None]:
    """Its output in training, its embedding, the batch with label maps of its sizes, its width."""
    head = _build("heads", name, **known)
    for label, size in getattr(head, "label_sizes", {}).items():
        source = torch.Generator().manual_seed(2)
        classes = torch.randint(0, 8, (IMAGES, *size), generator=source)
        batch = batch.with_fields(**{label: Field(classes, grid=True)})
    width = getattr(head, "width", None)
    with torch.no_grad():
        return head.train()(features, batch), head.eval()(features, batch).embedding, batch, width


def _in_matcher(build: Callable, embedding: Embedding | None, size: tuple[int, int] | None) -> Any:
    if embedding is None:
        raise ValueError("the head gives no embedding: an auxiliary head")
    matcher = build(map_size=size)
    with torch.no_grad():
        block = matcher(embedding[:3], embedding)
    if block.shape != (3, IMAGES):
        raise ValueError(f"the matcher gives {tuple(block.shape)} for (3, {IMAGES}) distances")
    return matcher


def _in_evaluator(build: Callable, matcher: Any, embedding: Embedding) -> None:
    people, cameras = [1 + i // 2 for i in range(IMAGES)], [1 + i % 2 for i in range(IMAGES)]
    query = fake_split("query", people[::2], cameras[::2])
    gallery = fake_split("gallery", people, cameras)
    test = labelled((embedding[::2], embedding), (query, gallery))
    build().evaluate(*test, matcher)


def _try(table: dict, key: tuple, function: Callable, *args: Any, **kwargs: Any) -> Any:
    """The result of a call, and in ``table`` why there is none ("" where there is one)."""
    try:
        result = function(*args, **kwargs)
    except (UserError, ValueError, NotImplementedError) as error:
        table[key] = str(error).splitlines()[0]
        return None
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0]
        table[key] = f"{type(error).__name__}: {text}"
        return None
    table.setdefault(key, "")
    return result if result is not None else True
