"""From a config's name and overrides to one resolved tree.

Lowest first: ``configs/_base_/default.py``; the data; the recipe; the config file with its
``_base_``, each file's keys and then those that it keeps for the recipe in ``recipes``; the command
line. A file saved by a run is resolved already: nothing is applied to it again but the command
line, and it is read as literals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config.config import RESERVED_KEYS
from yacs.config import CfgNode

from reidkit.config.files import (
    DEFAULT,
    Layer,
    config_path,
    configs_folder,
    default_layers,
    is_default,
    is_file,
    is_installed,
    join,
    read_layers,
)
from reidkit.config.groups import choose, folders, group_layers, group_values, groups_of
from reidkit.config.merge import without_none
from reidkit.config.override import Override, apply_overrides, parse_override
from reidkit.config.places import TOP_LEVEL
from reidkit.config.problems import ConfigError, Problem, suggest
from reidkit.config.recipes import recipe_names, ruled_out, with_recipe
from reidkit.config.saved import beyond_64_bits, is_saved, read_saved
from reidkit.config.settings import resolve_settings
from reidkit.errors import UserError
from reidkit.plugin.errors import display_path

ORDER = (
    "groups", "plugins", "prerequisites", "data", "input", "model", "train", "evaluation",
    "hooks", "visualizers", "settings", "resolved", "source",
)  # fmt: skip


@dataclass
class Resolved:
    """A config with its making.

    Attributes:
        cfg: the tree; its ``settings`` are a frozen yacs node.
        source: the file, as shown to people.
        layers: what was merged, lowest first.
        overridden: keys that the command line set.
        notices: one line for each component swapped on the command line.
        problems: overrides that were refused and not applied, and settings that do not fit.
    """

    cfg: Config
    source: str
    layers: list[Layer] = field(default_factory=list)
    overridden: frozenset[tuple[str, ...]] = frozenset()
    notices: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def origin(self, path: tuple[str, ...]) -> str:
        """Where the value of a key comes from: "command line", a file, or "default"."""
        if path[0] in ("resolved", "source"):
            return ""
        if any(path[: len(one)] == one for one in self.overridden):
            return "command line"
        layer = next((one for one in reversed(self.layers) if _has(one.keys, path)), None)
        return "default" if layer is None else layer.label

    def summary(self) -> str:
        """What the config is made of, a line each, lowest first."""
        parts = list(dict.fromkeys(layer.label for layer in self.layers))
        keys = sorted(".".join(path) for path in self.overridden)
        if keys:
            parts.append(f"command line: {', '.join(keys)}")
        return "\n".join(f"  {one}" for one in parts)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """The resolved config: groups, bases and overrides merged, settings completed, nothing built.

    Plugins are not imported, only the manifests of those it names are read.

    Args:
        path: a config file, or a name such as "mypaper/baseline".
        overrides: ``key=value``, ``+key=value``, ``~key``, ``data=<sets>``, in order.

    Raises:
        UserError: no such config or group value, an error in a config file, no override at all.
        ConfigError: refused overrides and settings, all of them.
    """
    resolved = resolve(path, overrides)
    if resolved.problems:
        raise ConfigError(resolved.source, resolved.problems)
    return resolved.cfg


def resolve(path: str | Path, overrides: Sequence[str] = (), run: bool = False) -> Resolved:
    """As ``load_config``, with the making; refused overrides are listed, not raised.

    Args:
        path: as ``load_config``.
        overrides: as ``load_config``.
        run: the file lies in a run folder, which is data: it is read as a saved config or not at
            all, and files that it names are not executed for a group either.

    Raises:
        UserError: as ``load_config``.
    """
    file = Path(path) if run else config_path(str(path))
    try:
        return _resolve(file, overrides, run)
    except RecursionError:
        raise UserError(f"{display_path(file)}: dicts or lists that nest too deeply") from None


def _resolve(file: Path, overrides: Sequence[str], run: bool) -> Resolved:
    parsed = [_parsed(text) for text in overrides]
    saved = is_saved(file)
    if run and not saved:
        raise UserError(
            f"{file}: not a config as a run saves it (literals, and resolved = True); what else a "
            "run folder holds is not executed"
        )
    layers, groups, rest = _saved(file, parsed, run) if saved else _layered(file, parsed)
    tree = without_none({k: v for k, v in join(layers).items() if k != "recipes"})
    tree["groups"] = groups
    for path, value in beyond_64_bits(tree):
        what = f"a number of {value.bit_length()} bits; 64 is the most"
        raise UserError(f"{display_path(file)}: {'.'.join(path)}: {what}")
    applied = apply_overrides(tree, rest)
    reserved = [key for key in RESERVED_KEYS if tree.pop(key, None) is not None]  # by mmengine
    plugins = tree.get("plugins", [])
    names = [p for p in plugins if isinstance(p, str)] if isinstance(plugins, list) else []
    settings, problems = resolve_settings(tree.pop("settings", {}), names)
    chosen = {("groups", group) for group in groups if _is_chosen(group, parsed)}
    overridden = frozenset(applied.paths | chosen)
    problems += [Problem(k, f"unknown key {k!r}", suggest(k, TOP_LEVEL, "keys")) for k in reserved]
    marked = [problem.marked(overridden) for problem in problems]
    tree.update(resolved=True, source=tree["source"] if saved else _source(file))
    cfg = Config(_ordered(dict(without_none(tree), settings=settings)))
    source = display_path(file)
    return Resolved(cfg, source, layers, overridden, applied.notices, [*applied.problems, *marked])


def with_keys(cfg: Config, **keys: Any) -> Config:
    """A config with some top-level keys replaced; the settings stay the frozen node they are."""
    return Config({**dict(cfg.items()), **keys})


def _is_chosen(group: str, overrides: Sequence[Override]) -> bool:
    """Whether the command line chose a group's value."""
    names = (group, f"groups.{group}", f"{group}.source", f"{group}.target")
    return any(one.action == "set" and one.key in names for one in overrides)


