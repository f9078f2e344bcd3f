"""Reading a file of weights: tensors by name, out of containers and prefixes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from reidkit.errors import UserError
from reidkit.models.weights.families import describe, describe_other, writer_of
from reidkit.utils.checkpoint import innermost, load_checkpoint, without_prefixes


@dataclass(frozen=True)
class Weights:
    """The tensors of a file.

    Attributes:
        path: the file.
        tensors: by name, without prefixes that all names have.
        writer: whose names they are.
        content: what the file holds, in words.
    """

    path: str
    tensors: dict[str, Tensor]
    writer: str
    content: str


def read_weights(path: str | Path) -> Weights:
    """Read the weights of a file, whoever wrote it; nothing in it is executed.

    Args:
        path: ``.pth``, ``.pt``, ``.bin`` or ``.safetensors``: a state dict, bare or in a container
            (``state_dict``, ``model``, ``net``, ``teacher``).

    Raises:
        UserError: as ``load_checkpoint``, or a file without weights: the text says what it holds.
    """
    content = load_checkpoint(path)
    tensors = {n: v for n, v in innermost(content).items() if isinstance(v, Tensor)}
    if not tensors:
        raise UserError(f"{path}: holds no weights, but {describe_other(content)}")
    tensors = without_prefixes(tensors)
    run = isinstance(content.get("meta"), dict) and "training_set" in content["meta"]
    held = describe(tensors)
    writer = writer_of(tensors)
    if run:
        held = f"a run of reidkit: {held}"
    elif writer != "torchvision" and not held.startswith(writer):
        held = f"{writer}'s file: {held}"
    return Weights(str(path), tensors, writer, held)


def refuse_nan(path: str, tensors: dict[str, Tensor]) -> None:
    """Refuse weights that are no numbers.

    Raises:
        UserError: a tensor with NaN or infinity; the text counts them.
    """
    broken = [n for n, v in tensors.items() if v.is_floating_point() and not v.isfinite().all()]
    if broken:
        raise UserError(
            f"{path}: {len(broken)} of {len(tensors)} tensors hold NaN or infinity (first: "
            f"{broken[0]}): the training that wrote them diverged; take an earlier file"
        )
