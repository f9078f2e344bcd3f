"""Plugin manifests: what a plugin says about itself in ``plugin.yaml``, read without its code.

```yaml
name: mypaper                  # = folder name = prefix of its components
version: 0.1.0
api: 1                         # reidkit.PLUGIN_API it was written for
reidkit: ">=0.1,<0.2"          # versions of reidkit it works with
paper: {title: "My paper", arxiv: "2601.00001"}
provides: {heads: [MyHead], losses: [MyLoss]}              # per kind, names without prefix
requires: ["scipy>=1.9"]       # extra distributions
settings:                      # node settings.mypaper of every config that loads the plugin
  confidence: {default: 0.1, low: 0, high: 1, help: "least confidence of a usable keypoint"}
bench: pooling by masks against a loop over parts       # bench.py has run(): see plugin/extend.py
extends: {label_formats: {pickle: published.read}}      # functions for commands: the same page
```
"""

from __future__ import annotations

import difflib
import functools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from reidkit.kinds import KINDS
from reidkit.plugin.errors import ManifestError, display_path
from reidkit.plugin.setting import Setting
from reidkit.utils.io import read_regular

FILE = "plugin.yaml"
LARGEST = 1 << 18  # bytes; the largest one known has a hundredth of it
_SETTING_KEYS = ("default", "help", "choices", "low", "high")
_DEFAULTS = (str, int, float, list, type(None))
REQUIRED = ("name", "version", "api", "reidkit", "provides")
OPTIONAL = ("paper", "requires", "settings", "description", "bench", "extends")
EXTENSION_POINTS = ("label_formats", "label_scores", "gpu_stages", "growth")  # plugin/extend.py
# names that no plugin may have
RESERVED = {
    "reidkit": "it is the framework's own",
    **{
        library: f"{library}/<network> names the backbones of that library"
        for library in ("torchvision", "timm", "mmpretrain")
    },
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


class _Plain(yaml.SafeLoader):
    """YAML without aliases: a few of them stand for more text than a machine can hold."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node; an alias of another one is refused."""
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()
            raise yaml.YAMLError(
                f"line {event.start_mark.line + 1}: a manifest has no aliases (*{event.anchor}); "
                "write the value out"
            )
        return super().compose_node(parent, index)


@dataclass(frozen=True)
class Manifest:
    """One plugin as its ``plugin.yaml`` declares it.

    Attributes:
        name: prefix of its components.
        version: of the plugin.
        api: the ``reidkit.PLUGIN_API`` it was written for.
        reidkit: version range of reidkit, as in requirements.
        provides: kind ("heads") -> names without prefix.
        requires: extra distributions, as in requirements.
        settings: its closed set of settings.
        paper: free text by key (title, arxiv, ...).
        bench: what its benchmark compares, one line; empty without one.
        extends: extension point -> name -> "<module>.<function>" below its package.
        location: the plugin's folder.
        module: the package that is imported when a config names the plugin.
        origin: how it was found ("shipped", "REIDKIT_PLUGIN_PATH", "entry point ...").
    """

    name: str
    version: str
    api: int
    reidkit: str
    provides: dict[str, tuple[str, ...]]
    requires: tuple[str, ...] = ()
    settings: dict[str, Setting] = field(default_factory=dict)
    paper: dict[str, str] = field(default_factory=dict)
    description: str = ""
    bench: str = ""
    extends: dict[str, dict[str, str]] = field(default_factory=dict)
    location: Path = Path()
    module: str = ""
    origin: str = ""

    def components(self) -> Iterator[tuple[str, str]]:
        """(kind, name with prefix) of everything it provides."""
        for kind, names in self.provides.items():
            for name in names:
                yield kind, f"{self.name}/{name}"

    def __str__(self) -> str:
        return f"plugin '{self.name}' {self.version} ({display_path(self.location)})"


def read_manifest(
    path: Path, module: str = "", origin: str = "", expected: str | None = None
) -> Manifest:
    """Read and check one ``plugin.yaml``; nothing of the plugin is imported.

    Args:
        path: the file.
        module: name of the plugin's package.
        origin: how it was found, for messages.
        expected: the name that its folder or entry point promises; None for any.

    Raises:
        ManifestError: not YAML, or with keys or values that do not fit; all of them are listed.
    """
    try:
        content = read_regular(path, LARGEST)
    except Exception as error:
        raise _unreadable(path, error) from error
    return _read(content, path, module, origin, expected)


def _unreadable(path: Path, error: Exception) -> ManifestError:
    return ManifestError(path, [f"not readable as YAML: {' '.join(str(error).split())}"])


# Every config that is read asks for all manifests, more than once; the content is the key, so a
# file that was changed is read anew.
@functools.lru_cache(maxsize=256)
def _read(content: bytes, path: Path, module: str, origin: str, expected: str | None) -> Manifest:
    try:
        data = yaml.load(content.decode("utf-8"), _Plain)
    except Exception as error:  # values of YAML's types raise almost anything
        raise _unreadable(path, error) from error
    if not isinstance(data, dict):
        raise ManifestError(path, [f"expected keys {', '.join(REQUIRED)}; got {data!r}"])
    problems = list(_problems(data, expected))
    if problems:
        raise ManifestError(path, problems)
    settings = {key: _setting(value) for key, value in (data.get("settings") or {}).items()}
    return Manifest(
        name=data["name"],
        version=str(data["version"]),
        api=data["api"],
        reidkit=str(data["reidkit"]),
        provides={kind: tuple(names) for kind, names in (data["provides"] or {}).items()},
        requires=tuple(map(str, data.get("requires") or ())),
        settings=settings,
        paper={key: str(value) for key, value in (data.get("paper") or {}).items()},
        description=data.get("description") or "",
        bench=data.get("bench") or "",
        extends=data.get("extends") or {},
        location=path.parent,
        module=module,
        origin=origin,
    )


def _problems(data: dict[str, Any], expected: str | None) -> Iterator[str]:
    """Every problem of a manifest, one line each."""
    for key in data:
        if key not in REQUIRED + OPTIONAL:
            yield f"{key}: unknown key{_near(key, REQUIRED + OPTIONAL)}"
    for key in REQUIRED:
        if key not in data:
            yield f"{key}: missing"
    name = data.get("name")
    if "name" in data and not (isinstance(name, str) and _NAME.fullmatch(name)):
        yield f"name: expected lower-case letters, digits and underscores, got {name!r}"
    elif name in RESERVED:
        yield f"name: {name!r} cannot name a plugin: {RESERVED[name]}"
    elif name and expected and expected != name:
        yield f"name: {name!r} differs from {expected!r}, the name of its folder or entry point"
    if "api" in data and type(data["api"]) is not int:
        yield f"api: expected a whole number, got {data['api']!r}"
    yield from _version_problems(data)
    yield from _provides_problems(data.get("provides"))
    yield from _settings_problems(data.get("settings"))
    yield from _extends_problems(data.get("extends"))
    if not isinstance(data.get("bench") or "", str):
        yield f"bench: expected one line that says what is compared, got {data['bench']!r}"
    if not isinstance(data.get("description") or "", str):
        yield f"description: expected text, got {data['description']!r}"
    if not isinstance(data.get("paper") or {}, dict):
        yield f"paper: expected keys such as title and arxiv, got {data['paper']!r}"


def _version_problems(data: dict[str, Any]) -> Iterator[str]:
    try:
        Version(str(data.get("version", "0")))
    except InvalidVersion:
        yield f"version: expected a version such as 0.1.0, got {data['version']!r}"
    try:
        SpecifierSet(str(data.get("reidkit", "")))
    except InvalidSpecifier:
        yield f"reidkit: expected a range such as '>=0.1,<0.2', got {data['reidkit']!r}"
    requires = data.get("requires") or []
    if not isinstance(requires, list):
        yield f"requires: expected a list such as ['scipy>=1.9'], got {requires!r}"
        return
    for one in requires:
        try:
            Requirement(str(one))
        except InvalidRequirement:
            yield f"requires: expected a requirement such as 'scipy>=1.9', got {one!r}"


def _provides_problems(provides: Any) -> Iterator[str]:
    if provides is None:
        return
    if not isinstance(provides, dict):
        yield f"provides: expected kinds with names such as {{heads: [PAPHead]}}, got {provides!r}"
        return
    for kind, names in provides.items():
        if kind not in KINDS:
            yield f"provides.{kind}: unknown kind{_near(kind, tuple(KINDS))}"
        elif not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            yield f"provides.{kind}: expected a list of names, got {names!r}"
        else:
            for name in names:
                if not name.isidentifier():
                    yield f"provides.{kind}: expected class names without prefix, got {name!r}"


def _extends_problems(extends: Any) -> Iterator[str]:
    if extends is None:
        return
    example = "{label_formats: {pickle: published.read}}"
    if not isinstance(extends, dict):
        yield f"extends: expected functions by extension point such as {example}, got {extends!r}"
        return
    for point, functions in extends.items():
        if point not in EXTENSION_POINTS:
            yield f"extends.{point}: unknown extension point{_near(point, EXTENSION_POINTS)}"
        elif not isinstance(functions, dict) or not all(
            isinstance(text, str) and _FUNCTION.fullmatch(text) for text in functions.values()
        ):
            yield f"extends.{point}: expected names with <module>.<function>, got {functions!r}"


def _settings_problems(settings: Any) -> Iterator[str]:
    if settings is None:
        return
    if not isinstance(settings, dict):
        yield f"settings: expected names with {{default: ..., help: ...}}, got {settings!r}"
        return
    for key, value in settings.items():
        if not isinstance(value, dict) or "default" not in value:
            yield f"settings.{key}: expected {{default: ..., help: ...}}, got {value!r}"
            continue
        for option in value:
            if option not in _SETTING_KEYS:
                near = _near(option, _SETTING_KEYS)
                yield f"settings.{key}.{option}: unknown key{near}"
        if not isinstance(key, str) or not key.isidentifier():
            yield f"settings.{key}: expected a name of letters, digits and underscores"
        if not isinstance(value["default"], _DEFAULTS):
            yield f"settings.{key}.default: expected text, a number, a list or null"
        if not isinstance(value.get("help") or "", str):
            yield f"settings.{key}.help: expected text, got {value['help']!r}"
        if not isinstance(value.get("choices") or [], list):
            yield f"settings.{key}.choices: expected a list, got {value['choices']!r}"
            continue
        bounds = [b for b in ("low", "high") if not _is_bound(value.get(b, 0))]
        for bound in bounds:
            yield f"settings.{key}.{bound}: expected a finite number, got {value[bound]!r:.80}"
        if not bounds and (wrong := _setting(value).problem(value["default"])):
            yield f"settings.{key}.default: {wrong}"


def _is_bound(value: Any) -> bool:
    largest = sys.float_info.max  # of what a float holds
    return type(value) in (int, float) and -largest <= value <= largest


def _setting(value: dict[str, Any]) -> Setting:
    choices = tuple(value.get("choices") or ())
    text = value.get("help") or ""
    return Setting(value["default"], text, choices, value.get("low"), value.get("high"))


def _near(word: str, words: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(str(word), words, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{hint} known: {', '.join(words)}"
