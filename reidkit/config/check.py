"""Every problem of a resolved config, found together before any data is opened."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mmengine.registry as _roots
from mmengine.config import Config

from reidkit.components import import_core
from reidkit.config.load import about, default_keys, load_config
from reidkit.config.options import option_problems
from reidkit.config.places import (
    DATA_KEYS,
    LABEL_FIELDS,
    MARKS,
    ROLE_KEYS,
    TOP_LEVEL,
    derived,
    kind_of,
)
from reidkit.config.problems import ConfigError, Problem, nearest, suggest
from reidkit.config.settings import settings_problems
from reidkit.plugin.discover import discover
from reidkit.plugin.errors import PluginError
from reidkit.plugin.load import load_plugins, loaded
from reidkit.plugin.setting import Setting
from reidkit.registry import KINDS, LOSS_INPUTS, LOSSES, Registry

Node = Mapping[str, Any]
DICTS = ("settings", "data", "input", "labels", "model", "train", "groups")


def prepare_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Load a config, import its plugins and check it: what every command does first.

    Args:
        path: file or name of the config.
        overrides: as ``load_config``.

    Raises:
        UserError: as ``load_config``.
        ConfigError: refused overrides, plugins and everything ``check_config`` finds, in one list.
    """
    refused: list[Problem] = []
    cfg = load_config(path, overrides, refused)
    problems = refused + check_config(cfg)
    if problems:
        raise ConfigError(about(cfg).source, problems)
    return cfg


def check_config(cfg: Config) -> list[Problem]:
    """All problems of a config; empty when it can be built.

    Imports the core's components and the plugins that the config names (each plugin that fails is
    one problem), compares every component's options with its constructor, and every name that
    refers to another part of the config with that part. Opens no data and builds nothing.

    Args:
        cfg: of ``load_config``.
    """
    import_core()
    tree = cfg.to_dict() if isinstance(cfg, Config) else dict(cfg)
    problems = [
        *_plugin_problems(tree),
        *_top_problems(tree),
        *settings_problems(_node(tree, "settings"), _names(tree.get("plugins"))),
        *_component_problems(tree, ()),
        *_default_problems(tree),
        *_data_problems(tree),
        *_label_problems(tree),
        *_role_problems(tree),
    ]
    paths = about(cfg).paths
    return [_marked(problem, paths) for problem in dict.fromkeys(problems)]


def _marked(problem: Problem, paths: set[tuple[str, ...]]) -> Problem:
    """The problem, with the command line named where the key or a key above it comes from there."""
    path = tuple(problem.where.split("."))
    typed = any(path[: len(one)] == one for one in paths)
    return Problem(problem.where, problem.what, problem.hint, typed)


def _node(tree: Node, key: str) -> Node:
    value = tree.get(key)
    return value if isinstance(value, Mapping) else {}


def _names(value: Any) -> list[str]:
    return (
        [one for one in value if isinstance(one, str)] if isinstance(value, (list, tuple)) else []
    )


def _plugin_problems(tree: Node) -> Iterator[Problem]:
    plugins = tree.get("plugins", [])
    if not isinstance(plugins, (list, tuple)) or len(_names(plugins)) != len(plugins):
        yield Problem("plugins", f"expected a list of names, got {plugins!r}")
    for name in _names(plugins):
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


def _component_problems(node: Any, path: tuple[str, ...]) -> Iterator[Problem]:
    """Problems of all components at their places, the tree walked from the top."""
    kind = kind_of(path)
    if kind is not None and not (node is None and path[-1] in ("labeller", "matcher")):
        yield from _one_component(kind, node, path)
    if isinstance(node, Mapping):
        children = [(str(key), value) for key, value in node.items()]
    elif isinstance(node, (list, tuple)):
        children = [(str(i), value) for i, value in enumerate(node)]
    else:
        return
    for key, value in children:
        yield from _component_problems(value, (*path, key))


def _one_component(kind: str, node: Any, path: tuple[str, ...]) -> Iterator[Problem]:
    where = ".".join(path)
    singular = "optimizer" if kind == "optimizers" else KINDS[kind].kind
    if not isinstance(node, Mapping) or not isinstance(node.get("type"), str):
        yield Problem(where, f"expected a {singular}, a dict with 'type'; got {_short(node)}")
        return
    name = node["type"]
    try:
        component = _component(kind, name)
    except KeyError:
        problem = _unknown(kind, singular, name, where)
        if problem:
            yield problem
        return
    options = {key: value for key, value in node.items() if key != "type"}
    yield from option_problems(where, name, component, options, derived(kind))


def _component(kind: str, name: str) -> Any:
    if kind == "optimizers":
        import mmengine.optim  # noqa: F401  (registers torch's optimisers)

        return _roots.OPTIMIZERS.module_dict[name]
    return KINDS[kind].get(name)


def _short(node: Any) -> str:
    text = repr(node)
    return text if len(text) <= 60 else text[:57] + "..."


