"""A saved model from its folder: config and weights are data, components come from here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from packaging.version import InvalidVersion, Version
from torch import Tensor, nn

from reidkit.config import portable, read_run_config
from reidkit.config.override import parse_override
from reidkit.engine.build import TrainingSet, build_model, classifier_names
from reidkit.engine.calibrate import read_calibration
from reidkit.engine.devices import choose_device, start_processes
from reidkit.engine.domains import Domains
from reidkit.engine.label_plan import plan_of
from reidkit.engine.run import Run
from reidkit.errors import UserError
from reidkit.utils.checkpoint import load_checkpoint
from reidkit.version import __version__

FORMAT = 1
WEIGHTS = "model.safetensors"


def is_saved_model(folder: Path) -> bool:
    """Whether a folder is one that ``reidkit.save`` has written."""
    return portable.is_portable(folder / portable.FILE)


def open_saved(folder: Path, overrides: Sequence[str] = (), launcher: str = "none") -> Run:
    """The model of a folder that ``reidkit.save`` has written, as a run to test and extract with.

    Nothing in the folder is executed: its config names components of the core and of installed
    plugins, and its weights are tensors.

    Args:
        folder: holds ``config.json`` and ``model.safetensors``.
        overrides: of its config, as on the command line.
        launcher: as ``start_processes``.

    Raises:
        UserError: plugins that are not installed, a folder of a newer reidkit, weights that are
            missing or do not fit the config.
    """
    file, weights = folder / portable.FILE, folder / WEIGHTS
    head = portable.header(file)
    _check_format(head, file)
    if not weights.is_file():
        raise UserError(f"{folder}: a saved model without {WEIGHTS}; fetch the folder again")
    try:
        cfg = read_run_config(folder, overrides)
    except UserError as error:
        error.add_note(_versions(head, file))
        raise
    device = choose_device(cfg.settings.device)
    run = Run(cfg, folder, device, launcher=start_processes(launcher, device))
    run.domains = Domains(cfg, device, {parse_override(text).key for text in overrides})
    model = build_model(
        cfg,
        TrainingSet.stored(head.get("training_set"), f"{file}: training_set"),
        starting_weights=False,
    )
    fill(model, load_checkpoint(weights), weights)
    run.model, run.weights = model.to(device).eval(), weights
    run.domains.plan = plan_of(run.model)
    run.model.matcher.calibration = read_calibration(folder, cfg)
    return run


def fill(model: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    """Give a model its tensors; those of its training identities may be missing and stay new.

    A matcher that learns nothing may have been put in the place of one that does.

    Args:
        model: as the config builds it.
        state: name -> tensor.
        file: for messages.

    Raises:
        UserError: tensors that are missing, of another shape, not known, or not numbers.
    """
    own, free = model.state_dict(), classifier_names(model)
    state = {n: t for n, t in state.items() if n in own or not n.startswith("matcher.")}
    wrong = [n for n in state if n not in own or state[n].shape != own[n].shape]
    wrong += [n for n in own if n not in state and n not in free]
    if wrong:
        sides = [tuple(s[wrong[0]].shape) if wrong[0] in s else "none" for s in (state, own)]
        raise UserError(
            f"{file}: {len(wrong)} tensors do not fit the config (first: {wrong[0]}: {sides[0]} in "
            f"the file, {sides[1]} asked for); leave out overrides that change the model, or fetch "
            "the folder again"
        )
    broken = [n for n, t in state.items() if t.is_floating_point() and not t.isfinite().all()]
    if broken:
        raise UserError(f"{file}: {broken[0]} holds what is no number; the file is damaged")
    with torch.no_grad():
        model.load_state_dict({**own, **state})


def _check_format(head: dict[str, Any], file: Path) -> None:
    if type(head.get("format")) is not int or head["format"] > FORMAT:
        raise UserError(
            f"{file}: format {head.get('format')!r:.20}; this reidkit ({__version__}) reads up to "
            f"{FORMAT}: install a newer one"
        )


def _versions(head: dict[str, Any], file: Path) -> str:
    """With which versions a model was saved, for whoever cannot load it."""
    plugins = head.get("plugins")
    pairs = [("reidkit", head.get("reidkit"))]
    pairs += list(plugins.items()) if isinstance(plugins, dict) else []
    listed = []
    for name, version in pairs:
        try:
            listed.append(f"{name!s:.40} {Version(str(version))}")
        except InvalidVersion:
            continue
    return f"{file} was saved with {', '.join(listed) or 'unknown versions'}"
