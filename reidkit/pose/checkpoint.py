"""Weights from files that may come from strangers, put into a model: read, never executed."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import nn

from reidkit.errors import UserError
from reidkit.utils.checkpoint import load_state


def _log_of_mmengine() -> list:
    """What lets the log in mmengine's training checkpoints be rebuilt without running anything.

    Its buffers name four of their own methods, which pickle looks up with ``getattr``. A stand-in
    answers for exactly these with their names and refuses everything else.
    """
    from mmengine.logging import HistoryBuffer

    def method(owner: object, name: object) -> str:
        if owner is HistoryBuffer and name in ("min", "max", "mean", "current"):
            return str(name)
        raise pickle.UnpicklingError(f"Unsupported global: GLOBAL getattr({owner!r}, {name!r})")

    return [HistoryBuffer, (method, "builtins.getattr"), (method, "__builtin__.getattr")]


def load_weights(model: nn.Module, path: Path | str) -> None:
    """Load a ``.pth`` or ``.safetensors`` file; half precision on disk becomes float32.

    Args:
        model: receives the weights; entries of the file that it does not have are ignored.
        path: the checkpoint, mmpose's own or a bare state dict.

    Raises:
        UserError: a file that is missing, cut short or asks to run code (see
            ``reidkit.utils.checkpoint``), or weights that do not fit the model: the text names the
            first that is missing or of another shape.
    """
    with torch.serialization.safe_globals(_log_of_mmengine()):
        state = load_state(path)
    weights = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    try:
        missing = model.load_state_dict(weights, strict=False).missing_keys
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        raise UserError(f"{path}: does not fit this pose config: {lines[0]}") from None
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing:
        raise UserError(
            f"{path}: does not fit this pose config: {len(missing)} weights are missing, "
            f"the first is {missing[0]!r}"
        )
