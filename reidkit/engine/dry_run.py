"""Do the parts of a config fit each other? Tried on a few random images before data is opened.

Names and options are checked without building anything (``reidkit.config.check``). Whether six
stripes can be cut from a map of eight rows shows only when the parts run on each other; a run that
finds out after it has rendered, labelled and loaded its data has wasted its user's time.
"""

from __future__ import annotations

import importlib.util
import inspect
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from torch import nn

from reidkit.config import stage_configs
from reidkit.config.check import components_of
from reidkit.config.problems import ConfigError, Problem
from reidkit.data.crops import STORED
from reidkit.data.datasets.reader import Reader
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.label_plan import plan_of
from reidkit.engine.optim import build_optimizers, build_schedule
from reidkit.engine.param_groups import freeze
from reidkit.engine.sample_batch import IDENTITIES, IMAGES, sample_batch
from reidkit.errors import UserError
from reidkit.models.inputs import asks_of, who_gives
from reidkit.models.reid_model import ReIDModel
from reidkit.plugin.errors import format_error, line_of
from reidkit.plugin.load import folders
from reidkit.registry import (
    DATASETS,
    EVALUATORS,
    HOOKS,
    REGISTRIES,
    SAMPLERS,
)
from reidkit.structures import ReIDBatch


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

    Builds the model, compares what its losses and heads ask for with what is given, runs one
    training pass over every domain and one test pass on ``IMAGES`` random images or clips of the
    config's size, compares embeddings with the matcher, and builds evaluator, hooks, and sampler,
    optimiser and schedule of every stage. Reports the first error of each of these. How many
    identities a batch can be drawn from is known where the data set's reader says so. Models other
    than ReIDModel are built and not run. Global random numbers are as before.

    Args:
        cfg: resolved, checked, with its plugins loaded.
    """
    problems: list[Problem] = []
    with torch.random.fork_rng(devices=[]):
        models: list[Any] = []
        try:
            models.append(build_model(cfg, TrainingSet(IDENTITIES, (0, 1))))
        except Exception as error:
            return [_problem(error, cfg, None)]
        model = models[0]
        whole = isinstance(model, ReIDModel)
        problems += input_problems(cfg, model) if whole else []
        # without an input nothing runs: the rest would only say the same again
        attempts = (_train, _test, _rest, _names) if whole and not problems else (_rest, _names)
        for attempt in attempts:
            try:
                attempt(cfg, model)
            except Exception as error:
                problems.append(_problem(error, cfg, model))
    return list(dict.fromkeys(problems))


def input_problems(cfg: Config, model: ReIDModel) -> Iterator[Problem]:
    """Names that a loss or head asks for and that no head, transform or data set gives.

    Args:
        cfg: resolved, checked, with its plugins loaded.
        model: built from it.
    """
    plan = plan_of(model)
    wanted: list[tuple[str | None, str, tuple[str, ...]]] = [
        (domain, domain, names) for domain, names in plan.train.items()
    ]
    wanted += [(None, domain, plan.test) for domain in cfg.data.tests]
    for domain, of, names in wanted:
        for name in sorted(set(names) - _brought(cfg, of)):
            if name in STORED and cfg.data.get("labeller"):
                continue
            if name in STORED:
                yield Problem("data.labeller", f"missing, but {name} are asked for")
                continue
            place, asking = _asking(model, domain, name)
            where = f"in training on '{of}'" if domain else f"in the test on '{of}'"
            what = f"{asking} asks for {name!r} {where}, and nothing gives it"
            yield Problem(place, what, who_gives(name))


def _brought(cfg: Config, domain: str) -> set[str]:
    """Names of the labels that a domain's data set brings."""
    node = dict(cfg.data.domains[domain])
    brought = getattr(DATASETS.get(node["type"]), "labels", ())
    if isinstance(brought, property):  # known once it is built with its options
        supply = dict(data_root=cfg.settings.data_root, settings=cfg.settings)
        brought = DATASETS.build(node, supply).labels
    return set(brought)


def _asking(model: ReIDModel, domain: str | None, name: str) -> tuple[str, str]:
    """The key and class of the first component that asks for a name; None: at the test."""
    for role_name, role in model.roles().items() if domain else ():
        if role.domain == domain and name in role.required:
            return f"model.losses.{role_name}.loss", type(role.loss).__name__
    parts = {"model.backbone": model.backbone, "model.head": model.head}
    parts |= {f"model.aux_heads.{aux}": head for aux, head in model.aux_heads.items()}
    for place, part in parts.items():
        if name in asks_of(part):
            return place, type(part).__name__
    return "model.transforms", "a transform"


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
    if "Expected more than 1 value per channel" in text:
        text += (
            "\n  batch normalisation cannot train on a batch of one image: raise "
            "train.batch_size, or leave a last batch of one out with train.sampler.drop_last=True"
        )
    return UserError(f"{place}: {text}\n  this stopped the run; {more}")


