"""Hooks of every run: randomness by step, whole checkpoints, readable progress, a NaN watch."""

from __future__ import annotations

import math
import random
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank, is_main_process
from mmengine.hooks import Hook, LoggerHook

from reidkit.engine.build import TrainingSet, unwrapped
from reidkit.engine.runner import checkpoint_size, plain_data, plain_history
from reidkit.errors import UserError
from reidkit.utils.progress import clock
from reidkit.utils.trouble import ensure_room


def mixed_seed(*numbers: int) -> int:
    """One 63-bit seed from several numbers, well mixed and the same on every machine.

    Example:
        >>> mixed_seed(0, 1, 2) == mixed_seed(0, 1, 2), mixed_seed(0, 1, 2) == mixed_seed(0, 2, 1)
        (True, False)
    """
    words = np.random.SeedSequence([int(n) for n in numbers]).generate_state(2, np.uint32)
    return (int(words[0]) << 31) ^ int(words[1])


def _number(value: torch.Tensor | float) -> float:
    return float(value.detach()) if isinstance(value, torch.Tensor) else float(value)


class ComponentHook(Hook):
    """A component that has some of a hook's methods, as mmengine's Runner takes it.

    Args:
        component: has methods such as ``before_train(runner)`` and ``after_train_epoch(runner)``,
            and may have a ``priority``. It need not be a ``mmengine.hooks.Hook``, whose import
            costs more than torch.
    """

    def __init__(self, component: Any):
        self.priority = getattr(component, "priority", "NORMAL")
        for name in dir(component):
            if name.startswith(("before_", "after_")):
                setattr(self, name, getattr(component, name))


class RandomnessHook(Hook):
    """Randomness by (seed, rank, step): a resumed run draws what an unbroken one would.

    Every batch gets its own generator for the batch transforms; the global generators (dropout and
    the like) are set at the start of each epoch.

    Args:
        seed: of the run.
    """

    priority = "VERY_HIGH"

    def __init__(self, seed: int = 0):
        self.seed = seed

    def before_train_epoch(self, runner) -> None:
        """Set the global generators and tell samplers the epoch."""
        word = mixed_seed(self.seed, get_rank(), 1, runner.epoch)
        torch.manual_seed(word)
        np.random.seed(word % 2**32)
        random.seed(word)
        runner.train_dataloader.set_epoch(runner.epoch)

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Give every domain's batch its generator."""
        for i, batch in enumerate((data_batch or {}).values()):
            word = mixed_seed(self.seed, get_rank(), 2, runner.iter, i)
            batch.generator = torch.Generator().manual_seed(word)


