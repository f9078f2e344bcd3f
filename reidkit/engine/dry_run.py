"""Do the parts of a config fit each other? Tried on a few random images before data is opened.

Names and options are checked without building anything (``reidkit.config.check``). Whether six
stripes can be cut from a map of eight rows shows only when the parts run on each other; a run that
finds out after it has rendered, labelled and loaded its data has wasted its user's time.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.config import Config, ConfigDict

from reidkit.config import stage_configs
from reidkit.config.problems import ConfigError, Problem
from reidkit.data.crops import STORED
from reidkit.data.datasets.reader import Reader
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.failure import problem_of
from reidkit.engine.label_plan import labeller_problems, plan_of
from reidkit.engine.optim import build_optimizers, build_schedule, refuse_no_step
from reidkit.engine.param_groups import freeze, freeze_layers
from reidkit.engine.sample_batch import IDENTITIES, IMAGES, sample_batch
from reidkit.errors import UserError
from reidkit.models.inputs import asks_of, who_gives
from reidkit.models.reid_model import ReIDModel
from reidkit.registry import (
    DATASETS,
    EVALUATORS,
    HOOKS,
    SAMPLERS,
)


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
            return [problem_of(error, cfg, None)]
        model = models[0]
        whole = isinstance(model, ReIDModel)
        problems += input_problems(cfg, model) if whole else []
        # without an input nothing runs: the rest would only say the same again
        attempts = (_train, _test, _rest, _names) if whole and not problems else (_rest, _names)
        for attempt in attempts:
            try:
                attempt(cfg, model)
            except Exception as error:
                problems.append(problem_of(error, cfg, model))
    return list(dict.fromkeys(problems))


def input_problems(cfg: Config, model: ReIDModel) -> Iterator[Problem]:
    """Names that a loss or head asks for and that no head, transform or data set gives.

    Args:
        cfg: resolved, checked, with its plugins loaded.
        model: built from it.
    """
    plan = plan_of(model)
    yield from labeller_problems(cfg, plan)
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


def _train(cfg: Config, model: ReIDModel) -> None:
    plan, count = plan_of(model), 1 if cfg.train.batch_size == 1 else IMAGES
    data = {
        d: sample_batch(cfg, plan.train[d], plan.sizes[d], d, images=count) for d in model.domains
    }
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
        sampler = _sampler(cfg, train, split)
        if split is not None:
            refuse_no_step(train, len(sampler))


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
        freeze_layers(model, stage.train.get("freeze_layers", 0))
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


def _sampler(cfg: Config, train: ConfigDict, split: tuple[int, int] | None) -> Any:
    """Build a sampler for as many identities as there will be, or enough for any batch."""
    crops, identities = split or (16 * train.batch_size, train.batch_size)
    rows = torch.arange(crops)
    return SAMPLERS.build(
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
