"""What ``--resume`` continues: the newest unfinished run of the same experiment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from reidkit.config import prepare, stage_configs
from reidkit.engine.folder import CHECKPOINT, numbered, run_name
from reidkit.engine.load import run_checkpoint
from reidkit.errors import UserError

# what may differ between a run and its continuation: where and how it computes, and its tests
FREE = ("evaluation", "data.tests", "groups", "source", "visualizers") + tuple(
    f"settings.{name}"
    for name in (
        "workers",
        "max_pixels",
        "device",
        "data_root",
        "label_root",
        "work_dir",
        "pictures",
    )
)


def resumable(parent: Path, name: str, cfg: Config) -> Path:
    """The folder that ``--resume`` means: the newest unfinished run of this very experiment.

    Args:
        parent: where run folders lie.
        name: of the run, as ``run_name`` makes it.
        cfg: the resolved config of the command.

    Raises:
        UserError: there is no unfinished run of that name, or none with this config.
    """
    unfinished = [p for p in numbered(parent, name) if not (p / "metrics.json").exists()]
    started = [p for p in unfinished if (p / CHECKPOINT).exists()] or unfinished
    if not started:
        raise UserError(
            f"--resume: no unfinished run named {name} in {parent}; "
            "leave --resume out to start one, or name its folder with --work-dir"
        )
    changed = {folder: changes(cfg, folder) for folder in started}
    same = [folder for folder, found in changed.items() if not found]
    if same:
        return same[-1]
    newest = started[-1]
    listed = "".join(f"\n  {line}" for line in changed[newest])
    raise UserError(
        f"--resume: {newest} is another experiment (there -> here):{listed}\n"
        f"repeat its overrides, or go on with these changes: --work-dir {newest} --resume"
    )


def changes(cfg: Config, folder: Path) -> list[str]:
    """Keys in which a run differs from a config, as "key: there -> here".

    A run that it builds on (``prerequisites.<role>.run``) may be filled in there and not named
    here where it is the one that is meant without a name.

    Args:
        cfg: the resolved config of the command.
        folder: a run folder; one without a config differs in nothing.
    """
    if not (folder / "config.py").exists():
        return []
    trained = prepare(folder / "config.py", run=True).cfg
    there, here = (dict(_leaves(c.to_dict())) for c in (trained, cfg))
    keys = [*there, *(key for key in here if key not in there)]
    return [
        f"{key}: {there.get(key, 'not set')} -> {here.get(key, 'not set')}"
        for key in keys
        if there.get(key) != here.get(key)
        and not any(key == free or key.startswith(f"{free}.") for free in FREE)
        and not _filled_in(cfg, key, there.get(key))
    ]


def usual_name(cfg: Config, need: Mapping) -> str:
    """Name of the folder of a run that ``cfg`` builds on, where no run is named."""
    return run_name(need["config"], cfg.groups.data, cfg.groups.recipe, cfg.settings.seed)


def _filled_in(cfg: Config, key: str, there: str | None) -> bool:
    """Whether a key names what the run there builds on, and the config means the same unnamed."""
    names = {
        f"prerequisites.{role}.run": usual_name(cfg, need)
        for role, need in cfg.get("prerequisites", {}).items()
        if not need.get("run")
    }
    return key in names and there is not None and Path(json.loads(there) or "").name == names[key]


def continuation(cfg: Config, folder: Path) -> str:
    """One line or more on what is continued from where.

    Raises:
        UserError: the run has trained longer than the config asks for.
    """
    if not (folder / CHECKPOINT).exists():
        stages = len(list(folder.glob(f"stage*/{CHECKPOINT}")))
        nothing = "resumes nothing: no epoch of that run was kept, it starts anew"
        return f"resumes in or after stage {stages}" if stages else nothing
    trained = run_checkpoint(folder / CHECKPOINT)["meta"]["epoch"]
    wanted = int(stage_configs(cfg)[-1].train.epochs)
    if trained > wanted:
        raise UserError(
            f"{folder}: has trained {trained} epochs, more than train.epochs={wanted}; give the "
            "epochs of that run, or train another one"
        )
    changed = [f"resumes with {line}" for line in changes(cfg, folder)]
    return "\n".join([f"resumes after epoch {trained} of {wanted}", *changed])


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value of a tree that is no dict, as text, by its dotted key; lists are values."""
    if not isinstance(node, Mapping):
        yield path, json.dumps(node, default=str)  # tuples as lists, as a written config has them
        return
    for key, value in node.items():
        yield from _leaves(value, f"{path}.{key}" if path else str(key))
