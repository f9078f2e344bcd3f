"""From a config's name and overrides to one resolved tree.

Lowest first: ``configs/_base_/default.py``; the file of the data group; the file of the recipe
group; the config file's own keys, with those of its ``_base_``; the command line. A file saved by a
run is resolved already: nothing is applied to it again but the command line.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from reidkit.config.files import DEFAULT, Layer, config_path, configs_folder, merge, read_layers
from reidkit.config.override import Override, apply_overrides, parse_override
from reidkit.config.problems import ConfigError, Problem, suggest
from reidkit.config.settings import complete_settings
from reidkit.errors import UserError
from reidkit.plugin.errors import display_path


@dataclass
class About:
    """What the check wants to know of a config's making.

    Attributes:
        source: the file, as shown to people.
        paths: keys that the command line set.
        problems: overrides that were refused and not applied.
    """

    source: str = "config"
    paths: set[tuple[str, ...]] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def about(cfg: Config) -> About:
    """How a config was made; empty for one that ``load_config`` did not make."""
    return cfg.__dict__.get("_about") or About()


def load_config(
    path: str | Path, overrides: Sequence[str] = (), problems: list[Problem] | None = None
) -> Config:
    """The resolved config: groups, bases and overrides merged, settings completed, nothing built.

    Plugins are not imported, only the manifests of those it names are read. Component swaps leave a
    line each in ``cfg.notices``.

    Args:
        path: a config file, or a name such as "mypaper/baseline".
        overrides: ``key=value``, ``+key=value``, ``~key``, ``data=<group value>``, in order.
        problems: a list that takes the overrides that were refused; None raises them.

    Raises:
        UserError: no such config or group value, an error in a config file, no override at all.
        ConfigError: refused overrides, all of them.
    """
    file = config_path(str(path))
    layers = read_layers(file)
    own = _join(layer for layer in layers if not _is_default(layer.path))
    parsed = [_parsed(text) for text in overrides]
    tree, rest = _regroup(own, parsed) if own.get("resolved") else _group(own, parsed, file, layers)
    tree = copy.deepcopy(tree)
    applied = apply_overrides(tree, [one for one in rest if one.path[0] == "plugins"])
    _complete(tree)  # before the others, so that they find every setting
    applied = apply_overrides(tree, [one for one in rest if one.path[0] != "plugins"], applied)
    _complete(tree)  # after them, since they are not converted yet
    tree.pop("notices", None)
    tree.update(resolved=True, source=own.get("source", _source(file)))
    if applied.notices:
        tree["notices"] = applied.notices
    cfg = Config(tree, filename=str(file))
    cfg.__dict__["_about"] = About(display_path(file), applied.paths, applied.problems)
    if problems is not None:
        problems += applied.problems
    elif applied.problems:
        raise ConfigError(display_path(file), applied.problems)
    return cfg


def _complete(tree: dict[str, Any]) -> None:
    """Put the defaults of all settings into the tree."""
    if isinstance(tree.get("settings", {}), dict):
        plugins = tree.get("plugins", [])
        known = [p for p in plugins if isinstance(p, str)] if isinstance(plugins, list) else []
        tree["settings"] = complete_settings(tree.get("settings", {}), known)


def _parsed(text: str) -> Override:
    try:
        return parse_override(text)
    except ValueError as error:
        raise UserError(str(error)) from None


def _join(layers: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for layer in layers:
        tree = merge(tree, layer.keys)
    return tree


def _is_default(path: Path) -> bool:
    return path.parts[-2:] == DEFAULT.parts


def default_keys(layers: Sequence[Layer] = ()) -> dict[str, Any]:
    """What lies lowest: the ``_base_/default.py`` among the layers, else the shipped one."""
    among = [layer for layer in layers if _is_default(layer.path)]
    folder = configs_folder()
    if not among and folder is not None:
        among = [layer for layer in read_layers(folder / DEFAULT)]
    return _join(among)


def _group(
    own: dict[str, Any], overrides: list[Override], file: Path, layers: Sequence[Layer]
) -> tuple[dict[str, Any], list[Override]]:
    """Default, group files and own keys merged; the overrides that choose no group are left."""
    default = default_keys(layers)
    groups = {**default.get("groups", {}), **own.get("groups", {})}
    chosen, rest = _chosen(groups, overrides)
    groups.update(chosen)
    tree = default
    for group, value in groups.items():
        layered = read_layers(group_path(file, group, value))
        tree = merge(tree, _join(layer for layer in layered if not _is_default(layer.path)))
    tree = merge(tree, own)
    tree["groups"] = groups
    return tree, rest


def _regroup(
    own: dict[str, Any], overrides: list[Override]
) -> tuple[dict[str, Any], list[Override]]:
    """A saved config tested on other data; its recipe has been used up."""
    groups = dict(own.get("groups", {}))
    chosen, rest = _chosen(groups, overrides)
    tree = dict(own)
    for group, value in chosen.items():
        if value == groups.get(group):
            continue
        if group != "data":
            raise UserError(
                f"{group}={value}: a saved config is resolved already; start from {own['source']}"
            )
        keys = _join(read_layers(group_path(config_path(own["source"]), group, value)))
        tree.pop("data", None)
        tree = merge(tree, keys)
        groups[group] = value
    tree["groups"] = groups
    return tree, rest


def _chosen(
    groups: dict[str, str], overrides: list[Override]
) -> tuple[dict[str, str], list[Override]]:
    chosen, rest = {}, []
    for override in overrides:
        name = override.key.removeprefix("groups.")
        if override.action == "set" and name in groups and not isinstance(override.value, dict):
            chosen[name] = str(override.value)
        else:
            rest.append(override)
    return chosen, rest


def group_path(file: Path, group: str, value: str) -> Path:
    """The file of a group's value for a config.

    Looked for as ``<group>/<config's name>/<value>.py`` and ``<group>/<value>.py`` beside the
    config, then in ``_base_/<group>`` beside its folder and of the shipped configs.

    Raises:
        UserError: no such value, with the nearest one and all there are.
    """
    file, shipped = file.resolve(), configs_folder()
    folders = [
        file.parent / group / file.stem,
        file.parent / group,
        file.parent.parent / "_base_" / group,
    ]
    if shipped is not None:
        folders.append(shipped.resolve() / "_base_" / group)
    for folder in folders:
        if (folder / f"{value}.py").is_file():
            return folder / f"{value}.py"
    known = {path.stem for folder in folders for path in folder.glob("*.py")}
    raise UserError(f"{group}={value}: no such {group}; {suggest(value, known)}")


def has_recipe(name: str, recipe: str) -> bool:
    """Whether a config, by file or name, has a recipe ("quick", "paper")."""
    try:
        return group_path(config_path(name), "recipe", recipe).is_file()
    except UserError:
        return False


def _source(file: Path) -> str:
    """How a config is named in later commands: by path, or by name where it is installed."""
    folder = configs_folder()
    resolved = file.resolve()
    shipped = folder is not None and resolved.is_relative_to(folder.resolve())
    if folder is not None and shipped and not resolved.is_relative_to(Path.cwd()):
        return resolved.relative_to(folder.resolve()).with_suffix("").as_posix()
    return display_path(file)
