"""The default experiment, PAP-ST-PS on SynthPed, with a bare PyTorch loop in place of the Runner.

    python examples/plain_train.py                        all of configs/eanet/pap_st_ps.py
    python examples/plain_train.py train.epochs=2         with overrides, as for tools/train.py

It takes reidkit's pieces (configs, readers, loaders, model, evaluator) and none of its loop, and
shows what a run does, step by step. Its losses are those of ``tools/train.py``, to the last bit.
What the run has besides: checkpoints and --resume, stages, several processes, fp16, EMA, trackers.
"""

from __future__ import annotations

import random
import sys

import numpy as np
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR

from reidkit.config import prepare_config
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.devices import choose_device, choose_precision
from reidkit.engine.domains import Domains
from reidkit.engine.evaluate import evaluate
from reidkit.engine.hooks import mixed_seed
from reidkit.engine.optim import build_optimizers
from reidkit.engine.report import table

CONFIG = "eanet/pap_st_ps"


def seed_epoch(seed: int, epoch: int) -> None:
    """Global random numbers (dropout and the like) by seed and epoch; process 0 of one."""
    word = mixed_seed(seed, 0, 1, epoch)
    torch.manual_seed(word)
    np.random.seed(word % 2**32)
    random.seed(word)


def seed_batch(seed: int, step: int, position: int) -> torch.Generator:
    """The generator of one batch, for its random transforms."""
    return torch.Generator().manual_seed(mixed_seed(seed, 0, 2, step, position))


class OneCycle:
    """The rate rises linearly from ``start`` of itself over ``up`` steps, then a cosine to zero."""

    def __init__(self, optimizer: torch.optim.Optimizer, total: int, up: int, start: float = 0.04):
        self.optimizer, self.total, self.up, self.steps = optimizer, total, up, 0
        self.schedule = LinearLR(optimizer, start, total_iters=up - 1)

    def step(self) -> None:
        """Set the rate of the next step."""
        self.steps += 1
        if self.steps < self.up:
            self.schedule.step()
        elif self.steps == self.up:
            self.schedule = CosineAnnealingLR(self.optimizer, max(1, self.total - self.up))
        else:
            self.schedule.step()


def train(cfg, domains: Domains, max_steps: int | None = None):
    """Train the model of a config.

    Args:
        cfg: resolved; one optimiser, one stage, the one_cycle schedule.
        domains: gives the training data.
        max_steps: stop early; None trains all epochs.

    Returns:
        The trained model, and what was logged at every step.
    """
    seed, device = cfg.settings.seed, domains.device
    training_set = TrainingSet.of(domains.split("source", "train"))
    model = build_model(cfg, training_set, choose_precision(cfg.settings.precision, device))
    model.to(device)
    loader = domains.train_loader(model.domains)  # yields {domain: batch}
    optimizer = build_optimizers(model, cfg.train)[""]  # one for the whole model
    total = cfg.train.epochs * len(loader)
    schedule = OneCycle(optimizer, total, up=max(1, round(cfg.train.schedule.pct_start * total)))
    logs: list[dict[str, float]] = []
    for epoch in range(cfg.train.epochs):
        seed_epoch(seed, epoch)
        loader.set_epoch(epoch)  # samplers are pure functions of seed and epoch
        model.train()
        for batches in loader:
            for position, batch in enumerate(batches.values()):
                batch.generator = seed_batch(seed, len(logs), position)
            prepared = model.data_preprocessor(batches, training=True)  # to the device; transforms
            losses = model(**prepared)  # {"loss_<role>": scalar}: one forward pass for each domain
            loss = sum(losses.values())
            assert torch.isfinite(loss), losses
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            logs.append({name: float(value.detach()) for name, value in losses.items()})
            if len(logs) == max_steps:
                return model, logs
        print(f"epoch {epoch + 1}/{cfg.train.epochs}  loss {float(loss.detach()):.3f}")
    return model, logs


def main(overrides: list[str]) -> None:
    """Train, test on both domains, and print the table."""
    cfg = prepare_config(CONFIG, overrides)
    domains = Domains(cfg, choose_device(cfg.settings.device))
    model, _ = train(cfg, domains)
    tests = evaluate(cfg, model, domains)
    print(table(tests, domains.split("source", "train").dataset))


if __name__ == "__main__":
    main(sys.argv[1:])
