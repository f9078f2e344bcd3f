"""One stage of training: its config, its model, and mmengine's Runner that trains it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from reidkit.config import stage_configs
from reidkit.engine.build import (
    TrainingSet,
    build_model,
    load_initial_weights,
    unwrapped,
)
from reidkit.engine.domains import Domains
from reidkit.engine.evaluate import TestRun, evaluate
from reidkit.engine.folder import CHECKPOINT, WEIGHTS
from reidkit.engine.hooks import (
    ComponentHook,
    FiniteLossHook,
    LastCheckpointHook,
    OpenLoggerHook,
    ProgressHook,
    RandomnessHook,
)
from reidkit.engine.optim import build_optim, build_schedule, refuse_no_step
from reidkit.engine.param_groups import freeze, freeze_layers
from reidkit.engine.refresh import RefreshSamplerHook
from reidkit.engine.runner import ReIDRunner
from reidkit.models.weights import Loaded, starting_weights
from reidkit.registry import HOOKS
from reidkit.utils.io import atomic_write

HEADLINES = ("mAP", "R1")  # what trackers plot while a model is trained


@dataclass(frozen=True)
class Stage:
    """A part of a run that trains in a way of its own: its resolved config and its folder."""

    cfg: Config
    folder: Path
    title: str = ""


def stages(cfg: Config, folder: Path) -> Iterator[Stage]:
    """The stages of a run in order; a run without ``train.stages`` is one stage.

    Every stage but the last lies in a folder of its own, and each starts from the weights of the
    one before.

    Args:
        cfg: the resolved config.
        folder: the run folder.
    """
    configs, changes = stage_configs(cfg), cfg.train.get("stages") or {"": {}}
    before = cfg.train.get("load_from")
    for number, (stage, name) in enumerate(zip(configs, changes, strict=True), 1):
        place = folder if number == len(configs) else folder / f"stage{number}"
        stage.train.update(load_from=before, keep_classifiers=number > 1)
        title = f"stage {number}/{len(configs)}, {name}: {dict(changes[name])}"
        title = title if len(configs) > 1 else ""
        yield Stage(stage, place, title)
        before = str(place / CHECKPOINT)


def stage_model(
    cfg: Config,
    training_set: TrainingSet,
    precision: str,
    runs: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Any:
    """The model as a stage starts to train it: weights loaded, modules frozen, losses chosen.

    Args:
        cfg: of the stage.
        training_set: what the model is built with.
        precision: "fp32", "bf16" or "fp16".
        runs: role -> folder of the runs that training builds on.
        folder: where ``weights.txt`` says layer by layer what starting weights gave; None: nowhere.

    Raises:
        UserError: weights of another model, or names that the model does not have.
    """
    model = build_model(cfg, training_set, precision, runs)
    stage_before = cfg.train.get("keep_classifiers", False)
    begun = load_initial_weights(model, cfg.train.get("load_from"), stage_before)
    if is_main_process() and not stage_before:
        _say_weights([begun] if begun else starting_weights(model), folder)
    freeze(model, cfg.train.get("freeze") or [])
    freeze_layers(model, cfg.train.get("freeze_layers", 0))
    if cfg.train.get("loss_mult"):
        model.scale_losses(cfg.train.loss_mult)
    return model


def _say_weights(files: Sequence[Loaded], folder: Path | None) -> None:
    """A line for each file that the model starts from, and the report of its layers."""
    for loaded in files:
        print(f"weights {loaded.summary()}")
    if files and folder is not None:
        with atomic_write(folder / WEIGHTS, "w") as file:
            file.write("\n\n".join(loaded.report() for loaded in files) + "\n")


def build_runner(
    stage: Stage,
    model: Any,
    domains: Domains,
    *,
    training_set: TrainingSet,
    device: torch.device,
    precision: str = "fp32",
    launcher: str = "none",
    resume: bool = False,
) -> ReIDRunner:
    """Model, loaders, optimiser, schedule and hooks joined in mmengine's Runner.

    Args:
        stage: of ``stages``.
        model: of ``stage_model``.
        domains: gives the training loader.
        training_set: kept with every checkpoint.
        device: where the model trains.
        precision: "fp32", "bf16" or "fp16".
        launcher: mmengine's name for what started the processes.
        resume: go on from the checkpoint in the stage's folder if there is one.

    Raises:
        UserError: ``train.accumulate`` batches for a step, and fewer in all of the training.
    """
    cfg, train, settings = stage.cfg, stage.cfg.train, stage.cfg.settings
    loader = domains.train_loader(model.domains, train)
    refuse_no_step(train, len(loader))
    schedule = build_schedule(train.get("schedule"), train.epochs, len(loader))
    last = stage.folder / CHECKPOINT
    goes_on = resume and last.exists()
    return ReIDRunner(
        device,
        find_unused_parameters=any(map(train.get, ("freeze", "freeze_layers", "loss_mult"))),
        model=model,
        work_dir=str(stage.folder),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=train.epochs),
        optim_wrapper=build_optim(model, train, precision),
        param_scheduler=schedule or None,
        default_hooks=dict(logger=OpenLoggerHook(), checkpoint=None, sampler_seed=None),
        custom_hooks=custom_hooks(cfg, domains, training_set),
        visualizer=dict(type="Visualizer", vis_backends=[dict(one) for one in cfg.visualizers]),
        randomness=dict(seed=settings.seed, deterministic=settings.deterministic),
        env_cfg=dict(dist_cfg=dict(backend="nccl" if device.type == "cuda" else "gloo")),
        launcher=launcher,
        load_from=str(last) if goes_on else None,
        resume=goes_on,
        experiment_name=str(stage.folder),  # mmengine shares trackers and logs by this name
        cfg=cfg,
    )


def custom_hooks(cfg: Config, domains: Domains, training_set: TrainingSet) -> list[Hook]:
    """What happens around steps and epochs: the core's hooks, then those that the config names."""
    settings, train = cfg.settings, cfg.train
    hooks: list[Hook] = [RandomnessHook(settings.seed), ProgressHook(), FiniteLossHook()]
    hooks.append(RefreshSamplerHook(settings.workers))
    hooks.append(LastCheckpointHook(train.get("checkpoint_interval", 1), training_set))
    if train.get("eval_interval"):
        hooks.append(EvaluateHook(cfg, domains, train.eval_interval))
    if settings.ema:
        from mmengine.hooks import EMAHook

        hooks.append(EMAHook(momentum=0.001))
    supply = dict(settings=cfg.settings)
    named = (HOOKS.build(dict(hook), supply) for hook in cfg.get("hooks", {}).values())
    return hooks + [hook if isinstance(hook, Hook) else ComponentHook(hook) for hook in named]


