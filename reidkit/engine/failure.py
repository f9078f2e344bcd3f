"""What stopped a component, in words: the config's key of the one whose code was running."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from reidkit.config.check import components_of
from reidkit.config.problems import Problem
from reidkit.errors import UserError
from reidkit.models.reid_model import ReIDModel
from reidkit.plugin.errors import format_error, line_of
from reidkit.plugin.load import folders
from reidkit.registry import REGISTRIES
from reidkit.structures import ReIDBatch

ALONE = "Expected more than 1 value per channel"  # torch's words for a batch of one
ALONE_HINT = (
    "batch normalisation cannot train on a batch of one image: raise train.batch_size, or leave a "
    "last batch of one out with train.sampler.drop_last=True"
)


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
    if ALONE in text:
        text += f"\n  {ALONE_HINT}"
    return UserError(f"{place}: {text}\n  this stopped the run; {more}")


def problem_of(error: Exception, cfg: Config, model: Any) -> Problem:
    """What went wrong in a trial, at the component whose code was running.

    Args:
        error: raised by it.
        cfg: of the trial.
        model: built from it; None where that failed.
    """
    what = format_error(error, folders()).replace("\n", "\n      ")
    place, hint = _place(error, cfg, model), ""
    if isinstance(error, UserError) and what.startswith(
        ("train.", "visualizers.")
    ):  # it says where itself
        place, _, what = what.partition(": ")
    if ALONE in what:
        return Problem(place, what, ALONE_HINT)
    of_shapes = isinstance(error, (ValueError, RuntimeError, LookupError))
    if isinstance(model, ReIDModel) and of_shapes and place.startswith("model."):
        with suppress(Exception):  # where the backbone itself fails, there are no features to show
            hint = _features(cfg, model)
    return Problem(place, what, hint)


def _features(cfg: Config, model: ReIDModel) -> str:
    """The features that images of the config's size give, in words."""
    size = tuple(cfg.input.size)
    batch = ReIDBatch(torch.zeros(1, 3, *size), cameras=torch.zeros(1, dtype=torch.int64))
    with torch.no_grad():
        features = model.backbone.eval()(batch.images, batch)
    shapes = ", ".join(f"{name} {tuple(one.shape[1:])}" for name, one in features.items())
    return f"images of {size[0]}x{size[1]} give features: {shapes}"


def _place(error: Exception, cfg: Config, model: ReIDModel | None) -> str:
    """The config's key of the last component on the way to the error; "model" where there is none.

    Built components are known by identity; one whose constructor failed only by its class.
    """
    nodes = dict(components_of(cfg.to_dict()))
    classes: dict[Any, str] = {}
    for path, (kind, name) in nodes.items():
        component = REGISTRIES[kind].module_dict.get(name) if kind in REGISTRIES else None
        library = (
            REGISTRIES[kind].libraries.get(name.partition("/")[0]) if kind in REGISTRIES else None
        )
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
