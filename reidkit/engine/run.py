"""One run from a checked config: data, labels, model, training, test, pictures."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import barrier, broadcast_object_list, is_main_process
from mmengine.hooks import Hook

from reidkit.config import render
from reidkit.config.load import has_recipe
from reidkit.engine.build import build_model, freeze, load_initial_weights
from reidkit.engine.devices import choose_device, choose_precision, start_processes
from reidkit.engine.domains import Domains
from reidkit.engine.evaluate import TestRun, build_evaluator, evaluate, numbers, table
from reidkit.engine.folder import CHECKPOINT, write_json
from reidkit.engine.hooks import FiniteLossHook, LastCheckpointHook, ProgressHook, RandomnessHook
from reidkit.engine.optim import build_optim, build_schedule
from reidkit.engine.prerequisites import train_needs
from reidkit.engine.products.pictures import draw_pictures
from reidkit.engine.refresh import RefreshSamplerHook
from reidkit.engine.resume import continuation
from reidkit.engine.runner import ReIDRunner
from reidkit.evaluation.io.queries import write_queries
from reidkit.registry import HOOKS
from reidkit.utils.checkpoint import load_state
from reidkit.utils.commands import cli_command
from reidkit.utils.io import atomic_write
from reidkit.utils.progress import clock


@dataclass
class Finished:
    """What a finished run leaves: its folder, the test sets with embeddings, the text table."""

    folder: Path
    tests: list[TestRun]
    table: str


def train(cfg: Config, folder: Path, resume: bool = False, launcher: str = "auto") -> Finished:
    """Run a resolved and checked config to its result.

    Args:
        cfg: of ``load_config``; plugins are loaded, nothing else is built yet.
        folder: the run folder; made if missing.
        resume: continue from ``checkpoints/last.pth`` if it is there.
        launcher: as ``start_processes``.

    Returns:
        The finished run; under several processes every rank returns the same numbers.

    Raises:
        UserError: missing data, labels that do not fit, a loss that is not a number.
    """
    device = choose_device(cfg.settings.device)
    precision = choose_precision(cfg.settings.precision, device)
    launcher = start_processes(launcher, device)
    agreed = [str(folder)]
    broadcast_object_list(agreed)  # each process chose a folder; the first one's counts
    folder = Path(agreed[0])
    say = print if is_main_process() else (lambda *a, **k: None)
    say(opening(cfg, folder, device, precision))
    if resume:
        say(continuation(cfg, folder))
    began = time.time()
    train_needs(cfg, launcher)
    domains = Domains(cfg, device)
    model_domains = list(
        dict.fromkeys(role.domain for role in cfg.model.get("losses", {}).values())
    )
    extra = build_evaluator(cfg).extra_splits
    domains.prepare(model_domains or ["source"], list(cfg.data.tests), extra)
    prepared = time.time()
    if is_main_process():
        with atomic_write(folder / "config.py", "w") as file:
            file.write(render(cfg))
    for stage, stage_folder in stages(cfg, folder):
        runner = build_runner(stage, stage_folder, domains, device, precision, resume, launcher)
        runner.train()
        barrier()  # the first process writes the checkpoint that all read next
    trained = time.time()
    model = runner.model.module if hasattr(runner.model, "module") else runner.model
    model.load_state_dict(load_state(folder / CHECKPOINT))
    tests = evaluate(cfg, model, domains)
    trained_on = domains.split(model.domains[0], "train").dataset
    text = table(tests, trained_on)
    if is_main_process():
        if cfg.settings.pictures:
            draw_pictures(folder, cfg, model, domains, tests)
        seconds = dict(
            prepare=prepared - began, train=trained - prepared, test=time.time() - trained
        )
        notes = dict(
            trained_on=trained_on, device=str(device), precision=precision, logs=last_logs(runner)
        )
        record(cfg, folder, tests, seconds, notes)
        say(closing(cfg, folder, text, seconds))
    return Finished(folder, tests, text)


def record(
    cfg: Config, folder: Path, tests: list[TestRun], seconds: dict[str, float], notes: dict
) -> None:
    """Write a run's numbers: a table of the queries of each test set, and ``metrics.json``."""
    for test in tests:
        write_queries(folder / f"queries_{test.domain}.csv", test.result.per_query)
    result = dict(data=cfg.data.name, groups=dict(cfg.groups), seed=cfg.settings.seed, **notes)
    rounded = {name: round(value, 1) for name, value in seconds.items()}
    write_json(folder / "metrics.json", dict(result, seconds=rounded, tests=numbers(tests)))