def _train(cfg: Config, model: ReIDModel) -> None:
    plan = plan_of(model)
    data = {d: sample_batch(cfg, plan.train[d], plan.sizes[d], d) for d in model.domains}
    if data:
        model.train()
        model(**model.data_preprocessor(data, True))


def _test(cfg: Config, model: ReIDModel) -> None:
    embedding = model.embed(sample_batch(cfg, plan_of(model).test, {}, when="test"))
    with torch.no_grad():
        block = model.matcher(embedding[:1], embedding)
    if block.shape != (1, IMAGES):
        raise ValueError(f"the matcher gave {tuple(block.shape)} for (1, {IMAGES}) distances")


def _rest(cfg: Config, model: Any) -> None:
    """Evaluator, hooks, and the optimiser, schedule and sampler of every stage."""
    supply = dict(settings=cfg.settings)
    EVALUATORS.build(dict(cfg.evaluation), supply)
    for hook in cfg.get("hooks", {}).values():
        HOOKS.build(dict(hook), supply)
    split = _training_split(cfg, model)
    for stage in stage_configs(cfg):
        train = stage.train
        _schedule(train, build_optimizers(model, train, light=True))
        _sampler(cfg, train, split)


def _names(cfg: Config, model: Any) -> None:
    """Trackers that are installed; modules to freeze and losses to scale, last of all."""
    for number, one in enumerate(cfg.visualizers):
        package = one["type"].removesuffix("VisBackend").lower()
        known = package in ("aim", "clearml", "dvclive", "mlflow", "neptune", "wandb")
        if known and importlib.util.find_spec(package) is None:
            raise UserError(
                f"visualizers.{number}: {one['type']} needs {package}: pip install {package}"
            )
    for stage in stage_configs(cfg):
        freeze(model, stage.train.get("freeze") or [])
        if stage.train.get("loss_mult"):
            model.scale_losses(stage.train.loss_mult)


def _schedule(train: Mapping[str, Any], optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
    """Build a schedule; mmengine's own schedulers on the optimisers that they would change.

    The shorthands are not built as schedulers: their module imports more than torch itself.
    """
    schedulers = build_schedule(train.get("schedule"), train["epochs"], 1)
    if train.get("schedule") is None or isinstance(train["schedule"], Mapping):
        return
    import mmengine.optim  # noqa: F401  (fills the registry)
    from mmengine.registry import PARAM_SCHEDULERS

    for optimizer in optimizers.values():
        for number, options in enumerate(schedulers):
            options = dict(options, optimizer=optimizer)
            options.pop("convert_to_iter_based", None)  # the Runner's, once it knows the epochs
            try:
                PARAM_SCHEDULERS.build(options)
            except TypeError as error:
                raise UserError(f"train.schedule.{number}: {options['type']}: {error}") from None


def _training_split(cfg: Config, model: Any) -> tuple[int, int] | None:
    """Crops and identities of the domain that is sampled; None where only its files tell."""
    if not model.domains:
        return None
    supply = dict(data_root=cfg.settings.data_root, settings=cfg.settings)
    reader = DATASETS.build(dict(cfg.data.domains[model.domains[0]]), supply)
    return reader.expected("train") if isinstance(reader, Reader) else None


def _sampler(cfg: Config, train: ConfigDict, split: tuple[int, int] | None) -> None:
    """Build a sampler for as many identities as there will be, or enough for any batch."""
    crops, identities = split or (16 * train.batch_size, train.batch_size)
    rows = torch.arange(crops)
    SAMPLERS.build(
        dict(train.sampler),
        dict(
            num_samples=crops,
            identities=(rows % identities).numpy(),
            cameras=(rows // identities % 4).numpy(),
            batch_size=train.batch_size,
            seed=0,
            rank=0,
            world_size=1,
            settings=cfg.settings,
        ),
    )


def _problem(error: Exception, cfg: Config, model: ReIDModel | None) -> Problem:
    """What went wrong, at the component whose code was running."""
    what = format_error(error, folders()).replace("\n", "\n      ")
    place, hint = _place(error, cfg, model), ""
    if isinstance(error, UserError) and what.startswith(
        ("train.", "visualizers.")
    ):  # it says where itself
        place, _, what = what.partition(": ")
    of_shapes = isinstance(error, (ValueError, RuntimeError, LookupError))
    if isinstance(model, ReIDModel) and of_shapes and place.startswith("model."):
        size = tuple(cfg.input.size)
        batch = ReIDBatch(torch.zeros(1, 3, *size), cameras=torch.zeros(1, dtype=torch.int64))
        with torch.no_grad():
            features = model.backbone.eval()(batch.images, batch)
        shapes = ", ".join(f"{name} {tuple(one.shape[1:])}" for name, one in features.items())
        hint = f"images of {size[0]}x{size[1]} give features: {shapes}"
    return Problem(place, what, hint)


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
