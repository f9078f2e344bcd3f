"""Functions that a plugin lends to the core's commands: declared in its manifest, imported on use.

```yaml
bench: attention against expanded features       # run() of bench.py: `reidkit bench mypaper`
extends:                                          # the first two: `reidkit generate-part-labels`
  label_formats: {pickle: published_labels.read}  # for --import-format mypaper/pickle
  label_scores: {regions: region_score.score}     # further columns of --score
  gpu_stages: {attention: gpu.attention}          # for `reidkit gpu`: a list of Measurement
  growth: {attention: growth.attention}           # (size, folder) -> work of `reidkit bench growth`
```
A command lists what there is from manifests alone; the plugin is loaded, checks and all, when one
of its functions is called for.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reidkit.plugin.discover import discover
from reidkit.plugin.errors import PluginError
from reidkit.plugin.manifest import Manifest

BENCH = "bench.run"


@dataclass(frozen=True)
class Extension:
    """One function of a plugin, not imported yet.

    Attributes:
        name: as typed by people ("<plugin>/<name>").
        manifest: of the plugin.
        function: "<module>.<function>" below the plugin's package.
        about: one line for listings; may be empty.
    """

    name: str
    manifest: Manifest
    function: str
    about: str = ""

    def load(self) -> Callable[..., Any]:
        """Load the plugin, then import the function.

        Raises:
            PluginError: the plugin cannot be loaded, or the function is not where it should be.
        """
        from reidkit.plugin.load import load_plugins

        load_plugins([self.manifest.name])
        module, _, function = self.function.rpartition(".")
        where = f"{self.manifest.module}.{module}"
        try:
            return getattr(importlib.import_module(where), function)
        except ModuleNotFoundError as error:
            if error.name != where:
                raise
            reason = f"there is no {module.replace('.', '/')}.py"
        except AttributeError:
            reason = f"{module.replace('.', '/')}.py has no function {function!r}"
        raise PluginError(f"{self.manifest}: {self.name} cannot be used: {reason}")


def extensions(point: str) -> dict[str, Extension]:
    """Name -> extension of everything that installed plugins lend to one point; sorted by name.

    Args:
        point: a name in ``manifest.EXTENSION_POINTS``.

    Example:
        >>> all("/" in name for name in extensions("label_formats"))
        True
    """
    return {
        f"{name}/{key}": Extension(f"{name}/{key}", manifest, function)
        for name, manifest in discover().plugins.items()
        for key, function in sorted(manifest.extends.get(point, {}).items())
    }


def benchmarks() -> dict[str, Extension]:
    """Plugin name -> its benchmark, of plugins that have one; sorted by name."""
    return {
        name: Extension(name, manifest, BENCH, manifest.bench)
        for name, manifest in discover().plugins.items()
        if manifest.bench
    }


def unknown_name(kind: str, name: str, known: list[str]) -> str:
    """The sentence that refuses a name: nearest one, then all there are.

    Example:
        >>> unknown_name("format", "cocoa", ["coco"])
        "no format named 'cocoa'; did you mean 'coco'? available: coco"
    """
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"no {kind} named {name!r}; {hint}available: {', '.join(known) or 'none'}"