def _unknown(kind: str, singular: str, name: str, where: str) -> Problem | None:
    """The refusal of a name: of a plugin that is not loaded, of another kind, or misspelt."""
    plugin = name.partition("/")[0] if "/" in name else ""
    found = discover()
    absent = found.plugins.get(plugin) if plugin not in loaded() else None
    if absent is not None and (kind, name) in absent.components():
        return Problem(
            f"{where}.type",
            f"{name!r} belongs to plugin {plugin!r}, which is installed but not loaded: "
            f'add "{plugin}" to plugins',
        )
    if plugin in found.broken:
        return None  # the plugin's own problem says it all
    registry: Registry | None = KINDS.get(kind)
    known = registry.names() if registry else sorted(_roots.OPTIMIZERS.module_dict)
    article = f"no {singular} named {name!r}"
    for other in KINDS.values():
        if other is not registry and name in other.names():
            article += f"; there is a {other.kind} of that name"
    near = nearest(name, known)
    place = inspect.getmodule(registry.get(near)) if registry and near else None
    return Problem(
        f"{where}.type", article, suggest(name, known, where=getattr(place, "__name__", ""))
    )


def _default_problems(tree: Node) -> Iterator[Problem]:
    """Keys of ``train`` and ``input`` against the closed set that default.py gives."""
    defaults = default_keys()
    for part in ("train", "input"):
        known = _node(defaults, part)
        yield from _against(_node(tree, part), known, part)
    for number, stage in enumerate(_node(tree, "train").get("stages") or []):
        if isinstance(stage, Mapping):
            yield from _against(stage, _node(defaults, "train"), f"train.stages.{number}")


def _against(given: Node, known: Node, where: str) -> Iterator[Problem]:
    for key, value in given.items():
        if known and key not in known:
            yield Problem(f"{where}.{key}", f"unknown key {key!r}", suggest(key, known, "keys"))
        elif known and kind_of((where, key)) is None and value is not None:
            wrong = Setting(known[key], "").problem(value)
            if wrong:
                yield Problem(f"{where}.{key}", wrong)


def _data_problems(tree: Node) -> Iterator[Problem]:
    data = _node(tree, "data")
    for key in data:
        if key not in DATA_KEYS:
            yield Problem(f"data.{key}", f"unknown key {key!r}", suggest(key, DATA_KEYS, "keys"))
    domains = list(_node(data, "domains"))
    if "data" in tree and not domains:
        yield Problem("data.domains", "expected a data set per domain, found none")
    for number, name in enumerate(_names(data.get("tests"))):
        if name not in domains:
            hint = suggest(name, domains, "domains")
            yield Problem(f"data.tests.{number}", f"no domain named {name!r}", hint)


def _label_problems(tree: Node) -> Iterator[Problem]:
    labels, domains = _node(tree, "labels"), list(_node(_node(tree, "data"), "domains"))
    for key in labels:
        if key not in ("train", "test"):
            hint = suggest(key, ("train", "test"), "keys")
            yield Problem(f"labels.{key}", f"unknown key {key!r}", hint)
    wanted = {f"labels.train.{domain}": v for domain, v in _node(labels, "train").items()}
    for domain in _node(labels, "train"):
        if domain not in domains:
            hint = suggest(domain, domains, "domains")
            yield Problem(f"labels.train.{domain}", f"no domain named {domain!r}", hint)
    for where, fields in {**wanted, "labels.test": labels.get("test", [])}.items():
        if not isinstance(fields, (list, tuple)):
            yield Problem(where, f"expected a list of labels, got {fields!r}")
        for one in _names(fields):
            if one not in LABEL_FIELDS:
                hint = suggest(one, LABEL_FIELDS, "labels")
                yield Problem(where, f"no label named {one!r}", hint)
    asked = any(_names(fields) for fields in wanted.values())
    if asked and "data" in tree and not _node(tree, "data").get("labeller"):
        yield Problem("data.labeller", "missing, but labels are asked for")


def _role_problems(tree: Node) -> Iterator[Problem]:
    """Roles of losses, for models that have any: domain, head, weight, and what the loss needs."""
    model = _node(tree, "model")
    domains = list(_node(_node(tree, "data"), "domains"))
    heads = ["embed", *_node(model, "aux_heads")]
    for name, role in _node(model, "losses").items():
        where = f"model.losses.{name}"
        if not isinstance(role, Mapping) or "loss" not in role:
            hint = 'a role is dict(on="source", weight=1.0, loss=dict(type="..."))'
            yield Problem(where, f"expected a role with a 'loss', got {_short(role)}", hint)
            continue
        for key in role:
            if key not in ROLE_KEYS:
                hint = suggest(key, ROLE_KEYS, "keys")
                yield Problem(f"{where}.{key}", f"a role has no key {key!r}", hint)
        on, head, weight = (
            role.get("on", "source"),
            role.get("head", "embed"),
            role.get("weight", 1.0),
        )
        if domains and on not in domains:
            hint = suggest(str(on), domains, "domains")
            yield Problem(f"{where}.on", f"no domain named {on!r}", hint)
        if head not in heads:
            yield Problem(
                f"{where}.head", f"no head named {head!r}", suggest(str(head), heads, "heads")
            )
        if wrong := Setting(1.0, "").problem(weight):
            yield Problem(f"{where}.weight", wrong)
        yield from _needs(role["loss"], f"{where}.loss")


def _needs(loss: Any, where: str) -> Iterator[Problem]:
    """Parameters of a loss's forward that nothing supplies."""
    name = loss.get("type") if isinstance(loss, Mapping) else None
    forward = getattr(LOSSES.module_dict.get(name), "forward", None)
    if forward is None:
        return
    for parameter in list(inspect.signature(forward).parameters)[1:]:
        if parameter not in LOSS_INPUTS:
            yield Problem(
                where,
                f"{name}.forward asks for {parameter!r}, which nothing supplies",
                f"a loss may ask for: {', '.join(LOSS_INPUTS)}",
            )