class EvaluateHook(Hook):
    """Tests the model every few epochs; the numbers are shown and logged, never used to choose.

    Args:
        cfg: the resolved config.
        domains: gives the test sets.
        interval: epochs between two tests, >= 1.
    """

    priority = "VERY_LOW"  # after the epoch's own line

    def __init__(self, cfg: Config, domains: Domains, interval: int):
        self.cfg, self.domains, self.interval = cfg, domains, interval

    def after_train_epoch(self, runner) -> None:
        """Test when due; the last epoch is tested by the run itself."""
        epoch = runner.epoch + 1
        if epoch % self.interval or epoch == runner.max_epochs:
            return
        model = unwrapped(runner.model)
        for test in evaluate(self.cfg, model, self.domains):
            numbers = {n: test.result.metrics[n] for n in HEADLINES if n in test.result.metrics}
            for name, value in numbers.items():
                runner.visualizer.add_scalar(f"test/{test.domain}/{name}", value, runner.iter)
            if is_main_process():
                text = "  ".join(f"{name} {100 * value:.1f}" for name, value in numbers.items())
                print(f"  test {test.query.dataset}: {text}")
        model.train()


def log_final(visualizer: Any, tests: list[TestRun], step: int) -> None:
    """Send every number of the final test to the trackers, and close them.

    Args:
        visualizer: mmengine's, of the last stage.
        tests: of ``evaluate``.
        step: iterations that were trained.
    """
    for test in tests:
        for name, value in test.result.metrics.items():
            visualizer.add_scalar(f"test/{test.domain}/{name}", float(value), step)
    visualizer.close()


def last_logs(runner: ReIDRunner) -> dict[str, float]:
    """Losses and what else the model logs, each its mean over the last epoch of the last stage."""
    steps = len(runner.train_dataloader)
    logs = {
        name.removeprefix("train/"): values.data[0][-steps:]
        for name, values in runner.message_hub.log_scalars.items()
        if name.startswith("train/")
    }
    skipped = ("lr", "base_lr", "time", "data_time", "memory")
    return {n: float(v.mean()) for n, v in logs.items() if n not in skipped and len(v)}
