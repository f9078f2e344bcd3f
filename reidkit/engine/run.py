"""One run: prepare, train, test, record. The folder it leaves opens again as the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process

from reidkit.config import render, with_keys
from reidkit.config.override import parse_override
from reidkit.engine.build import TrainingSet, unwrapped
from reidkit.engine.calibrate import calibrate_and_store, read_calibration
from reidkit.engine.devices import choose_device, choose_precision, start_processes
from reidkit.engine.domains import Domains
from reidkit.engine.evaluate import TestRun, build_evaluator, evaluate
from reidkit.engine.folder import CHECKPOINT, Claim, claim_together, write_json
from reidkit.engine.label_plan import plan_of
from reidkit.engine.load import load_model, read_config
from reidkit.engine.prerequisites import train_prerequisites
from reidkit.engine.report import closing, numbers, opening, table
from reidkit.engine.resume import continuation
from reidkit.evaluation.io.queries import write_queries
from reidkit.utils.checkpoint import load_state
from reidkit.utils.io import atomic_write, ensure_writable, refuse_links
from reidkit.utils.leftovers import clear_leftovers


class Run:
    """A config in a folder on a device, and what has become of it so far.

    A new run goes through ``prepare``, ``train``, ``test`` and ``record``, in this order. A
    finished one is opened from its folder and has a model: it can be tested at once.

    Args:
        cfg: a resolved config whose plugins are loaded; ``train_prerequisites`` changes it.
        folder: the run folder; made when something is written.
        device: where the model runs.
        precision: of training: "fp32", "bf16" or "fp16"; tests are always float32.
        launcher: mmengine's name for what started the processes, "none" for a single one.
        resume: go on from ``checkpoints/last.pth`` if it is there.

    Attributes:
        model: of the last stage that was trained, or read back; None before.
        weights: file that a model which is read back comes from; None: a library's own.
        tests: of the last ``test``, one per test set.
        logs: losses and what else the model logs, each its mean over the last epoch.
        seconds: how long each step took.
    """

    def __init__(
        self,
        cfg: Config,
        folder: str | Path,
        device: torch.device,
        precision: str = "fp32",
        launcher: str = "none",
        resume: bool = False,
    ):
        self.cfg, self.folder = cfg, Path(folder)
        self.device, self.precision, self.launcher = device, precision, launcher
        self.resume = resume
        self.domains = Domains(cfg, device)
        self.model: Any = None
        self.weights: Path | None = self.folder / CHECKPOINT
        self.tests: list[TestRun] = []
        self.logs: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self._tracker: Any = None  # mmengine's visualiser of the last stage, still open
        self._claim: Claim | None = None  # of the first process, while the run is being made

    @classmethod
    def start(
        cls,
        cfg: Config,
        folder: str | Path | Callable[[], Claim],
        launcher: str = "auto",
        resume: bool = False,
    ) -> Run:
        """A new run on the device and in the precision that the settings name.

        Its folder is this run's alone until ``release``. Under several processes the first one
        claims it, and all take it.

        Args:
            cfg: as for the class.
            folder: a run folder, or what claims one.
            launcher: as ``start_processes``.
            resume: as for the class.

        Raises:
            UserError: a device or precision that is not to be had here; a folder that holds a
                run which is not to be resumed, or in which another process trains.
        """
        device = choose_device(cfg.settings.device)
        precision = choose_precision(cfg.settings.precision, device)
        launcher = start_processes(launcher, device)
        path, claim = claim_together(folder, resume)
        run = cls(cfg, path, device, precision, launcher, resume)
        run._claim = claim
        return run

    def release(self) -> None:
        """Give the folder back to other processes; removes it where nothing was written."""
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    @classmethod
    def open(
        cls,
        folder: str | Path,
        overrides: Sequence[str] = (),
        launcher: str = "none",
        model_only: bool = False,
    ) -> Run:
        """A finished run from its folder: config, plugins and weights, the model in eval mode.

        The folder is enough: starting weights and the original config files may be gone. Data is
        read where the config says, but made only below the default ``data``, or below the folder
        that ``overrides`` name.

        Args:
            folder: holds ``config.py`` and ``checkpoints/last.pth``.
            overrides: as on the command line.
            launcher: how several processes were started, as ``start_processes``.
            model_only: no data set or labeller of the config will be asked for, so that what it
                names for them (a pose config in Python) is not looked at; the run has no domains.

        Raises:
            UserError: not a run folder, or weights that do not fit its config, or a matcher that
                learns and that this run did not train.

        Example:
            >>> run = Run.open("runs/eanet-pcb-synthped-quick-s0")         # doctest: +SKIP
            >>> [test.result.metrics["mAP"] for test in run.test()]        # doctest: +SKIP
            [0.5321, 0.2794]
        """
        folder = Path(folder)
        cfg = read_config(folder, overrides, unread=("data",) if model_only else ())
        if model_only:
            cfg = with_keys(cfg, data=dict(name=cfg.data.name, domains={}, tests=[]))
        device = choose_device(cfg.settings.device)
        run = cls(cfg, folder, device, launcher=start_processes(launcher, device))
        named = {parse_override(text).key for text in overrides}
        run.domains = Domains(cfg, device, named)
        run.model = load_model(cfg, folder, overrides).to(device).eval()
        run.domains.plan = plan_of(run.model)
        run.model.matcher.calibration = read_calibration(folder, cfg)
        return run

    def prepare(self) -> None:
        """Everything that training stands on: runs it needs, data, part labels, the config's file.

        Raises:
            UserError: data that is missing, batches that it cannot fill, links in the folder, or a
                disk that is full or closed.
        """
        self._say(opening(self.cfg, self.folder, self.device, self.precision))
        refuse_links(self.folder)
        if is_main_process():
            clear_leftovers(self.folder, deep=True)
            ensure_writable(self.folder / "config.py")
        if self.resume:
            self._say(continuation(self.cfg, self.folder))
        began = time.time()
        train_prerequisites(self.cfg, self._train_another)
        roles = self.cfg.model.get("losses", {})
        domains = list(dict.fromkeys(role.domain for role in roles.values())) or ["source"]
        extra = build_evaluator(self.cfg).extra_splits
        self.domains.prepare(domains, list(self.cfg.data.tests), extra)
        self._training_set = TrainingSet.of(self.domains.split(domains[0], "train"))
        if is_main_process():
            with atomic_write(self.folder / "config.py", "w") as file:
                file.write(render(self.cfg))
        self.seconds["prepare"] = time.time() - began

    def _train_another(self, cfg: Config, folder: Path, resume: bool) -> None:
        complete_run(cfg, folder, self.launcher, resume)

    def train(self) -> None:
        """Train every stage of the config; afterwards ``model`` has the weights that were kept.

        Its matcher then has a calibration, which is stored with the run.

        Raises:
            UserError: a loss that is not a number, and what components refuse.
        """
        from reidkit.engine.training import last_logs  # heavy: mmengine's Runner

        began = time.time()
        for runner in self.runners():
            runner.train()
            barrier()  # the first process writes the checkpoint that all read next
        self.model, self._tracker = unwrapped(runner.model), runner.visualizer
        self.model.load_state_dict(load_state(self.folder / CHECKPOINT))
        self.logs, self._steps = last_logs(runner), runner.iter
        self._say(calibrate_and_store(self.folder, self.cfg, self.model, self.domains))
        self.seconds["train"] = time.time() - began

    def runners(self) -> Iterator[Any]:
        """mmengine's Runner of each stage in order, built when the one before has been trained."""
        from reidkit.engine.training import build_runner, stage_model, stages

        wanted = self.cfg.get("prerequisites", {})
        runs = {role: one["run"] for role, one in wanted.items()}
        for stage in stages(self.cfg, self.folder):
            self._say(stage.title)
            model = stage_model(stage.cfg, self._training_set, self.precision, runs, self.folder)
            yield build_runner(
                stage,
                model,
                self.domains,
                training_set=self._training_set,
                device=self.device,
                precision=self.precision,
                launcher=self.launcher,
                resume=self.resume,
            )

    def test(self) -> list[TestRun]:
        """Test the model on every test set of the config; all ranks get the same numbers."""
        began = time.time()
        self.tests = evaluate(self.cfg, self.model, self.domains)
        self.seconds["test"] = time.time() - began
        return self.tests

    def record(self) -> None:
        """Say what a trained and tested run has found, write its numbers, draw its pictures.

        The table comes first, whatever becomes of the files, and ``metrics.json`` last: a folder
        that has it is finished.

        Raises:
            DiskError: the disk is full or closed; a run that is resumed only tests and records.
        """
        from reidkit.engine.training import log_final

        training = self.domains.split(self.model.domains[0], "train")
        trained_on = training.dataset
        self._say(f"\n{table(self.tests, trained_on)}")
        log_final(self._tracker, self.tests, self._steps)
        if not is_main_process():
            return
        if self.cfg.settings.pictures:
            from reidkit.engine.products.pictures import draw_pictures

            draw_pictures(self.folder, self.cfg, self.model, self.domains, self.tests)
        for test in self.tests:
            write_queries(self.folder / f"queries_{test.domain}.csv", test.result.per_query)
        content = dict(
            data=self.cfg.data.name,
            groups=dict(self.cfg.groups),
            seed=self.cfg.settings.seed,
            trained_on=trained_on,
            trained_on_fingerprint=training.fingerprint(),
            device=str(self.device),
            precision=self.precision,
            logs=self.logs,
            seconds={name: round(value, 1) for name, value in self.seconds.items()},
            tests=numbers(self.tests),
        )
        write_json(self.folder / "metrics.json", content)
        self._say(closing(self.cfg, self.folder, self.seconds))

    @staticmethod
    def _say(text: str) -> None:
        """Print for people, from the first process only; nothing for an empty text."""
        if text and is_main_process():
            print(text, flush=True)


def complete_run(
    cfg: Config, folder: str | Path, launcher: str = "auto", resume: bool = False
) -> Run:
    """A run from its config to its result, as ``reidkit train`` does it.

    Args:
        cfg: a resolved config whose plugins are loaded.
        folder: the run folder; made if missing.
        launcher: as ``start_processes``.
        resume: go on from ``checkpoints/last.pth`` if it is there.

    Raises:
        UserError: missing data, labels that do not fit, a loss that is not a number.
    """
    run = Run.start(cfg, folder, launcher, resume)
    try:
        run.prepare()
        run.train()
        run.test()
        run.record()
    finally:
        run.release()
    return run
