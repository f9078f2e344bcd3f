"""A world of plugins in temporary folders; registries and modules are as before after each test."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest

import reidkit.plugin.load as loading
from reidkit.plugin.discover import PACKAGE
from reidkit.registry import REGISTRIES

MANIFEST = """\
name: {name}
version: {version}
api: {api}
reidkit: "{reidkit}"
provides: {provides}
requires: {requires}
"""

CODE = """\
from reidkit.registry import MATCHERS

from . import parts
"""

PARTS = """\
from torch import nn

from reidkit.registry import MATCHERS


@MATCHERS.register_module()
class Good(nn.Module):
    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.scale = scale

    def where(self) -> str:
        return __name__
"""


class World:
    """Writes plugins into folders and makes the folders searched."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch):
        self.root, self.patch = root, monkeypatch

    def write(self, folder: Path, files: dict[str, str]) -> Path:
        """Files of one plugin."""
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(textwrap.dedent(text))
        return folder

    def plugin(self, name: str, where: str = "path", package: str = "", **changes) -> Path:
        """A plugin with one matcher, below ``where``; ``files`` and manifest keys may differ."""
        keys = dict(name=name, version="0.3", api=1, reidkit=">=0.1,<0.2", requires="[]")
        keys["provides"] = "{matchers: [Good]}"
        files = {"__init__.py": CODE, "parts.py": PARTS, **changes.pop("files", {})}
        files.setdefault("plugin.yaml", MANIFEST.format(**{**keys, **changes}))
        return self.write(self.root / where / (package or name), files)

    def search(self, *folders: str) -> None:
        """Set REIDKIT_PLUGIN_PATH."""
        paths = os.pathsep.join(str(self.root / folder) for folder in folders)
        self.patch.setenv("REIDKIT_PLUGIN_PATH", paths)

    def install(self, name: str, package: str, **changes) -> Path:
        """A distribution with an entry point, on sys.path."""
        folder = self.plugin(name, "site", package, **changes)
        self.write(
            self.root / "site" / f"{package}-0.3.dist-info",
            {
                "METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.3\n",
                "entry_points.txt": f"[reidkit.plugins]\n{name} = {package}\n",
            },
        )
        self.patch.syspath_prepend(str(self.root / "site"))
        return folder


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Folders to write plugins into, with nothing left behind."""
    kept = [dict(registry.module_dict) for registry in REGISTRIES.values()]
    modules, loaded = set(sys.modules), dict(loading._loaded)
    monkeypatch.delenv("REIDKIT_PLUGIN_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    yield World(tmp_path, monkeypatch)
    for registry, before in zip(REGISTRIES.values(), kept, strict=True):
        found = dict(registry.module_dict)  # core modules that the test imported first stay
        core = {n: c for n, c in found.items() if c.__module__.split(".")[0] == "reidkit"}
        registry.module_dict.clear()
        registry.module_dict.update({**core, **before})
    loading._loaded.clear()
    loading._loaded.update(loaded)
    for name in set(sys.modules) - modules:
        if name.split(".")[0] in ("reidkit_foo",) or (
            name.startswith(f"{PACKAGE}.") and name.split(".")[1] not in loaded
        ):
            loading.forget_modules(name)
