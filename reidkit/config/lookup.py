"""The class that a component's name stands for, and the refusal of a name that stands for none."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator, Sequence
from typing import Any

import mmengine.registry as _roots

from reidkit.config.problems import Problem, nearest, suggest
from reidkit.kinds import Kind
from reidkit.plugin.discover import discover
from reidkit.plugin.load import loaded
from reidkit.registry import REGISTRIES, Registry


def component_of(kind: Kind, name: str, plugins: Sequence[str]) -> Any:
    """The class of that name; one of a plugin that the config does not name does not count.

    Args:
        kind: of the component.
        name: as a config says it.
        plugins: that the config loads.

    Raises:
        KeyError: there is none.
    """
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


def unknown_problems(
    kind: Kind, name: str, where: str, plugins: Sequence[str]
) -> Iterator[Problem]:
    """The refusal of a name: of a plugin that is not loaded, of another kind, or misspelt.

    Args:
        kind: of the component.
        name: that is unknown.
        where: its key.
        plugins: that the config loads.
    """
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
