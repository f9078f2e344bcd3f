"""Every problem of a resolved config, found together before any data is opened."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mmengine.registry as _roots
from mmengine.config import Config

from reidkit.config.circles import circle_problems
from reidkit.config.load import Resolved, resolve
from reidkit.config.merge import merge
from reidkit.config.options import option_problems
from reidkit.config.places import MARKS, TOP_LEVEL
from reidkit.config.problems import ConfigError, Problem, nearest, suggest
from reidkit.config.ranges import range_problems
from reidkit.config.references import Node, names_of, node_of, reference_problems, shorten
from reidkit.config.saved import python_files
from reidkit.errors import UserError
from reidkit.kinds import MMENGINE_KINDS, Kind, kind_of
from reidkit.plugin.discover import discover
from reidkit.plugin.errors import PluginError
from reidkit.plugin.load import load_plugins, loaded
from reidkit.registry import REGISTRIES, Registry

DICTS = ("data", "input", "prerequisites", "model", "train", "groups", "hooks")
# known to be right; to look them up would import all of mmengine, which costs more than torch
PLAIN = (dict(type="TensorboardVisBackend"),)
# options that mmengine reads itself before it builds a component of a kind
PASSED = {"optimizers": ("paramwise_cfg",), "schedulers": ("convert_to_iter_based",)}
SHORTHANDS = {  # of train.schedule, with their options
    "step": ("milestones", "gamma", "warmup", "start"),
    "one_cycle": ("pct_start", "start"),
}


def prepare_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Load a config, import its plugins and check it: what every command does first.

    Args:
        path: file or name of the config.
        overrides: as ``load_config``.

    Raises:
        UserError: as ``load_config``.
        ConfigError: refused overrides, plugins and everything ``check_config`` finds, in one list.
    """
    return prepare(path, overrides).cfg


def prepare(path: str | Path, overrides: Sequence[str] = (), run: bool = False) -> Resolved:
    """As ``prepare_config``, with the making of the config: origins of values, notices.

    Args:
        path: as ``prepare_config``.
        overrides: as ``prepare_config``.
        run: as ``resolve``.
    """
    resolved = resolve(path, overrides, run)
    problems = [problem.marked(resolved.overridden) for problem in check_config(resolved.cfg)]
    if problems := list(dict.fromkeys([*resolved.problems, *problems])):
        raise ConfigError(resolved.source, problems)
    return resolved


def read_run_config(folder: str | Path, overrides: Sequence[str] = ()) -> Config:
    """The config of a run folder, to build from: nothing out of the folder is executed by it.

    Args:
        folder: the run folder.
        overrides: as on the command line; the only place for names of Python files.

    Raises:
        UserError: as ``prepare_config``; a config that is no saved one; or one that names a
            Python file, such as a pose config, which would be executed.
    """
    file = Path(folder, "config.py")
    resolved = prepare(file, overrides, run=True)
    for path, value in python_files(resolved.cfg.to_dict()):
        given = any(path[: len(one)] == one for one in resolved.overridden)
        # what it was started from is a note, and runs that it built on are there already
        if not given and path[0] not in ("source", "prerequisites"):
            key = ".".join(path)
            raise UserError(
                f"{file}: {key}={value}: a Python file, which would be executed; a run folder is "
                f"data, so name it yourself if you trust it: {key}={value}"
            )
    return resolved.cfg


def check_config(cfg: Config) -> list[Problem]:
    """All problems of a config; empty when it can be built.

    Imports the core's components and the plugins that the config names (each plugin that fails is
    one problem), compares every component's options with its constructor, and every name that
    refers to another part of the config with that part. Every stage of the training is looked at.
    Opens no data and builds nothing.

    Args:
        cfg: of ``load_config``.
    """
    tree = cfg.to_dict() if isinstance(cfg, Config) else dict(cfg)
    problems = [
        *_plugin_problems(tree),
        *_top_problems(tree),
        *component_problems(tree, (), names_of(tree.get("plugins"))),
        *_schedule_problems(node_of(tree, "train"), "train", names_of(tree.get("plugins"))),
        *_stage_problems(tree),
        *reference_problems(tree),
        *circle_problems(tree),
    ]
    known = {problem.where for problem in problems}  # a value of a wrong type is said once
    problems += [one for one in range_problems(tree) if one.where not in known]
    return list(dict.fromkeys(problems))


def _plugin_problems(tree: Node) -> Iterator[Problem]:
    plugins = tree.get("plugins", [])
    if not isinstance(plugins, (list, tuple)) or len(names_of(plugins)) != len(plugins):
        yield Problem("plugins", f"expected a list of names, got {plugins!r}")
    for name in names_of(plugins):
        try:
            load_plugins([name])
        except PluginError as error:
            yield Problem("plugins", str(error).replace("\n", "\n      "))


def _top_problems(tree: Node) -> Iterator[Problem]:
    for key, value in tree.items():
        if key not in TOP_LEVEL + MARKS:
            yield Problem(key, f"unknown key {key!r}", suggest(key, TOP_LEVEL, "keys"))
        elif key in DICTS and not isinstance(value, Mapping):
            yield Problem(key, f"expected a dict, got {value!r}")
    for key in ("model", "data", "train", "evaluation"):
        if key not in tree:
            yield Problem(key, "missing")


