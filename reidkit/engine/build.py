"""A model from the config, with the numbers that only the data knows, and its starting weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import ConfigDict
from torch import nn

from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.models.weights import Loaded, pair_weights
from reidkit.registry import MODELS


@dataclass(frozen=True)
class TrainingSet:
    """What a model is built with of the split that it learns identities from.

    Args:
        num_identities: number K of its identities.
        cameras: its cameras, sorted.

    Example:
        >>> TrainingSet(751, (1, 2, 3)).num_identities
        751
    """

    num_identities: int
    cameras: tuple[int, ...] = ()

    @classmethod
    def stored(cls, kept: Any, where: str) -> TrainingSet:
        """What a file keeps of one.

        Args:
            kept: as ``asdict`` gives it, or what else is there.
            where: what the message of a refusal begins with.

        Raises:
            UserError: it is none, or has no identities, or more than 16 million.

        Example:
            >>> TrainingSet.stored(dict(num_identities=2, cameras=[1, 3]), "x").cameras
            (1, 3)
        """
        values = kept if isinstance(kept, Mapping) else {}
        count, cameras = values.get("num_identities"), values.get("cameras")
        numbers: list[Any] = [count, *cameras] if isinstance(cameras, (list, tuple)) else [None]
        if not all(type(number) is int for number in numbers) or not 0 < numbers[0] < 1 << 24:
            raise UserError(f"{where}: expected num_identities, a whole number from 1, and cameras")
        return cls(numbers[0], tuple(numbers[1:]))

    @classmethod
    def of(cls, split: Split) -> TrainingSet:
        """What there is to know of a split."""
        return cls(split.relabel()[1], tuple(sorted(set(split.cameras.tolist()))))


def build_model(
    cfg: ConfigDict,
    training_set: TrainingSet,
    precision: str = "fp32",
    runs: Mapping[str, str] | None = None,
    starting_weights: bool = True,
) -> Any:
    """Build ``cfg.model`` for a training set, an input size and a precision.

    Args:
        cfg: the resolved config.
        training_set: of this run, or of the one whose weights are loaded next.
        precision: of training: "fp32", "bf16" or "fp16".
        runs: role -> folder of the runs that training builds on; None where nothing is trained.
        starting_weights: False builds every network with ``pretrained=None``, for a model that
            gets a run's weights: what it started from is not needed, and may be gone.
    """
    torch.manual_seed(cfg.settings.seed)
    model = cfg.model.to_dict()
    return MODELS.build(
        model if starting_weights else without_weights(model),
        dict(
            num_identities=training_set.num_identities,
            cameras=training_set.cameras,
            input_size=tuple(cfg.input.size),
            settings=cfg.settings,
            precision=precision,
            channels_last=cfg.settings.channels_last,
            runs=runs,
        ),
    )


def without_weights(node: Any) -> Any:
    """A tree of component configs in which no ``pretrained`` names weights."""
    if isinstance(node, dict):
        return {
            key: None if key == "pretrained" else without_weights(value)
            for key, value in node.items()
        }
    if isinstance(node, (list, tuple)):
        return type(node)(without_weights(value) for value in node)
    return node


def unwrapped(model: nn.Module) -> Any:
    """The model itself, out of the wrapper that several processes put around it."""
    return getattr(model, "module", model)


def load_initial_weights(
    model: nn.Module, path: str | None, keep_classifiers: bool = False
) -> Loaded | None:
    """Start from the weights of another run, or of the stage before.

    Args:
        model: heads and losses tell by ``classifier_parameters()`` what belongs to identities.
        path: a checkpoint, or None for nothing.
        keep_classifiers: False leaves the classifiers new, whatever their size: another run's
            identities are not this one's, even when there happen to be as many.

    Returns:
        What became of its tensors.

    Raises:
        UserError: a weight other than a classifier's is missing or of another shape.
    """
    if path is None:
        return None
    fresh = set() if keep_classifiers else classifier_names(model)
    try:
        taken, loaded = pair_weights(
            {n: v for n, v in model.state_dict().items() if n not in fresh},
            path,
            type(model).__name__,
            beyond=fresh.__contains__,
            beside=(),
        )
    except UserError as error:
        raise UserError(
            f"train.load_from={error}\n  it takes the weights of a whole run; for a network's own: "
            "model.backbone.pretrained=FILE"
        ) from None
    model.load_state_dict({**model.state_dict(), **taken})
    return loaded


def classifier_names(model: nn.Module) -> set[str]:
    """Names of the parameters, and of lookup tables, that belong to the training identities."""
    owners: list[Any] = [m for m in model.modules() if hasattr(m, "classifier_parameters")]
    wanted = {id(p) for owner in owners for p in owner.classifier_parameters()}
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return {name for name, tensor in tensors if id(tensor) in wanted}
