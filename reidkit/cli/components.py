"""Components as people look them up: ``show NAME``, ``where TYPE``, and the page of all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable

from reidkit.config.files import plugin_configs
from reidkit.config.options import VARIABLE, expected, options_text, type_hints
from reidkit.config.problems import nearest
from reidkit.errors import UserError
from reidkit.kinds import KINDS
from reidkit.plugin import Manifest, discover, load_plugins
from reidkit.plugin.describe import manifest_text
from reidkit.plugin.discover import find
from reidkit.plugin.errors import PluginError, display_path
from reidkit.registry import REGISTRIES, import_core


def show(name: str) -> str:
    """Everything about a plugin, or about one component.

    A plugin that cannot be imported is shown as far as its manifest goes, with the reason.

    Args:
        name: of a plugin ("mypaper") or a component ("mypaper/MyHead", "PKSampler").

    Raises:
        UserError: there is neither.
    """
    discovery = discover()
    if name not in {*discovery.plugins, *discovery.broken} and ("/" in name or name[:1].isupper()):
        kind, full = find_component(name)
        return "\n".join([*component_text(kind, full), "", inspect.getdoc(_get(kind, full)) or ""])
    manifest = find(name, discovery)
    configs = ", ".join(plugin_configs(manifest)) or "none"
    lines = [*manifest_text(manifest), f"configs: {configs}", "components:"]
    import_core()
    try:
        load_plugins([name])
    except PluginError as error:
        names = [f"  {kind}: {component}" for kind, component in manifest.components()]
        return "\n".join([*lines, *names, f"cannot be loaded: {error}"])
    for kind, component in manifest.components():
        text = component_text(kind, component)
        lines += [f"  {text[0]}", *(f"      {line}" for line in text[1:])]
        lines.append(f"      {first_sentence(_get(kind, component))}")
    return "\n".join(lines)


def where(name: str) -> str:
    """Kind, file and line of the components of that name, with or without a plugin's prefix.

    Raises:
        UserError: there is none, with the nearest name.
    """
    lines = []
    for kind, full in _named(name):
        component = _get(kind, full)
        file = inspect.getsourcefile(component) or "?"
        line = inspect.getsourcelines(component)[1]
        lines.append(f"{full}   {REGISTRIES[kind].kind}   {display_path(file)}:{line}")
    return "\n".join(lines)


def find_component(name: str) -> tuple[str, str]:
    """(kind, full name) of one component; its plugin is loaded.

    Raises:
        UserError: there is none, or several of that name.
    """
    matches = _named(name)
    if len(matches) > 1:
        listed = ", ".join(f"{full} ({REGISTRIES[kind].kind})" for kind, full in matches)
        raise UserError(f"{name} is the name of several components: {listed}")
    return matches[0]


def _named(name: str) -> list[tuple[str, str]]:
    """Components of that name in the core and in every plugin that lists one; these are loaded."""
    import_core()
    bare = name.rpartition("/")[2]
    manifests = discover().plugins
    listed: list[tuple[str, str, str]] = [
        (plugin, kind, full)
        for plugin, manifest in manifests.items()
        for kind, full in manifest.components()
        if name == full or name == full.rpartition("/")[2]
    ]
    load_plugins([plugin for plugin, _, _ in listed])
    matches = [(kind, name) for kind, registry in REGISTRIES.items() if name in registry.names()]
    library = name.partition("/")[0]
    matches += [
        (kind, registry.libraries[library].__name__)
        for kind, registry in REGISTRIES.items()
        if library in registry.libraries
    ]
    matches += [(kind, full) for _, kind, full in listed if (kind, full) not in matches]
    if matches:
        return matches
    known = [one for registry in REGISTRIES.values() for one in registry.names()]
    known += [full for manifest in manifests.values() for _, full in manifest.components()]
    near = nearest(bare, sorted(set(known)))
    hint = f"; did you mean {near!r}?" if near else "; see: plugins list, docs/components.md"
    raise UserError(f"no component named {name!r}{hint}")


def _get(kind: str, name: str) -> Callable:
    return REGISTRIES[kind].module_dict[name]


def component_text(kind: str, name: str) -> list[str]:
    """Name and kind, the options with types and defaults, and what the framework supplies."""
    component = _get(kind, name)
    parameters = inspect.signature(component).parameters.values()
    hints, supplied = type_hints(component), KINDS[kind].supplies
    own = [p for p in parameters if p.kind not in VARIABLE and p.name not in supplied]
    given = [p.name for p in parameters if p.name in supplied]
    lines = [f"{name}   ({REGISTRIES[kind].kind})", options_text(own, hints)]
    return lines + ([f"supplied by the framework: {', '.join(given)}"] if given else [])


def first_sentence(component: Callable) -> str:
    """The first sentence of a docstring, on one line."""
    text = (inspect.getdoc(component) or "").split("\n\n")[0]
    return " ".join(text.split())


def options_rows(kind: str, component: Callable) -> list[tuple[str, str, str]]:
    """(option, type, default) of a component, without what the framework supplies."""
    from reidkit.config.options import type_text

    hints = type_hints(component)
    rows = []
    for p in inspect.signature(component).parameters.values():
        if p.kind in VARIABLE or p.name in KINDS[kind].supplies:
            continue
        default = "" if p.default is p.empty else repr(p.default)
        rows.append((p.name, type_text(expected(p, hints)), default))
    return rows


def everything(manifests: Iterable[Manifest]) -> dict[str, list[str]]:
    """kind -> names of the core's components, then those of the given plugins, all loaded."""
    import_core()
    plugins = list(manifests)
    load_plugins([manifest.name for manifest in plugins])
    names: dict[str, list[str]] = {}
    for kind, registry in REGISTRIES.items():
        core = [n for n in registry.names() if "/" not in n and _is_core(registry.get(n))]
        own = [full for m in plugins for k, full in m.components() if k == kind]
        names[kind] = core + own
    return names


def _is_core(component: Callable) -> bool:
    return component.__module__.split(".")[0] == "reidkit"
