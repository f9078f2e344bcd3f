"""A whole plugin held to its promises: manifest, components, configs, documentation."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reidkit.config.check import check_config
from reidkit.config.files import plugin_configs
from reidkit.config.load import has_recipe, load_config
from reidkit.engine.dry_run import dry_run_problems
from reidkit.errors import UserError
from reidkit.plugin.discover import GROUP, VARIABLE, discover, find
from reidkit.plugin.load import load_plugins
from reidkit.plugin.manifest import FILE, Manifest
from reidkit.plugin.new import template_text
from reidkit.registry import import_core
from reidkit.testing.contracts import check_component
from reidkit.testing.examples import run_examples
from reidkit.testing.requirements import ContractError

RECIPES = ("quick", "paper")


@dataclass
class Report:
    """What a check of a plugin found, line by line.

    Attributes:
        title: the plugin, with version and place.
        lines: (what was looked at, what was found, whether it is fine).
        notes: what is not broken, but worth a look.
    """

    title: str
    lines: list[tuple[str, str, bool]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def broken(self) -> list[str]:
        """The lines that are not fine, as text."""
        return [f"{what}: {found}" for what, found, fine in self.lines if not fine]

    def __str__(self) -> str:
        rows = [f"  {what}: {'' if ok else 'BROKEN: '}{text}" for what, text, ok in self.lines]
        done = f"{len(self.lines) - len(self.broken)} of {len(self.lines)} checks passed"
        return "\n".join([self.title, *rows, *(f"  note: {one}" for one in self.notes), done])


def check_plugin(name: str, say: Callable[[str], None] = lambda line: None) -> Report:
    """Import a plugin and check everything that can be checked without its data.

    The manifest against what is registered, in both directions; every component against the
    contract of its kind; every config with every recipe as ``--check`` does, and whether the parts
    of its quick recipe run on each other; README, docstrings and their examples. What is left of
    the text that ``plugins new`` wrote is noted.

    Args:
        name: of the plugin.
        say: called with each line as it is found.

    Raises:
        PluginError: unknown, broken or unfit plugin.
    """
    manifest = find(name)
    import_core()
    load_plugins([name])
    report = Report(str(manifest))
    say(report.title)

    def note(what: str, result: str, fine: bool = True) -> None:
        report.lines.append((what, result, fine))
        say(f"  {what}: {'' if fine else 'BROKEN: '}{result}")

    note(FILE, "imported, registers what it lists")
    for kind, component in manifest.components():
        try:
            note(component, check_component(kind, component))
        except ContractError as error:
            note(component, str(error), False)
    for config in plugin_configs(manifest):
        note(config, *_config(config))
    for what, result, fine in _documents(manifest):
        note(what, result, fine)
    report.notes = [f"template text is left in {text}" for text in template_text(manifest.location)]
    for text in report.notes:
        say(f"  note: {text}")
    return report


def _config(name: str) -> tuple[str, bool]:
    """What is wrong with a config under any of its recipes, or that nothing is."""
    tried = []
    for recipe in RECIPES:
        if not has_recipe(name, recipe):
            continue
        try:
            cfg = load_config(name, [f"recipe={recipe}"])
            problems = check_config(cfg)
            if recipe == "quick" and not problems:
                problems = dry_run_problems(cfg)
        except UserError as error:
            return f"recipe={recipe}: {error}", False
        if problems:
            return f"recipe={recipe}: " + "; ".join(map(str, problems)), False
        tried.append(recipe)
    if "quick" not in tried:
        return "no quick recipe: minutes on two cores, in configs/recipe/quick.py", False
    return f"no problems with recipe {' and '.join(tried)}; its parts run on each other", True


def _documents(manifest: Manifest) -> Iterator[tuple[str, str, bool]]:
    """README, the package's docstring, and the examples in all docstrings."""
    said = manifest.name in _readme(manifest)
    yield "README.md", "there" if said else "missing, or does not name the plugin", said
    package = importlib.import_module(manifest.module)
    story = (package.__doc__ or "").strip()
    yield "docstring of the package", story.splitlines()[0] if story else "missing", bool(story)
    examples, failures = 0, list[str]()
    names = [m.name for m in pkgutil.walk_packages([str(manifest.location)])]
    for name in [manifest.module, *(f"{manifest.module}.{n}" for n in names)]:
        if name not in sys.modules:  # not imported by the package: may need what is not there
            continue
        count, failed = run_examples(sys.modules[name])
        examples, failures = examples + count, failures + failed
    passed = examples - len(failures)
    summary = f"{passed} of {examples} examples run" if examples else "no examples"
    details = "".join(f"\n    {line}" for one in failures for line in one.splitlines())
    yield "docstrings", summary + details, not failures


def _readme(manifest: Manifest) -> str:
    """The README beside the manifest, of the project around it, or of what was installed."""
    for folder in (manifest.location, manifest.location.parent):
        if (folder / "README.md").is_file():
            return (folder / "README.md").read_text(encoding="utf-8")
    for entry in importlib.metadata.entry_points(group=GROUP, name=manifest.name):
        if entry.dist is not None:
            return str(entry.dist.metadata.json.get("description", ""))
    return ""


def use_plugin(folder: str | Path) -> str:
    """Make the plugin in a folder findable, unless it is installed; for a ``conftest.py``.

    Args:
        folder: holds ``plugin.yaml``.

    Returns:
        The plugin's name.

    Raises:
        UserError: the folder holds no manifest.
    """
    place = Path(folder).resolve()
    if not (place / FILE).is_file():
        raise UserError(f"{place}: holds no {FILE}")
    discovered = discover()
    if place.name not in {*discovered.plugins, *discovered.broken}:
        before = os.environ.get(VARIABLE, "")
        paths = [str(place.parent), *([before] if before else [])]
        os.environ[VARIABLE] = os.pathsep.join(paths)
    return place.name