def last_logs(runner: ReIDRunner) -> dict[str, float]:
    """Losses and what else the model logs, each its mean over the last epoch of the last stage."""
    steps = len(runner.train_dataloader)
    found = {
        name.removeprefix("train/"): values.data[0][-steps:]
        for name, values in runner.message_hub.log_scalars.items()
        if name.startswith("train/")
    }
    skipped = ("lr", "base_lr", "time", "data_time", "memory")
    return {n: float(v.mean()) for n, v in found.items() if n not in skipped and len(v)}


def stages(cfg: Config, folder: Path) -> Iterator[tuple[Config, Path]]:
    """The parts of a run that train differently, each with its config and folder, in order.

    ``train.stages`` is a list of changes to ``train``; every stage but the last lies in a folder of
    its own, and each starts from the weights of the one before. A run without stages is one stage.
    """
    changes = cfg.train.get("stages") or [{}]
    before = cfg.train.get("load_from")
    for number, change in enumerate(changes, 1):
        last = number == len(changes)
        place = folder if last else folder / f"stage{number}"
        stage = copy.deepcopy(cfg)
        stage.train.update(dict(change, load_from=before, keep_classifiers=number > 1))
        if len(changes) > 1 and is_main_process():
            print(f"stage {number}/{len(changes)}: {dict(change)}")
        yield stage, place
        before = str(place / CHECKPOINT)


def build_runner(
    cfg: Config,
    folder: Path,
    domains: Domains,
    device: torch.device,
    precision: str,
    resume: bool,
    launcher: str,
) -> ReIDRunner:
    """Model, loaders, optimiser, schedule and hooks joined in mmengine's Runner."""
    train_cfg, settings = cfg.train, cfg.settings
    runs = {role: need["run"] for role, need in cfg.get("needs", {}).items()}
    model = build_model(cfg, domains, precision, runs=runs)
    load_initial_weights(
        model, train_cfg.get("load_from"), train_cfg.get("keep_classifiers", False)
    )
    loaded = getattr(getattr(model, "backbone", None), "loaded", None)
    if loaded is not None and is_main_process():
        print(loaded.report())
    freeze(model, train_cfg.get("freeze") or [])
    if train_cfg.get("losses"):
        model.use_losses(list(train_cfg.losses))
    loader = domains.train_loader(model.domains, train_cfg)
    backends = [dict(type="TensorboardVisBackend")] if settings.tensorboard else []
    backends += [dict(type="WandbVisBackend")] if settings.wandb else []
    schedule = build_schedule(train_cfg.get("schedule"), train_cfg.epochs, len(loader))
    last = folder / CHECKPOINT
    return ReIDRunner(
        device,
        model=model,
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=train_cfg.epochs),
        optim_wrapper=build_optim(model, train_cfg, precision),
        param_scheduler=schedule or None,
        default_hooks=dict(
            logger=dict(type="LoggerHook", interval=10), checkpoint=None, sampler_seed=None
        ),
        custom_hooks=custom_hooks(cfg, domains),
        visualizer=dict(type="Visualizer", vis_backends=backends),
        randomness=dict(seed=settings.seed, deterministic=settings.deterministic),
        env_cfg=dict(dist_cfg=dict(backend="nccl" if device.type == "cuda" else "gloo")),
        launcher=launcher,
        load_from=str(last) if resume and last.exists() else None,
        resume=bool(resume and last.exists()),
        experiment_name=folder.name,
        cfg=Config(
            dict(
                find_unused_parameters=bool(train_cfg.get("freeze") or train_cfg.get("losses")),
                needs=runs,  # hooks may want the runs that this one builds on
            )
        ),
    )


