"""A whole run at tiny size: does the method train, and does it learn anything?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.logging import MessageHub

from reidkit.config.check import prepare_config
from reidkit.engine.dry_run import refuse_incompatible
from reidkit.engine.evaluate import TestRun
from reidkit.engine.run import complete_run
from reidkit.evaluation.matchers.vectors import EuclideanMatcher
from reidkit.registry import EVALUATORS
from reidkit.structures import Embedding
from reidkit.testing.fakes import labelled

QUIET = ("settings.workers=0", "settings.pictures=False", "visualizers=[]")


@dataclass(frozen=True)
class ShortRun:
    """What a short run showed.

    Attributes:
        folder: the run folder; ``reidkit.load`` reads it.
        metrics: test set -> metric -> value in [0, 1].
        chance: the same, for embeddings of random numbers: what a method that learned nothing gets.
        losses: name ("loss", "loss_id") -> mean over the first and over the last epoch.
    """

    folder: Path
    metrics: dict[str, dict[str, float]]
    chance: dict[str, dict[str, float]]
    losses: dict[str, tuple[float, float]]


def train_and_test(
    config: str,
    data_root: str | Path,
    folder: str | Path,
    overrides: Sequence[str] = (),
    data: str = "synthped_tiny",
) -> ShortRun:
    """Train and test a config as ``reidkit train`` does, on few images; about a minute on one core.

    Args:
        config: file or name ("mypaper/baseline").
        data_root: where data lies or is rendered: the fixture ``tiny_synthped``.
        folder: the run folder.
        overrides: as on the command line, over the config's quick recipe.
        data: the data group.

    Raises:
        UserError, ConfigError: what the command line would say.
    """
    cfg = prepare_config(
        config, [f"data={data}", f"settings.data_root={data_root}", *QUIET, *overrides]
    )
    refuse_incompatible(cfg, config)
    finished = complete_run(cfg, folder)
    steps = MessageHub.get_current_instance().log_scalars
    losses = {}
    for name, buffer in steps.items():
        if name.startswith("train/loss"):
            values = buffer.data[0]
            share = max(1, len(values) // cfg.train.epochs)
            losses[name.removeprefix("train/")] = (
                float(values[:share].mean()),
                float(values[-share:].mean()),
            )
    evaluator = EVALUATORS.build(dict(cfg.evaluation), dict(settings=cfg.settings))
    return ShortRun(
        finished.folder,
        {run.domain: dict(run.result.metrics) for run in finished.tests},
        {run.domain: _chance(run, evaluator) for run in finished.tests},
        losses,
    )


def _chance(run: TestRun, evaluator) -> dict[str, float]:
    """What random embeddings score on a test set."""
    source = torch.Generator().manual_seed(0)
    embeddings = [
        Embedding(torch.randn(len(split), 1, 64, generator=source))
        for split in (run.query, run.gallery)
    ]
    both = labelled(embeddings, (run.query, run.gallery))
    result = evaluator.evaluate(*both, EuclideanMatcher())
    return dict(result.metrics)
