"""A model as a folder that other people can use: config, weights, calibration, card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reidkit.config import portable
from reidkit.engine.build import classifier_names
from reidkit.engine.calibrate import store_calibration
from reidkit.engine.folder import CHECKPOINT, write_json
from reidkit.engine.load import run_checkpoint
from reidkit.engine.ready import open_model
from reidkit.engine.run import Run
from reidkit.engine.sharing import roboflow
from reidkit.engine.sharing.card import README, card
from reidkit.engine.sharing.facts import facts_of
from reidkit.engine.sharing.read import FORMAT, WEIGHTS, is_saved_model
from reidkit.errors import UserError
from reidkit.plugin.discover import discover
from reidkit.utils.io import atomic_folder, atomic_write
from reidkit.version import __version__

KEPT = ("thresholds.json",)  # of a run, where it has them


def save_model(
    model: Any,
    folder: str | Path,
    licence: str = "",
    cite: str = "",
    replace: bool = False,
) -> Path:
    """Write a model as a folder of data that ``reidkit.load`` opens anywhere.

    ``config.json`` (components by name, versions), ``model.safetensors`` (everything but what
    belongs to the training identities), ``calibration.json`` where there is one, a card for people
    and hubs, and ``reid_config.json`` where Roboflow's ``reid`` has the same network.

    Args:
        model: an ``Extractor``, a ``Run``, a run folder, or what else ``reidkit.load`` opens.
        folder: to write; its name is the model's title.
        licence: of the weights, as the card states it ("apache-2.0"); nothing is assumed.
        cite: BibTeX of the work to cite beside this framework's.
        replace: a saved model that lies there gives way.

    Returns:
        The folder.

    Raises:
        UserError: not a model; the folder holds something else, or a model without ``replace``.
    """
    place = Path(folder)
    run = _run_of(model)
    if place.exists() and not place.is_dir():
        raise UserError(f"{place}: is a file; choose a folder")
    if place.is_dir() and any(place.iterdir()) and not (replace and is_saved_model(place)):
        what = "a saved model; replace it with --replace (replace=True)"
        what = what if is_saved_model(place) else "something else; choose an empty folder"
        raise UserError(f"{place}: holds {what}")
    facts = facts_of(run, licence, cite)
    with atomic_folder(place, replace=True) as new:
        write_json(new / portable.FILE, _config(run))
        save_file(tensors_of(run.model), new / WEIGHTS, metadata={"format": "pt"})
        if run.model.matcher.calibration is not None:
            store_calibration(new, run.cfg, run.model.matcher.calibration)
        for name in KEPT:
            if (run.folder / name).is_file():
                shutil.copyfile(run.folder / name, new / name)
        also = roboflow.write(new, run.cfg, run.model)
        with atomic_write(new / README, "w") as file:
            file.write(card(place.name, facts, also))
    return place


def _run_of(model: Any) -> Run:
    """The run behind whatever was given.

    Raises:
        UserError: none.
    """
    if isinstance(model, (str, Path)):
        return open_model(model)
    run = getattr(model, "run", model)
    if not isinstance(run, Run) or run.model is None:
        raise UserError(
            f"save takes an extractor (reidkit.load), a trained run or a run folder, got "
            f"{type(model).__name__}"
        )
    return run


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of a model but those of its training identities, in main memory.

    Whoever gets them cannot tell who was trained on from a row for every person.
    """
    left = classifier_names(model)
    return {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in model.state_dict().items()
        if name not in left
    }


def _config(run: Run) -> dict[str, Any]:
    manifests = discover().plugins
    plugins = {name: manifests[name].version for name in run.cfg.get("plugins", [])}
    return {
        "format": FORMAT,
        "reidkit": __version__,
        "torch": torch.__version__,
        "plugins": plugins,
        "training_set": _training_set(run),
        portable.KEY: portable.portable(run.cfg),
    }


def _training_set(run: Run) -> Mapping[str, Any]:
    """What the model is built with of its training set, as its run or its folder keeps it."""
    if (run.folder / CHECKPOINT).is_file():
        kept = run_checkpoint(run.folder / CHECKPOINT)["meta"].get("training_set", {})
    elif is_saved_model(run.folder):
        kept = portable.header(run.folder / portable.FILE).get("training_set", {})
    else:
        kept = {}
    cameras = [int(camera) for camera in kept.get("cameras", ())]
    return dict(num_identities=int(kept.get("num_identities", 1)), cameras=cameras)
