"""Every problem of a resolved config, found together before any data is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from reidkit.config import portable
from reidkit.config.circles import circle_problems
from reidkit.config.load import Resolved, resolve
from reidkit.config.lookup import component_of, unknown_problems
from reidkit.config.merge import merge
from reidkit.config.options import option_problems
from reidkit.config.places import MARKS, TOP_LEVEL
from reidkit.config.problems import ConfigError, Problem, suggest
from reidkit.config.ranges import option_range_problems, range_problems
from reidkit.config.references import Node, names_of, node_of, reference_problems, shorten
from reidkit.config.saved import python_files
from reidkit.errors import UserError
from reidkit.kinds import MMENGINE_KINDS, Kind, kind_of
from reidkit.plugin.errors import PluginError
from reidkit.plugin.load import load_plugins
from reidkit.registry import REGISTRIES

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


def read_run_config(
    folder: str | Path, overrides: Sequence[str] = (), unread: Sequence[str] = ()
) -> Config:
    """The config of a run folder, to build from: nothing out of the folder is executed by it.

    Args:
        folder: the run folder, or that of a saved model.
        overrides: as on the command line; the only place for names of Python files.
        unread: top-level keys that nothing is built from; Python files may be named in them.

    Raises:
        UserError: as ``prepare_config``; a config that is no saved one; or one that names a
            Python file, such as a pose config, which would be executed.
    """
    file = Path(folder, "config.py")
    file = file if file.is_file() else Path(folder, portable.FILE)
    resolved = prepare(file, overrides, run=True)
    for path, value in python_files(resolved.cfg.to_dict()):
        given = any(path[: len(one)] == one for one in resolved.overridden)
        # what it was started from is a note, and runs that it built on are there already
        if not given and path[0] not in ("source", "prerequisites", *unread):
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
    ranges = [*range_problems(tree), *_option_ranges(tree)]
    problems += [one for one in ranges if one.where not in known]
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
    for key in ("model", "data", "input", "train", "evaluation"):
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
    for where, kind, node in places_of(tree, path):
        yield from _one_component(kind, node, where, plugins)


def places_of(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Kind, Any]]:
    """(path, kind, node) of everything that stands at the place of a component.

    Args:
        node: the part of a config at ``path``.
        path: keys from the top.
    """
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
        yield from places_of(value, (*path, key))


def _option_ranges(tree: Node) -> Iterator[Problem]:
    """Options of components outside their bounds; unknown components are said elsewhere."""
    plugins = names_of(tree.get("plugins"))
    for path, kind, node in places_of(tree):
        own = kind.name in REGISTRIES  # mmengine's are not imported for it
        if own and isinstance(node, Mapping) and isinstance(node.get("type"), str):
            with suppress(KeyError):
                component = component_of(kind, node["type"], plugins)
                yield from option_range_problems(".".join(path), kind.name, component, node)


def components_of(tree: Node) -> Iterator[tuple[str, tuple[str, str]]]:
    """(key, (kind, name)) of every component that a config names.

    Example:
        >>> list(components_of(dict(model=dict(head=dict(type="BNNeckHead")))))
        [('model.head', ('heads', 'BNNeckHead'))]
    """
    for path, kind, node in places_of(tree):
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
        component = component_of(kind, name, plugins)
    except KeyError:
        yield from unknown_problems(kind, name, where, plugins)
        return
    passed = ("type", *PASSED.get(kind.name, ()))
    options = {key: value for key, value in node.items() if key not in passed}
    yield from option_problems(where, name, component, options, frozenset(kind.supplies))
