"""Find plugins without running them: shipped ones, entry points, and ``REIDKIT_PLUGIN_PATH``."""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from reidkit.plugin.errors import ManifestError, PluginError, display_path
from reidkit.plugin.manifest import FILE, Manifest, read_manifest

PACKAGE = "reidkit_plugins"
GROUP = "reidkit.plugins"
VARIABLE = "REIDKIT_PLUGIN_PATH"
_ROOT = Path(__file__).resolve().parents[2]  # the repository, where reidkit is not installed


@dataclass
class Discovery:
    """What was found.

    Attributes:
        plugins: name -> manifest, of every plugin that can be named in a config.
        broken: name -> error, of plugins with an unusable manifest or a name that two share.
    """

    plugins: dict[str, Manifest] = field(default_factory=dict)
    broken: dict[str, PluginError] = field(default_factory=dict)


def discover() -> Discovery:
    """Manifests of everything installed, sorted by name; no plugin is imported.

    A broken manifest breaks its own plugin only. Two plugins of one name are both left out, with an
    error that gives both origins.
    """
    by_name: dict[str, list[Manifest]] = {}
    result = Discovery()
    for name, path, module, origin in _candidates():
        try:
            if not path.is_file():
                raise ManifestError(path, [f"no {FILE} beside the package of {origin}"])
            manifest = read_manifest(path, module, origin, expected=name)
            by_name.setdefault(manifest.name, []).append(manifest)
        except ManifestError as error:
            result.broken.setdefault(name, error)
    for name, manifests in sorted(by_name.items()):
        if len(manifests) == 1:
            result.plugins[name] = manifests[0]
        else:
            result.broken[name] = _clash(name, manifests)
    return result


def plugin_package() -> ModuleType:
    """The package ``reidkit_plugins``, its path brought up to date with the environment.

    Where reidkit runs from its repository without being installed, the folder ``plugins`` beside it
    is that package.
    """
    if PACKAGE not in sys.modules and importlib.util.find_spec(PACKAGE) is None:
        folder = _ROOT / "plugins"
        spec = importlib.util.spec_from_file_location(
            PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None or not (folder / "__init__.py").is_file():
            raise PluginError(
                f"{PACKAGE} is not installed; install reidkit (pip install -e .) or run its tools "
                "from the repository"
            )
        package = importlib.util.module_from_spec(spec)
        sys.modules[PACKAGE] = package
        spec.loader.exec_module(package)
    package = importlib.import_module(PACKAGE)
    shipped = next(folder for folder in package.__path__ if os.path.isdir(folder))
    wanted = [shipped, *_search_path()]
    if list(package.__path__) != wanted:
        package.__path__ = wanted
        importlib.invalidate_caches()
    return package


def find(name: str, discovery: Discovery | None = None) -> Manifest:
    """The manifest of one plugin.

    Args:
        name: of the plugin.
        discovery: of ``discover()``; None asks it.

    Raises:
        PluginError: unknown (with the nearest name), broken, or a name that two plugins share.
    """
    discovery = discover() if discovery is None else discovery
    if name in discovery.broken:
        raise discovery.broken[name]
    if name not in discovery.plugins:
        names = sorted({*discovery.plugins, *discovery.broken})
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        listed = ", ".join(names) or "none"
        raise PluginError(f"no plugin named {name!r}; {hint}installed: {listed}{why_unfound(name)}")
    return discovery.plugins[name]


def why_unfound(name: str) -> str:
    """Further lines on an unknown plugin: it lies here unsearched, or the search path is wrong."""
    lines = path_problems()
    lies = [place for place in (Path(), Path(name)) if (place / name / FILE).is_file()]
    if lies:
        where = f"$PWD/{lies[0]}" if lies[0].name else "$PWD"
        lines.insert(
            0, f"it lies in {lies[0] / name}, which is not searched: export {VARIABLE}={where}"
        )
    return "".join(f"\n  {line}" for line in lines)


def path_problems() -> list[str]:
    """What is wrong with entries of ``REIDKIT_PLUGIN_PATH``, one line each: nothing is found there.

    Example:
        >>> before, os.environ[VARIABLE] = os.environ.get(VARIABLE, ""), "/no/such/folder"
        >>> path_problems()
        ["REIDKIT_PLUGIN_PATH: no folder /no/such/folder (entries are separated by ':')"]
        >>> os.environ[VARIABLE] = before
    """
    problems = []
    for entry in _entries():
        folder, where = Path(entry), ""
        if not folder.is_dir():
            where = f"no folder {entry}"
        elif (folder / FILE).is_file():
            where = f"{entry} is a plugin itself; name the folder that it lies in"
        elif not any(folder.glob(f"*/{FILE}")):
            deeper = next((f"; {p.parents[1]} holds one" for p in folder.glob(f"*/*/{FILE}")), "")
            where = f"no plugin in {entry}, that is no {entry}/<name>/{FILE}{deeper}"
        if where:
            problems.append(f"{VARIABLE}: {where} (entries are separated by {os.pathsep!r})")
    return problems


def _entries() -> list[str]:
    return [entry for entry in os.environ.get(VARIABLE, "").split(os.pathsep) if entry]


def _search_path() -> list[str]:
    return [os.path.abspath(folder) for folder in _entries() if os.path.isdir(folder)]


def _candidates() -> Iterator[tuple[str, Path, str, str]]:
    """(name, manifest path, module, origin) of everything that claims to be a plugin."""
    shipped, *others = plugin_package().__path__
    for folder, origin in [(shipped, "shipped"), *((other, VARIABLE) for other in others)]:
        for path in sorted(Path(folder).glob(f"*/{FILE}")):
            yield path.parent.name, path, f"{PACKAGE}.{path.parent.name}", origin
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda e: e.name):
        origin = f"entry point '{entry.name} = {entry.value}'"
        yield entry.name, _locate(entry.module) / FILE, entry.module, origin


def _locate(module: str) -> Path:
    """Folder of a package that is not imported; a path that does not exist when there is none."""
    top, *below = module.split(".")
    try:
        spec = importlib.util.find_spec(top)  # does not run a top-level package
    except (ImportError, ValueError):
        spec = None
    folders = list(spec.submodule_search_locations or []) if spec else []
    return Path(folders[0], *below) if folders else Path(*module.split("."))


def _clash(name: str, manifests: list[Manifest]) -> PluginError:
    places = " and ".join(f"{display_path(m.location)} ({m.origin})" for m in manifests)
    return PluginError(
        f"{len(manifests)} plugins are named '{name}': {places}; rename or remove all but one"
    )