class LastCheckpointHook(Hook):
    """Keeps ``checkpoints/last.pth``, replaced whole every few epochs and at the end.

    Args:
        interval: epochs between two checkpoints, >= 1.
        training_set: which a model that is read back is built with.
    """

    priority = "VERY_LOW"

    def __init__(self, interval: int = 1, training_set: TrainingSet | None = None):
        self.interval, self.training_set = interval, training_set or TrainingSet(1)

    def before_train(self, runner) -> None:
        """See that the disk has room for the first checkpoint, before an epoch is spent."""
        if is_main_process():
            needed = checkpoint_size(unwrapped(runner.model), runner.optim_wrapper)
            ensure_room(runner.work_dir, needed, "a checkpoint")

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Leave nothing in the checkpoint that needs code to be read."""
        checkpoint["meta"]["training_set"] = asdict(self.training_set)
        checkpoint["message_hub"] = plain_history(checkpoint["message_hub"])
        for name in checkpoint:
            if not name.endswith("state_dict"):  # tensors, and their order counts
                checkpoint[name] = plain_data(checkpoint[name])

    def after_train_epoch(self, runner) -> None:
        """Write the checkpoint when it is due."""
        last = runner.epoch + 1 == runner.max_epochs
        if is_main_process() and (last or (runner.epoch + 1) % self.interval == 0):
            folder = Path(runner.work_dir, "checkpoints")
            folder.mkdir(parents=True, exist_ok=True)
            runner.save_checkpoint(folder, "last.pth", by_epoch=True)


class OpenLoggerHook(LoggerHook):
    """mmengine's ``LoggerHook``, which leaves the trackers open for the numbers of the final test.

    Args:
        interval: iterations between two entries.
    """

    def __init__(self, interval: int = 10):
        super().__init__(interval=interval)

    def after_run(self, runner) -> None:
        """Nothing: the run closes the visualiser when it has recorded its numbers."""


class FiniteLossHook(Hook):
    """Stops a run whose loss is not a number, naming the part and the last checkpoint."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Look at the summed loss; one number per step is read back."""
        if outputs is None or math.isfinite(_number(outputs["loss"])):
            return
        bad = [k for k, v in outputs.items() if not math.isfinite(_number(v))]
        parts = [k.removeprefix("loss_") for k in bad if k != "loss"]
        advice = "try a lower train.optimizer.lr, train.clip_grad=10.0 or settings.precision=fp32"
        kept = Path(runner.work_dir, "checkpoints", "last.pth")
        if kept.exists():
            advice = (
                f"{kept} holds the last epoch that was kept; go on from there with --work-dir "
                f"{runner.work_dir} --resume, and {advice}"
            )
        raise UserError(
            f"training: loss {', '.join(parts or bad)} is {_number(outputs['loss'])} at epoch "
            f"{runner.epoch + 1}, step {batch_idx + 1}; {advice}"
        )


class ProgressHook(Hook):
    """One line per epoch, moving on a terminal: loss with its parts, learning rate, images/s, ETA.

    Each part is the mean of the steps that gave it: a model may leave some out.

    Args:
        interval: seconds between two refreshes of the moving line.
    """

    priority = "LOW"

    def __init__(self, interval: float = 1.0):
        self.interval = interval
        self.live = sys.stdout.isatty()

    def before_train(self, runner) -> None:
        """Start the clock of the ETA."""
        self.start, self.start_iter = time.time(), runner.iter

    def before_train_epoch(self, runner) -> None:
        """Start the losses of the epoch."""
        self.values: dict[str, list[float]] = {}
        self.images, self.steps, self.epoch_start, self.refreshed = 0, 0, time.time(), 0.0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Add up, and refresh the line when due."""
        self.steps += 1
        self.images += sum(len(b) * b.frames for b in (data_batch or {}).values())
        for name, value in (outputs or {}).items():
            self.values.setdefault(name, []).append(_number(value))
        if self.live and time.time() - self.refreshed > self.interval:
            self.refreshed = time.time()
            self._print(runner, end="\r")

    def after_train_epoch(self, runner) -> None:
        """Finish the line."""
        self._print(runner, end="\n")

    def _print(self, runner, end: str) -> None:
        if not is_main_process():
            return
        mean = {name: float(np.mean(values)) for name, values in self.values.items()}
        parts = "  ".join(
            f"{k.removeprefix('loss_')} {v:.3f}" for k, v in mean.items() if k != "loss"
        )
        rate = self.images / max(1e-9, time.time() - self.epoch_start)
        done = runner.iter + 1 - self.start_iter
        left = (time.time() - self.start) / done * (runner.max_iters - runner.iter - 1)
        rates = runner.optim_wrapper.get_lr()  # of several optimisers: "<name>.lr"
        lr = next(v for name, v in rates.items() if name.split(".")[-1] == "lr")[0]
        width = len(str(runner.max_epochs))
        line = (
            f"epoch {runner.epoch + 1:{width}d}/{runner.max_epochs}  "
            f"step {self.steps}/{len(runner.train_dataloader)}  loss {mean.get('loss', 0):.3f} "
            f"({parts})  lr {lr:.2g}  {rate:.0f} images/s  ETA {clock(max(0, left))}"
        )
        print(f"{line:<100}" if self.live else line, end=end, flush=True)
        if end == "\n":
            runner.logger.info(line)