def _schedule_problems(train: Node, where: str, plugins: Sequence[str]) -> Iterator[Problem]:
    """A schedule by one of its short names, or a list of mmengine's schedulers."""
    schedule, where = train.get("schedule"), f"{where}.schedule"
    if isinstance(schedule, (list, tuple)):
        for number, one in enumerate(schedule):
            path = (*where.split("."), str(number))
            yield from _one_component(MMENGINE_KINDS["schedulers"], one, path, plugins)
    elif schedule is not None:
        name = schedule.get("type") if isinstance(schedule, Mapping) else schedule
        if name not in SHORTHANDS:
            known = " or ".join(f'dict(type="{one}")' for one in SHORTHANDS)
            what = f"expected {known}, or a list of mmengine's schedulers; got {shorten(schedule)}"
            yield Problem(where, what)
            return
        options = SHORTHANDS[name]
        for key in schedule:
            if key not in options and key != "type":
                hint = suggest(key, options, "options")
                yield Problem(f"{where}.{key}", f"{name} has no option {key!r}", hint)


def _stage_problems(tree: Node) -> Iterator[Problem]:
    """Components of ``train`` as each stage has them, merged as the run merges them."""
    train = node_of(tree, "train")
    for name, change in node_of(train, "stages").items():
        if isinstance(change, Mapping):
            stage = {key: value for key, value in merge(train, change).items() if key in change}
            plugins = names_of(tree.get("plugins"))
            problems = [
                *component_problems(stage, ("train",), plugins),
                *_schedule_problems(stage, "train", plugins),
            ]
            for problem in problems:
                where = problem.where.replace("train", f"train.stages.{name}", 1)
                yield replace(problem, where=where)


def component_problems(
    tree: Any, path: tuple[str, ...], plugins: Sequence[str]
) -> Iterator[Problem]:
    """Problems of all components at their places, the tree walked from the top.

    Args:
        tree: the part of the tree at ``path``.
        path: keys from the top.
        plugins: names of the plugins that the config loads, in order.
    """
    for where, kind, node in _places(tree, path):
        yield from _one_component(kind, node, where, plugins)


def _places(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Kind, Any]]:
    """(path, kind, node) of everything that stands at the place of a component."""
    kind = kind_of(path)
    if kind is not None and not (node is None and kind.optional):
        yield path, kind, node
    if isinstance(node, Mapping):
        children = [(str(key), value) for key, value in node.items()]
    elif isinstance(node, (list, tuple)):
        children = [(str(i), value) for i, value in enumerate(node)]
    else:
        return
    for key, value in children:
        yield from _places(value, (*path, key))


def components_of(tree: Node) -> Iterator[tuple[str, tuple[str, str]]]:
    """(key, (kind, name)) of every component that a config names.

    Example:
        >>> list(components_of(dict(model=dict(head=dict(type="BNNeckHead")))))
        [('model.head', ('heads', 'BNNeckHead'))]
    """
    for path, kind, node in _places(tree, ()):
        if isinstance(node, Mapping) and isinstance(node.get("type"), str):
            yield ".".join(path), (kind.name, node["type"])


def _one_component(
    kind: Kind, node: Any, path: tuple[str, ...], plugins: Sequence[str]
) -> Iterator[Problem]:
    where = ".".join(path)
    if not isinstance(node, Mapping) or not isinstance(node.get("type"), str):
        yield Problem(where, f"expected a {kind.singular}, a dict with 'type'; got {shorten(node)}")
        return
    if dict(node) in PLAIN:
        return
    name = node["type"]
    try:
        component = _component(kind, name, plugins)
    except KeyError:
        yield from _unknown(kind, name, where, plugins)
        return
    passed = ("type", *PASSED.get(kind.name, ()))
    options = {key: value for key, value in node.items() if key not in passed}
    yield from option_problems(where, name, component, options, frozenset(kind.supplies))


def _component(kind: Kind, name: str, plugins: Sequence[str]) -> Any:
    """The class of that name; one of a plugin that the config does not name does not count."""
    plugin, slash, _ = name.partition("/")
    registry = REGISTRIES.get(kind.name)
    of_library = registry is not None and plugin in registry.libraries
    if slash and plugin not in plugins and not of_library:
        raise KeyError(name)
    if kind.name == "optimizers":
        from torch import optim  # names that torch has not are looked up in mmengine

        if inspect.isclass(cls := getattr(optim, name, None)):
            return cls
    if registry is None:
        for module in kind.modules:
            importlib.import_module(module)
        return getattr(_roots, kind.root).module_dict[name]
    return registry.get(name)


def _unknown(kind: Kind, name: str, where: str, plugins: Sequence[str]) -> Iterator[Problem]:
    """The refusal of a name: of a plugin that is not loaded, of another kind, or misspelt."""
    plugin = name.partition("/")[0] if "/" in name else ""
    absent = discover().plugins.get(plugin) if plugin not in plugins else None
    if absent is not None and (kind.name, name) in absent.components():
        yield Problem(
            f"{where}.type",
            f"{name!r} belongs to plugin {plugin!r}, which is installed but not loaded",
            f"load it: plugins='{json.dumps([*plugins, plugin], separators=(',', ':'))}'",
        )
        return
    if plugin in plugins and plugin not in loaded():
        return  # the plugin's own problem says it all
    registry: Registry | None = REGISTRIES.get(kind.name)
    known = registry.names() if registry else sorted(getattr(_roots, kind.root).module_dict)
    known = [one for one in known if "/" not in one or one.partition("/")[0] in plugins]
    known += [f"{library}/<name>" for library in (registry.libraries if registry else ())]
    article = f"no {kind.singular} named {name!r}"
    for other in REGISTRIES.values():
        if other is not registry and name in other.names():
            article += f"; there is a {other.kind} of that name"
    near = nearest(name, known)
    found_near = registry.module_dict.get(near) if registry and near else None
    place = inspect.getmodule(found_near) if found_near else None
    yield Problem(
        f"{where}.type", article, suggest(name, known, where=getattr(place, "__name__", ""))
    )
