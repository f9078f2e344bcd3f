"""Weights from files that may come from strangers, put into a model: read, never executed."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import nn

from reidkit.errors import UserError
from reidkit.utils.checkpoint import load_state, without_prefixes


class _Ignored:
    """Takes the place of a training log's buffer, which nobody asked for."""

    def __setstate__(self, state: object) -> None:
        """Forget it; without this method pickle would want a dict."""


def _log_of_mmengine() -> list:
    """Stand-ins with which the log in mmengine's training checkpoints is read over.

    Its buffers name four of their own methods, which pickle looks up with ``getattr``; that is
    answered for exactly these, with nothing, and refused for everything else.
    """

    def method(owner: object, name: object) -> None:
        if owner is not _Ignored or name not in ("min", "max", "mean", "current"):
            raise pickle.UnpicklingError(f"Unsupported global: GLOBAL getattr({owner!r}, {name!r})")

    buffer = "mmengine.logging.history_buffer.HistoryBuffer"
    return [(_Ignored, buffer), (method, "builtins.getattr"), (method, "__builtin__.getattr")]


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
        state = without_prefixes(load_state(path))
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