def _parsed(text: str) -> Override:
    try:
        return parse_override(text)
    except ValueError as error:
        raise UserError(str(error)) from None


def _layered(
    file: Path, overrides: list[Override]
) -> tuple[list[Layer], dict[str, str], list[Override]]:
    """Layers, lowest first; groups; the overrides that choose no group."""
    layers = read_layers(file)
    default, own = default_layers(layers), [one for one in layers if not is_default(one.path)]
    groups, rest = choose(groups_of(join([*default, *own]), file), overrides)
    chosen, recipes = list(default), recipe_names(own)
    for group, value in groups.items():
        kept = list(recipes) if group == "recipe" else []
        if group == "recipe" and ruled_out(own, value):
            raise UserError(
                f"recipe={value}: {display_path(file)} has no such recipe; it has: "
                f"{', '.join(kept) or 'none'}"
            )
        near = _nearest(file, own, group, value)
        if value not in kept or _has_file(near, group, value):
            kept += [one for layer in own for one in group_values(layer.path, group)]
            chosen += group_layers(near, group, value, kept)
    return [*chosen, *with_recipe(own, groups.get("recipe", ""))], groups, rest


def _nearest(file: Path, layers: Sequence[Layer], group: str, value: str) -> Path:
    """The file beside which a group's value lies: the config, else the highest of its bases."""
    files = [file, *(layer.path for layer in reversed(layers))]
    return next((one for one in files if _has_file(one, group, value)), file)


def _saved(
    file: Path, overrides: list[Override], run: bool
) -> tuple[list[Layer], dict[str, str], list[Override]]:
    """A saved config, perhaps tested on other data; its recipe has been used up."""
    keys = read_saved(file)
    if not isinstance(keys.get("source"), str):
        got = keys.get("source")
        raise UserError(f"{file}: source: expected the name of a config, got {got!r:.80}")
    before = dict(keys.get("groups", {}))
    groups, rest = choose(before, overrides)
    layers = [Layer(file, keys)]
    for group in [name for name in groups if groups[name] != before[name]]:
        if group != "data":
            raise UserError(
                f"{group}={groups[group]}: a saved config is resolved already; start from "
                f"{keys['source']}"
            )
        labeller = (keys.pop("data", None) or {}).get("labeller")  # of the method, not of the data
        keys |= dict(data=dict(labeller=labeller)) if labeller else {}
        layers += group_layers(_near(keys["source"], run), group, groups[group])
    return layers, groups, rest


def _near(source: str, run: bool) -> Path:
    """The config that a run was started from, or a file in its place where it is gone.

    A run folder may name any file; beside one that is not installed nothing is looked for.
    """
    try:
        file = config_path(source)
    except UserError:
        file = Path(source)
    if not run or is_installed(file):
        return file
    return (configs_folder() or Path("/")) / DEFAULT


def has_recipe(name: str, recipe: str) -> bool:
    """Whether a config, by file or name, has a recipe ("quick", "paper")."""
    try:
        layers = read_layers(config_path(name))
        beside = any(_has_file(one.path, "recipe", recipe) for one in layers)
        kept = beside or recipe in recipe_names(layers)
        return kept and not ruled_out(layers, recipe)
    except UserError:
        return False


def _has_file(near: Path, group: str, value: str) -> bool:
    return any(is_file(folder / f"{value}.py") for folder in folders(near, group))


def _has(keys: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(keys, Mapping) or key not in keys:
            return False
        keys = keys[key]
    return True


def _ordered(tree: dict[str, Any]) -> dict[str, Any]:
    """Top-level keys in one order, and ``type`` first in every component."""
    known = {key: tree[key] for key in ORDER if key in tree}
    return {key: _type_first(value) for key, value in {**known, **tree}.items()}


def _type_first(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_type_first(item) for item in value)
    if not isinstance(value, dict) or isinstance(value, CfgNode):
        return value
    first = {"type": value["type"]} if "type" in value else {}
    return {key: _type_first(item) for key, item in {**first, **value}.items()}


def _source(file: Path) -> str:
    """How a config is named in later commands: by path, or by name where it is installed."""
    folder = configs_folder()
    resolved = file.resolve()
    shipped = folder is not None and resolved.is_relative_to(folder.resolve())
    if folder is not None and shipped and not resolved.is_relative_to(Path.cwd()):
        return resolved.relative_to(folder.resolve()).with_suffix("").as_posix()
    return display_path(file)
