"""Reading checkpoints without ever running code from them."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

from reidkit.errors import UserError


def load_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict:
    """Read a checkpoint of tensors, numbers, text and arrays; refuse everything else.

    Args:
        path: a ``.pth``/``.pt`` file written by ``torch.save``, or ``.safetensors``.
        map_location: where the tensors go, as for ``torch.load``.

    Returns:
        The stored dict.

    Raises:
        UserError: no such file, not a checkpoint, truncated, or it asks for code to be run.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except Exception as error:
            raise UserError(f"{path}: not a readable safetensors file ({error})") from error
    import torch

    try:
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path}: refused, because loading it would run code: {_named(error)}. "
            "Only tensors, numbers, text and arrays are read; "
            "export the weights as a plain state dict or as safetensors."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise UserError(
            f"{path}: not a complete checkpoint ({str(error).splitlines()[0]}); "
            "copy it again, or resume from an earlier one"
        ) from error


def load_state(path: str | Path) -> dict:
    """The state dict of a checkpoint, whether bare or under ``state_dict`` or ``model``.

    Raises:
        UserError: as ``load_checkpoint``, or the file holds no tensors.
    """
    import torch

    content = load_checkpoint(path)
    for key in ("state_dict", "model"):
        if isinstance(content.get(key), dict):
            content = content[key]
    if not content or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise UserError(f"{path}: holds no state dict (a dict of tensors)")
    return content


def _harmless() -> list:
    """Numpy's arrays and numbers; none of them runs code when rebuilt."""
    import numpy as np
    from numpy._core import multiarray  # numpy >= 2; where pickles of arrays point

    return [
        np.ndarray,
        np.dtype,
        multiarray._reconstruct,
        multiarray.scalar,
        # numpy 1 wrote the older module path
        (multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),
        (multiarray.scalar, "numpy.core.multiarray.scalar"),
        *(type(np.dtype(code)) for code in ("f4", "f8", "i4", "i8", "u1", "?", "O")),
    ]


def _named(error: Exception) -> str:
    """The offending global in torch's message, or the message's first line."""
    text = str(error)
    match = re.search(r"GLOBAL (\S+)", text)
    return match.group(1) if match else text.splitlines()[0]
