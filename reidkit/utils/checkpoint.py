"""Reading checkpoints without ever running code from them."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

from reidkit.errors import UserError
from reidkit.utils.arrays import GLOBALS, NotPlain, plain

_ADVICE = "copy it again, or resume from an earlier one"


def load_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict:
    """Read a checkpoint of tensors, numbers, text and arrays; refuse everything else.

    Args:
        path: a ``.pth``/``.pt`` file written by ``torch.save``, or ``.safetensors``.
        map_location: where the tensors go, as for ``torch.load``.

    Returns:
        The stored dict.

    Raises:
        UserError: no such file, not a checkpoint, truncated, a byte of it has changed, it asks for
            code to be run, or it holds arrays of anything but numbers.
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

    refuse_damage(path)
    try:
        with torch.serialization.safe_globals([(what, name) for name, what in GLOBALS.items()]):
            content = plain(torch.load(path, map_location=map_location, weights_only=True))
    except NotPlain as error:
        raise UserError(
            f"{path}: refused, because it holds {error}; export the weights as a plain state dict "
            "or as safetensors"
        ) from None
    except pickle.UnpicklingError as error:
        raise UserError(f"{path}: {_refusal(error)}") from error
    except Exception as error:  # a damaged pickle can raise almost anything
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise UserError(f"{path}: not a complete checkpoint ({reason}); {_ADVICE}") from error
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: holds a {type(content).__name__}; a checkpoint is a dict, as torch.save "
            "writes a model's state_dict()"
        )
    return content


def refuse_damage(path: str | Path) -> None:
    """Refuse a checkpoint in which a byte has changed since it was written.

    ``torch.save`` writes a zip archive with a checksum (CRC-32) of every tensor, and ``torch.load``
    does not look at them; comparing took 0.5 s of processor time per GB. Files of other forms
    are not looked at.

    Raises:
        UserError: with the part that differs.
    """
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            return
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            stored = all(part.compress_type == zipfile.ZIP_STORED for part in parts)
            if not stored or sum(part.file_size for part in parts) > os.path.getsize(path):
                raise UserError(f"{path}: not an archive as torch.save writes it (nothing packed)")
            bad = archive.testzip()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, RuntimeError) as error:
        raise UserError(f"{path}: not a complete checkpoint ({error}); {_ADVICE}") from None
    if bad is not None:
        raise UserError(f"{path}: damaged, {bad} differs from its checksum; {_ADVICE}")


# under which names files keep their weights, and what wrappers put before all names
CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "teacher")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.")


def load_state(path: str | Path) -> dict:
    """The state dict of a checkpoint, bare or in a container, under its own names.

    Raises:
        UserError: as ``load_checkpoint``, or the file holds no tensors.
    """
    import torch

    content = innermost(load_checkpoint(path))
    if not content or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise UserError(f"{path}: holds no state dict (a dict of tensors)")
    return content


def innermost(content: dict) -> dict:
    """What lies in the containers of a checkpoint; the checkpoint itself where there are none.

    Example:
        >>> innermost({"model": {"state_dict": {"a": 1}, "epoch": 2}})
        {'a': 1}
    """
    for key in CONTAINERS:
        if isinstance(content.get(key), dict):
            return innermost(content[key])
    return content


def without_prefixes(state: dict) -> dict:
    """A state dict without what wrappers put before every name of it, however often.

    Example:
        >>> without_prefixes({"module._orig_mod.a": 1, "module._orig_mod.b": 2})
        {'a': 1, 'b': 2}
        >>> without_prefixes({"module.a": 1, "b": 2})
        {'module.a': 1, 'b': 2}
    """
    for prefix in PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            return without_prefixes({n.removeprefix(prefix): v for n, v in state.items()})
    return state


def _refusal(error: Exception) -> str:
    """Why torch refused a pickle: what it asks for, or that it is none."""
    asked = re.search(r"GLOBAL (\S+)", str(error))
    if asked is None:
        return "not a checkpoint as torch.save writes it; is it another file, or damaged?"
    return (
        f"refused, because loading it would run code: {asked.group(1)}. "
        "Only tensors, numbers, text and arrays are read; "
        "export the weights as a plain state dict or as safetensors."
    )
