"""Do the parts of a config fit each other? Tried on a few made-up images before data is opened.

Names and options are checked without building anything (``reidkit.config.check``). Whether six
stripes can be cut from a map of eight rows shows only when the parts run on each other; a run that
finds out after it has rendered, labelled and loaded its data has wasted its user's time.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from reidkit.config import stage_configs
from reidkit.config.check import components_of
from reidkit.config.problems import ConfigError, Problem
from reidkit.data.datasets.reader import Reader
from reidkit.engine.build import build_model
from reidkit.engine.optim import build_optim, build_schedule
from reidkit.errors import UserError
from reidkit.models.reid_model import ReIDModel
from reidkit.plugin.errors import format_error, line_of
from reidkit.plugin.load import folders
from reidkit.registry import DATASETS, EVALUATORS, KINDS, SAMPLERS
from reidkit.structures import ReIDBatch

IMAGES, IDENTITIES = 4, 2
PART_MAP = (48, 16)  # cells of the part maps in label stores


def refuse_incompatible(cfg: Config, source: str = "config") -> None:
    """Raise what ``dry_run_problems`` finds.

    Raises:
        ConfigError: parts that do not fit each other.
    """
    problems = dry_run_problems(cfg)
    if problems:
        raise ConfigError(source, problems)


def dry_run_problems(cfg: Config) -> list[Problem]:
    """Parts of a checked config that do not run on each other; empty when all do.

    Builds the model, runs one training pass over every domain and one test pass on ``IMAGES``
    made-up images of the config's size, compares embeddings with the matcher, and builds sampler,
    evaluator, optimiser and schedule. The first misfit of each of these three is told. How many
    identities a batch can be drawn from is known where the data set's reader says so. Only for
    models of type ReIDModel on single images; others state their own conditions. Global random
    numbers are as before.

    Args:
        cfg: resolved, checked, with its plugins loaded.
    """
    if cfg.model.get("type") != "ReIDModel" or cfg.input.get("frames"):
        return []
    problems: list[Problem] = []
    with torch.random.fork_rng(devices=[]):
        tried: list[Any] = []
        try:
            tried.append(build_model(cfg, IDENTITIES))
        except Exception as error:
            return [_problem(error, cfg, None)]
        model: ReIDModel = tried[0]
        for attempt in (_train, _test, _rest):
            try:
                attempt(cfg, model)
            except Exception as error:
                problems.append(_problem(error, cfg, model))
    return list(dict.fromkeys(problems))


def failure(error: Exception, cfg: Config) -> UserError | None:
    """What stopped a run in one of its components, in words; None for what is no component's.

    Args:
        error: raised by the run.
        cfg: its config.
    """
    more = "--debug shows the traceback"
    if isinstance(error, torch.cuda.OutOfMemoryError):
        hint = f"train.batch_size={cfg.train.batch_size} may be too large for it; {more}"
        return UserError(f"{str(error).strip()}\n  {hint}")
    place = _place(error, cfg, None)
    unknown = place == "model" and not line_of(error, folders())
    if unknown or isinstance(error, (UserError, BrokenPipeError)):
        return None
    text = format_error(error, folders()).replace("\n", "\n  ")
    return UserError(f"{place}: {text}\n  this stopped the run; {more}")


def made_up_batch(cfg: Config, fields: list[str], domain: str = "") -> ReIDBatch:
    """A batch as the loader would give it: random pixels of the config's size, labels as asked.

    Args:
        cfg: gives the size of the images.
        fields: labels that are loaded ("keypoints", "part_map").
        domain: name of the domain.
    """
    source = torch.Generator().manual_seed(0)
    batch = ReIDBatch(
        torch.randint(0, 256, (IMAGES, 3, *cfg.input.size), generator=source, dtype=torch.uint8),
        identities=torch.arange(IMAGES) * IDENTITIES // IMAGES,
        cameras=torch.arange(IMAGES) % 2,
        indices=torch.arange(IMAGES),
        paths=[f"{i}.jpg" for i in range(IMAGES)],
        domain=domain,
        image_sizes=torch.tensor([[128, 64]] * IMAGES),
        times=torch.arange(IMAGES, dtype=torch.float64),
        generator=torch.Generator().manual_seed(0),
    )
    if "keypoints" in fields:
        keypoints = torch.rand(IMAGES, 17, 3, generator=source, dtype=torch.float64)
        batch.keypoints = keypoints * torch.tensor([64.0, 128.0, 1.0])
    if "part_map" in fields:
        batch.part_map = torch.randint(0, 8, (IMAGES, *PART_MAP), generator=source)
    return batch


def _train(cfg: Config, model: ReIDModel) -> None:
    labels = cfg.get("labels", {}).get("train", {})
    data = {d: made_up_batch(cfg, list(labels.get(d, [])), d) for d in model.domains}
    if data:
        model.train()
        model(**model.data_preprocessor(data, True))


def _test(cfg: Config, model: ReIDModel) -> None:
    fields = list(cfg.get("labels", {}).get("test", []))
    embedding = model.embed(made_up_batch(cfg, fields))
    with torch.no_grad():
        block = model.matcher(embedding[:1], embedding)
    if block.shape != (1, IMAGES):
        raise ValueError(f"the matcher gave {tuple(block.shape)} for (1, {IMAGES}) distances")


def _rest(cfg: Config, model: ReIDModel) -> None:
    """Evaluator, and the optimiser, schedule and sampler of every stage."""
    EVALUATORS.build(dict(cfg.evaluation))
    for stage in stage_configs(cfg):
        train = stage.train
        build_optim(model, train)
        build_schedule(train.get("schedule"), train.epochs, 1)
        _sampler(train.sampler, train.batch_size, _training_split(cfg, model))


def _training_split(cfg: Config, model: ReIDModel) -> tuple[int, int] | None:
    """Crops and identities of the domain that is sampled; None where only its files tell."""
    if not model.domains:
        return None
    reader = DATASETS.build(
        dict(cfg.data.domains[model.domains[0]]), data_root=cfg.settings.data_root
    )
    return reader.expected("train") if isinstance(reader, Reader) else None


def _sampler(node: dict, batch_size: int, split: tuple[int, int] | None) -> None:
    """Build a sampler for as many identities as there will be, or enough for any batch."""
    crops, identities = split or (16 * batch_size, batch_size)
    rows = torch.arange(crops)
    SAMPLERS.build(
        dict(node),
        num_samples=crops,
        identities=(rows % identities).numpy(),
        cameras=(rows // identities % 4).numpy(),
        batch_size=batch_size,
        seed=0,
        rank=0,
        world_size=1,
    )


def _problem(error: Exception, cfg: Config, model: ReIDModel | None) -> Problem:
    """What went wrong, at the component whose code was running."""
    what = format_error(error, folders()).replace("\n", "\n      ")
    place, hint = _place(error, cfg, model), ""
    of_shapes = isinstance(error, (ValueError, RuntimeError, LookupError))
    if model is not None and of_shapes and place.startswith("model."):
        size = tuple(cfg.input.size)
        with torch.no_grad():
            maps = model.backbone.eval()(torch.zeros(1, 3, *size))
        shapes = ", ".join(f"{name} {tuple(one.shape[1:])}" for name, one in maps.items())
        hint = f"images of {size[0]}x{size[1]} give maps (C, h, w): {shapes}"
    return Problem(place, what, hint)


def _place(error: Exception, cfg: Config, model: ReIDModel | None) -> str:
    """The config's key of the last component on the way to the error; "model" where there is none.

    Built components are known by identity; one whose constructor failed only by its class.
    """
    nodes = dict(components_of(cfg.to_dict()))
    classes: dict[Any, str] = {}
    for path, (kind, name) in nodes.items():
        component = KINDS[kind].module_dict.get(name) if kind in KINDS else None
        library = KINDS[kind].libraries.get(name.partition("/")[0]) if kind in KINDS else None
        if inspect.isclass(component or library):
            classes.setdefault(component or library, path)
    built = {} if model is None else dict(_places_of(model))
    place = "model"
    for frame, _ in traceback.walk_tb(error.__traceback__):
        owner = frame.f_locals.get("self")
        place = built.get(id(owner)) or classes.get(type(owner), place)
    return place


def _places_of(model: nn.Module) -> Iterator[tuple[int, str]]:
    for name, module in model.named_modules():
        parts = name.split(".")
        own = len(parts) == (1 if parts[0] in ("backbone", "head", "matcher") else 2)
        if name and own and parts[0] != "data_preprocessor":
            yield id(module), f"model.{name}"
