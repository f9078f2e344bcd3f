"""Import the plugins a config names: each one wholly, or not at all."""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mmengine.registry as _roots
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from reidkit.plugin.discover import PACKAGE, Discovery, discover, find
from reidkit.plugin.errors import PluginError, display_path, line_of
from reidkit.plugin.manifest import Manifest
from reidkit.registry import REGISTRIES, registering
from reidkit.version import PLUGIN_API, __version__

_loaded: dict[str, Manifest] = {}


def loaded() -> dict[str, Manifest]:
    """Name -> manifest of the plugins loaded in this process."""
    return dict(_loaded)


def folders() -> list[Path]:
    """Where the plugins lie that are loaded in this process."""
    return [manifest.location for manifest in _loaded.values()]


def load_plugins(names: Iterable[str]) -> list[Manifest]:
    """Import the named plugins and check that each registers exactly what it declares.

    Loading one is a transaction: after any exception the registries and ``sys.modules`` are as
    before. Plugins that are loaded already are left alone. A broken plugin does not keep the others
    named from loading; afterwards one error tells of all.

    Args:
        names: plugin names, in the order of loading.

    Returns:
        Their manifests, in the same order.

    Raises:
        PluginError: unknown, broken or unfit plugins; the cause of an import error is chained.
    """
    wanted = list(dict.fromkeys(names))
    missing = [name for name in wanted if name not in _loaded]
    discovery = discover() if missing else Discovery()
    errors = []
    for name in missing:
        try:
            manifest = find(name, discovery)
            check_fit(manifest)
            _import(manifest)
            _loaded[name] = manifest
        except PluginError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise PluginError("\n".join(map(str, errors))) from errors[0]
    return [_loaded[name] for name in wanted]


def check_fit(manifest: Manifest) -> None:
    """Compare a manifest with this reidkit and with what is installed, before anything is imported.

    Raises:
        PluginError: another plugin API, another range of reidkit, or missing distributions.
    """
    problems = []
    if manifest.api != PLUGIN_API:
        problems.append(
            f"was written for plugin API {manifest.api}, reidkit {__version__} has API "
            f"{PLUGIN_API}: see the changelog for what to change"
        )
    if not SpecifierSet(manifest.reidkit).contains(__version__, prereleases=True):
        problems.append(f"needs reidkit {manifest.reidkit}, found {__version__}")
    problems += [f"needs {text}" for text in _unmet(manifest.requires)]
    if problems:
        raise PluginError("\n".join(f"{manifest} {problem}" for problem in problems))


def _unmet(requires: Iterable[str]) -> Iterator[str]:
    for text in requires:
        need = Requirement(text)
        if need.marker is not None and not need.marker.evaluate():
            continue
        try:
            version = importlib.metadata.version(need.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{need.name}{need.specifier}, found none"
            continue
        if not need.specifier.contains(version, prereleases=True):
            yield f"{need.name}{need.specifier}, found {version}"


def _import(manifest: Manifest) -> None:
    """Import one plugin as a transaction and compare what it registered with its manifest."""
    with _transaction(manifest):
        modules = set(sys.modules)
        try:
            _adopt(manifest)
            with registering(f"{manifest.name}/"):
                importlib.import_module(manifest.module)
        except (Exception, SystemExit) as error:  # a plugin that quits must not end the program
            line = line_of(error, [manifest.location])
            raise PluginError(
                f"{manifest} could not be imported: {_cause(error)}"
                + (f"\n  {line}" if line else "")
            ) from error
        _refuse_other_plugins(manifest, set(sys.modules) - modules)
        problems = list(compare(manifest))
        if problems:
            raise PluginError(
                f"{manifest} does not register what its plugin.yaml says\n"
                + "\n".join(f"  {problem}" for problem in problems)
            )


def _cause(error: BaseException) -> str:
    """Type and text of an error; Python calls a module that is not there a circular import."""
    name = type(error).__name__
    half = r"cannot import name '(\w+)' from partially initialized module"
    if isinstance(error, ImportError) and error.path and (wanted := re.match(half, str(error))):
        file, module = Path(error.path), wanted[1]
        there = (file.with_name(f"{module}.py"), file.with_name(module))
        if file.name == "__init__.py" and not any(path.exists() for path in there):
            return (
                f"{name}: there is no module {module!r} in {display_path(file.parent)}, and "
                "nothing of that name has been defined there"
            )
    return f"{name}: {error}" if str(error) else name


def _adopt(manifest: Manifest) -> None:
    """Give the plugin's prefix to what it registered when it was imported without the loader."""
    for registry in REGISTRIES.values():
        for name, component in list(registry.module_dict.items()):
            inside = f"{component.__module__}.".startswith(f"{manifest.module}.")
            if inside and not name.startswith(f"{manifest.name}/"):
                registry.module_dict[f"{manifest.name}/{name}"] = registry.module_dict.pop(name)


def compare(manifest: Manifest) -> Iterator[str]:
    """Differences between what a plugin declares and what it has registered, one line each."""
    for kind, registry in REGISTRIES.items():
        prefix = f"{manifest.name}/"
        own = [name for name in registry.module_dict if name.startswith(prefix)]
        registered = {name.removeprefix(prefix) for name in own}
        declared = set(manifest.provides.get(kind, ()))
        for name in sorted(declared - registered):
            near = difflib.get_close_matches(name, registered - declared, n=1)
            hint = (
                f"did you mean {near[0]!r}?"
                if near
                else "is its module imported in __init__.py, and its class decorated?"
            )
            yield f"provides.{kind}: {name} is listed but not registered; {hint}"
        for name in sorted(registered - declared):
            yield f"provides.{kind}: {name} is registered but not listed; add it"


def _refuse_other_plugins(manifest: Manifest, new: set[str]) -> None:
    for name in sorted(new):
        parts = name.split(".")
        if parts[0] == PACKAGE and len(parts) > 1 and parts[1] != manifest.name:
            raise PluginError(
                f"{manifest} imports plugin '{parts[1]}'; plugins share through reidkit, "
                "never with each other"
            )


@contextmanager
def _transaction(manifest: Manifest) -> Iterator[None]:
    """Take back the plugin's registrations and modules if the block raises.

    Modules that are not the plugin's stay imported, with what they registered: compiled ones cannot
    be imported twice, and core modules would not register again.
    """
    registries = [*REGISTRIES.values(), *_mmengine_roots()]
    before = [set(registry.module_dict) for registry in registries]
    try:
        yield
    except BaseException:
        for registry, names in zip(registries, before, strict=True):
            for name in set(registry.module_dict) - names:
                if not _is_core(registry.module_dict[name]):
                    del registry.module_dict[name]
        forget_modules(manifest.module)
        raise


def _mmengine_roots() -> list[_roots.Registry]:
    return [value for value in vars(_roots).values() if isinstance(value, _roots.Registry)]


def _is_core(component: object) -> bool:
    return getattr(component, "__module__", "").split(".")[0] in ("reidkit", "mmengine", "torch")


def forget_modules(module: str) -> None:
    """Remove a package and everything below it from ``sys.modules`` and from its parent."""
    for name in [n for n in sys.modules if n == module or n.startswith(module + ".")]:
        del sys.modules[name]
    parent, _, child = module.rpartition(".")
    if parent in sys.modules:
        vars(sys.modules[parent]).pop(child, None)
