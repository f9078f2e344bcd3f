"""mmengine's Runner with what it lacks: safe loading, whole files, any device, a quiet start."""

from __future__ import annotations

import logging
import sys
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import Runner
from torch import nn

from reidkit.engine.build import unwrapped
from reidkit.errors import UserError
from reidkit.utils.checkpoint import load_checkpoint
from reidkit.utils.io import atomic_write
from reidkit.utils.trouble import DiskError, disk_error


class ReIDRunner(Runner):
    """Runner whose checkpoints are read without running code and written whole or not at all.

    Args:
        device: where the model trains; the Runner itself only knows "CUDA if there is one".
        find_unused_parameters: some parameters may get no gradient, as where losses are left out;
            asked of ``DistributedDataParallel``.
        options: keyword arguments of ``mmengine.runner.Runner``.
    """

    def __init__(self, device: torch.device, find_unused_parameters: bool = False, **options: Any):
        self.device, self.find_unused_parameters = device, find_unused_parameters
        super().__init__(log_level="WARNING", **options)

    @property
    def timestamp(self) -> str:
        """Name of the log folder; constant, so that a resumed run goes on in the same place."""
        return "log"

    def build_logger(self, log_level: int | str = "INFO", **options) -> MMLogger:
        """Logger that tells the file everything and the terminal only errors."""
        logger = super().build_logger("INFO", **options)
        for handler in logger.handlers:
            to_file = isinstance(handler, logging.FileHandler)
            handler.setLevel(logging.INFO if to_file else logging.ERROR)
            if isinstance(handler, logging.FileHandler):
                say_once(handler)
        return logger

    def dump_config(self) -> None:
        """Nothing: the run folder's ``config.py`` is written by the engine."""

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Move the model to the chosen device and wrap it for several processes.

        A model with several optimisers stays as it is: its optimisers share gradients.
        """
        model = model.to(self.device)
        if not self.distributed or hasattr(model, "parameter_groups"):
            return model
        return MMDistributedDataParallel(
            module=model,
            device_ids=[self.device.index] if self.device.type == "cuda" else None,
            broadcast_buffers=False,
            find_unused_parameters=self.find_unused_parameters,
        )

    def resume(self, filename: str, *args: Any, **options: Any) -> None:
        """Go on from a checkpoint of this training.

        Raises:
            UserError: it holds other weights, or not all that a training saves.
        """
        try:
            super().resume(filename, *args, **options)
        except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
            said = (str(error).strip().splitlines() or [""])[-1].strip()
            reason = f"{type(error).__name__}: {said[:200]}"
            raise UserError(
                f"{filename}: cannot be gone on from, it does not hold what this training saves "
                f"({reason}); train into another folder"
            ) from error

    def load_checkpoint(self, filename, map_location="cpu", strict=False, revise_keys=()):
        """Load weights into the model; returns the whole checkpoint, read without running code."""
        checkpoint = load_checkpoint(filename, map_location)
        checkpoint.get("meta", {}).pop("config", None)  # mmengine would execute it as Python
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        unwrapped(self.model).load_state_dict(checkpoint["state_dict"])
        self._has_loaded = True
        if "message_hub" in checkpoint:
            checkpoint["message_hub"] = rich_history(checkpoint["message_hub"])
        return checkpoint

    def save_checkpoint(self, out_dir, filename, **options) -> None:
        """Write beside and rename, so that a kill leaves the old checkpoint or the new one.

        Raises:
            DiskError: the disk is full or closed; the old checkpoint is still there.
        """
        try:
            with atomic_write(Path(out_dir, filename)) as file:
                super().save_checkpoint(str(out_dir), Path(file.name).name, **options)
        except DiskError as error:
            needed = checkpoint_size(unwrapped(self.model), self.optim_wrapper)
            cause = error.__cause__
            if isinstance(cause, OSError):
                raise disk_error(cause, Path(out_dir, filename), needed) from None
            raise


def say_once(handler: logging.FileHandler) -> None:
    """Let a log that cannot be written be said in one line, once; training goes on without it.

    Args:
        handler: would print a traceback for every entry.
    """
    said: list[str] = []

    def handle_error(record: logging.LogRecord) -> None:
        if not said:
            said.append(f"{handler.baseFilename}: the log cannot be written ({sys.exc_info()[1]})")
            print(said[0], file=sys.stderr, flush=True)

    handler.handleError = handle_error  # type: ignore[method-assign]


def checkpoint_size(model: nn.Module, optim_wrapper: Any = None) -> int:
    """Bytes that a checkpoint takes at least: the weights, and what the optimiser has of each.

    Args:
        model: not wrapped for several processes.
        optim_wrapper: mmengine's, for one optimiser or several; None counts the weights only.
    """
    total = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    several = hasattr(optim_wrapper, "values")
    for one in optim_wrapper.values() if several else [optim_wrapper]:
        optimizer = getattr(one, "optimizer", None)
        for group in optimizer.param_groups if optimizer is not None else ():
            kept = 2 * ("betas" in group) or int(group.get("momentum", 0) > 0)
            trained = (p for p in group["params"] if p.requires_grad)
            total += kept * sum(p.numel() * p.element_size() for p in trained)
    return total


def plain_data(content: Any) -> Any:
    """Nested containers with Python's numbers and tensors in place of numpy's.

    So that ``torch.load`` of any program reads them, which refuses what needs code.

    Example:
        >>> import numpy as np
        >>> plain_data(dict(eta=np.float64(0.5), rows=[np.arange(2)]))
        {'eta': 0.5, 'rows': [tensor([0, 1])]}
    """
    if isinstance(content, np.generic):
        return content.item()
    if isinstance(content, np.ndarray):
        return torch.from_numpy(content.copy())
    if isinstance(content, Mapping):
        return {key: plain_data(value) for key, value in content.items()}
    if isinstance(content, list):
        return [plain_data(item) for item in content]
    return tuple(map(plain_data, content)) if isinstance(content, tuple) else content


def plain_history(state: dict) -> dict:
    """mmengine's message hub state with numbers and tensors only, so that loading runs no code."""
    scalars = {
        name: dict(
            values=torch.as_tensor(buffer.data[0].copy()),
            counts=torch.as_tensor(buffer.data[1].copy()),
            max_length=buffer.max_length,
        )
        for name, buffer in state["log_scalars"].items()
    }
    return dict(state, log_scalars=scalars)


def rich_history(state: dict) -> dict:
    """The inverse of ``plain_history``."""
    scalars = OrderedDict(
        (name, HistoryBuffer(b["values"].numpy(), b["counts"].numpy(), b["max_length"]))
        for name, b in state["log_scalars"].items()
    )
    return dict(state, log_scalars=scalars)
