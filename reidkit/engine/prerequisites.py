"""Runs that a run builds on (a teacher, say): found, checked, or trained first."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import barrier, broadcast_object_list, is_main_process

from reidkit.config import prepare, prepare_config, with_keys
from reidkit.engine.folder import CHECKPOINT
from reidkit.engine.resume import changes, usual_name
from reidkit.errors import UserError
from reidkit.utils.locks import alone, wait_for

SHARED = ("data", "input", "settings")  # what the needed run takes from the one that needs it
MOST_LINES = 5  # of a message
Train = Callable[[Config, Path, bool], None]  # config, folder, whether to resume


def train_prerequisites(cfg: Config, train: Train) -> None:
    """Fill ``cfg.prerequisites.<role>.run``: the folder of a finished run, trained if missing.

    One without ``run`` lies in ``settings.work_dir`` under the name that training its config
    with the same data, recipe and seed gives. It is trained on the same data, input size and
    settings; an unfinished one is resumed, and other processes of this machine that need it wait.
    One that was trained with another recipe is refused; a run that the config names may have any.

    Args:
        cfg: the resolved config; changed.
        train: makes a finished run of a config in a folder, resumed or anew.

    Raises:
        UserError: a given folder that holds no finished run; a run of other data or input size;
            under the usual name a run of another recipe.
    """
    for role, need in cfg.get("prerequisites", {}).items():
        wanted = needed_config(cfg, need)
        if need.get("run"):
            folder = Path(need["run"])
            if not _finished(folder):
                raise UserError(
                    f"prerequisites.{role}.run={folder}: holds no finished run; train it with "
                    f"python tools/train.py {need['config']}, or leave prerequisites.{role}.run out"
                )
        else:
            folder = Path(cfg.settings.work_dir, usual_name(cfg, need))
            _ensure(role, wanted, folder, train)
        _check(role, wanted, folder)
        need["run"] = str(folder)


def needed_config(cfg: Config, need: dict) -> Config:
    """The resolved config of a needed run: its own, on the data and settings of ``cfg``.

    Domains that its own config does not have are left out: they are this run's alone.
    """
    groups = [f"{group}={value}" for group, value in cfg.groups.items()]
    wanted = prepare_config(need["config"], [*groups, *need.get("overrides", [])])
    shared = {key: copy.deepcopy(cfg[key]) for key in SHARED}
    domains = shared["data"]["domains"]
    shared["data"]["domains"] = {n: one for n, one in domains.items() if n in wanted.data.domains}
    return with_keys(wanted, **shared)


def _ensure(role: str, wanted: Config, folder: Path, train: Train) -> None:
    """Train the run unless it is finished; the first process decides, the others follow."""
    lock = alone(folder.with_name(f".{folder.name}.lock"))
    with lock if is_main_process() else nullcontext():
        if is_main_process():
            wait_for(folder)  # in which somebody may be training it for its own sake
        state = ["finished" if _finished(folder) else "missing"]
        broadcast_object_list(state)
        _check_recipe(role, wanted, folder)
        if state[0] == "missing":
            resume = (folder / "config.py").exists()
            if is_main_process():
                how = "resumed" if resume else "trained first"
                print(f"needs   {role}: {wanted.source}, {how} in {folder}\n", flush=True)
            train(wanted, folder, resume)
            if is_main_process():
                print(f"\nneeds   {role}: {folder} is there; now the run itself", flush=True)
        barrier()


def _finished(folder: Path) -> bool:
    return (folder / "metrics.json").exists() and (folder / CHECKPOINT).exists()


def _check_recipe(role: str, wanted: Config, folder: Path) -> None:
    """Refuse a run of the usual name, finished or not, that other options have trained."""
    found = changes(wanted, folder)
    if found:
        more = [f"and {len(found) - MOST_LINES} more"] if len(found) > MOST_LINES else []
        listed = "".join(f"\n  {line}" for line in [*found[:MOST_LINES], *more])
        raise UserError(
            f"prerequisites.{role}: {folder} was trained with another recipe (there -> here):"
            f"{listed}\nmove that folder away, and it is trained anew; a finished one is taken as "
            f"it is by prerequisites.{role}.run={folder}"
        )


def _check(role: str, wanted: Config, folder: Path) -> None:
    """Refuse a run that was trained on other identities or another input size."""
    trained = prepare(folder / "config.py", run=True).cfg
    for key, value in (("data.domains", "domains"), ("input.size", "size")):
        part = key.split(".")[0]
        mine, theirs = (json.dumps(c[part].to_dict()[value]) for c in (wanted, trained))
        if mine != theirs:
            raise UserError(
                f"prerequisites.{role}: {folder} was trained with another {key}: {theirs}, not "
                f"{mine}; name another run with prerequisites.{role}.run, or move that folder away"
            )