def custom_hooks(cfg: Config, domains: Domains) -> list[Hook]:
    """What happens around steps and epochs: the core's hooks, then those that the config names."""
    settings, train_cfg = cfg.settings, cfg.train
    hooks: list[Hook] = [RandomnessHook(settings.seed), ProgressHook(), FiniteLossHook()]
    hooks.append(RefreshSamplerHook(settings.workers))
    hooks.append(LastCheckpointHook(train_cfg.get("checkpoint_every", 1)))
    if train_cfg.get("eval_every"):
        hooks.append(EvaluateHook(cfg, domains, train_cfg.eval_every))
    if settings.ema:
        from mmengine.hooks import EMAHook

        hooks.append(EMAHook(momentum=0.001))
    return hooks + [HOOKS.build(dict(hook)) for hook in cfg.get("hooks", [])]


class EvaluateHook(Hook):
    """Tests the model every few epochs; the numbers are shown and logged, never used to choose.

    Args:
        cfg: the resolved config.
        domains: gives the test sets.
        every: epochs between two tests.
    """

    priority = "VERY_LOW"  # after the epoch's own line

    def __init__(self, cfg: Config, domains: Domains, every: int):
        self.cfg, self.domains, self.every = cfg, domains, every

    def after_train_epoch(self, runner) -> None:
        """Test when due; the last epoch is tested by the run itself."""
        epoch = runner.epoch + 1
        if epoch % self.every or epoch == runner.max_epochs:
            return
        model = runner.model.module if hasattr(runner.model, "module") else runner.model
        for run in evaluate(self.cfg, model, self.domains):
            found = {n: run.result.metrics[n] for n in ("mAP", "R1") if n in run.result.metrics}
            for name, value in found.items():
                runner.visualizer.add_scalar(f"test/{run.domain}/{name}", value, runner.iter)
            if is_main_process():
                shown = "  ".join(f"{name} {100 * value:.1f}" for name, value in found.items())
                print(f"  test {run.query.dataset}: {shown}")
        model.train()


def opening(cfg: Config, folder: Path, device: torch.device, precision: str) -> str:
    """The run's first lines: what it uses and what it will write."""
    plugins = ", ".join(cfg.get("plugins", [])) or "none"
    parts = [stage.get("epochs", cfg.train.epochs) for stage in cfg.train.get("stages") or [{}]]
    epochs = " + ".join(map(str, parts))
    return (
        f"data    {cfg.data.name} (data={cfg.groups.data}), folder {cfg.settings.data_root}\n"
        f"recipe  {cfg.groups.recipe}: {epochs} epochs of batches of "
        f"{cfg.train.batch_size}, input {'x'.join(map(str, cfg.input.size))}\n"
        f"device  {device}, {precision}; plugins: {plugins}; seed {cfg.settings.seed}\n"
        f"writes  {folder}"
    )


def closing(cfg: Config, folder: Path, text: str, seconds: dict[str, float]) -> str:
    """The run's last lines: the table, where everything lies, and what to run next."""
    times = ", ".join(f"{name} {clock(value)}" for name, value in seconds.items())
    lines = ["", text, "", f"time    {times}", f"run     {folder}"]
    lines.append(f"again   {cli_command('test')} {folder}")
    if cfg.groups.recipe == "quick" and has_recipe(cfg.source, "paper"):
        lines.append(
            f"paper   {cli_command('train')} {cfg.source} recipe=paper "
            f"data={cfg.data.get('real', cfg.groups.data)}   "
            "(needs a GPU and the real data: docs/data.md)"
        )
    sys.stdout.flush()
    return "\n".join(lines)
