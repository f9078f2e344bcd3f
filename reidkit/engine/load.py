"""The model of a finished run, from the run folder alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor, nn

from reidkit.config import read_run_config
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.folder import CHECKPOINT
from reidkit.errors import UserError
from reidkit.registry import MATCHERS
from reidkit.utils.checkpoint import load_checkpoint


def read_config(folder: Path, overrides: Sequence[str] = (), unread: Sequence[str] = ()) -> Config:
    """The resolved config of a run folder, its plugins loaded.

    Args:
        folder: holds ``config.py`` and ``checkpoints/last.pth``.
        overrides: as on the command line.
        unread: as ``read_run_config``.

    Raises:
        UserError: not a run folder, or a config that would execute something.
    """
    for needed in ("config.py", CHECKPOINT):
        if not (folder / needed).is_file():
            raise UserError(f"{folder}: not a run folder, it has no {needed}")
    return read_run_config(folder, list(overrides), unread)


def load_model(cfg: Config, folder: Path, overrides: Sequence[str] = ()) -> Any:
    """The run's model with its weights, built once, without the weights that it started from.

    Args:
        cfg: of ``read_config``.
        folder: the run folder.
        overrides: those that ``cfg`` has; a message names the ones that change the model.

    Raises:
        UserError: weights that do not fit the config or are not numbers, or a matcher that learns
            and that this run did not train.
    """
    file = folder / CHECKPOINT
    checkpoint = run_checkpoint(file)
    state = checkpoint["state_dict"]
    training_set = TrainingSet.stored(
        checkpoint["meta"].get("training_set"), f"{file}: meta.training_set"
    )
    model = build_model(cfg, training_set, starting_weights=False)
    state = _with_matcher(state, model, cfg, file)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        changes = [text for text in overrides if text.lstrip("+~").startswith(("model.", "input."))]
        if changes:
            raise UserError(_unfit(state, model, folder, changes)) from None
        raise UserError(f"{file}: does not fit config.py: {error}") from None
    lost = next((name for name, one in model.named_parameters() if one.isnan().any()), None)
    if lost is not None:
        raise UserError(
            f"{file}: {lost} is not a number: this training has diverged, or the file is damaged; "
            "train with a lower learning rate, or copy the file again"
        )
    return model


def run_checkpoint(file: Path) -> dict[str, Any]:
    """The checkpoint of a run: a ``state_dict`` of tensors, and ``meta`` with the ``epoch``.

    Raises:
        UserError: as ``load_checkpoint``, or a checkpoint of another kind.
    """
    content = load_checkpoint(file)
    state, meta = content.get("state_dict"), content.get("meta")
    tensors = isinstance(state, dict) and all(isinstance(v, Tensor) for v in state.values())
    if not tensors or not isinstance(meta, dict) or type(meta.get("epoch", 0)) is not int:
        raise UserError(
            f"{file}: not the checkpoint of a run, which has state_dict (tensors) and meta with "
            "the epoch; for weights of another kind: model.backbone.pretrained, train.load_from"
        )
    return content


def _unfit(state: dict[str, Tensor], model: nn.Module, folder: Path, changes: Sequence[str]) -> str:
    """The first weight that does not fit a model that overrides have changed, and what to do."""
    sides = [{n: tuple(t.shape) for n, t in side.items()} for side in (state, model.state_dict())]
    names = list(dict.fromkeys([*sides[1], *sides[0]]))
    first = next((n for n in names if sides[0].get(n) != sides[1].get(n)), "")
    kept, asked = (side.get(first, "none") for side in sides)
    drop = "that override, or train with it"
    if len(changes) > 1:
        drop = "those overrides, or train with them"
    return (
        f"the weights of {folder} do not fit {' '.join(changes)} (first: {first}: {kept} in the "
        f"run, {asked} asked for); drop {drop}"
    )


def _with_matcher(
    state: dict[str, Tensor], model: nn.Module, cfg: Config, file: Path
) -> dict[str, Tensor]:
    """The weights of a run for a model that may have been given another matcher.

    Raises:
        UserError: the matcher has weights that the run does not.
    """
    own = model.state_dict()
    lacking = [name for name in own if name.startswith("matcher.") and name not in state]
    if lacking:
        raise UserError(
            f"{file}: holds no weights for model.matcher={cfg.model.matcher.type} (first: "
            f"{lacking[0]}), because this run did not train it\n"
            "  train a run with it and with losses that it learns from, or test with a matcher "
            f"that has no weights: {', '.join(_without_weights(cfg.get('plugins', [])))}"
        )
    return {n: t for n, t in state.items() if n in own or not n.startswith("matcher.")}


def _without_weights(plugins: Sequence[str]) -> list[str]:
    """The matchers of the core and of some plugins that do not learn."""
    return [
        name
        for name in MATCHERS.names()
        if ("/" not in name or name.partition("/")[0] in plugins)
        and not hasattr(MATCHERS.get(name), "scores")
    ]
