"""What can be wrong with a plugin, in words; locations as short as they can be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from reidkit.errors import UserError


class PluginError(UserError):
    """A plugin is missing, broken or unfit; the text names it, its version and its place."""


class ManifestError(PluginError):
    """A ``plugin.yaml`` that cannot be used; the text lists every problem in it.

    Args:
        path: the file.
        problems: one line each.

    Example:
        >>> print(ManifestError(Path("p/plugin.yaml"), ["name: missing", "api: missing"]))
        p/plugin.yaml: 2 problems
         1. name: missing
         2. api: missing
    """

    def __init__(self, path: Path, problems: Sequence[str]):
        self.path, self.problems = path, list(problems)
        count = f"{len(self.problems)} problem" + ("s" if len(self.problems) != 1 else "")
        lines = [f" {i}. {problem}" for i, problem in enumerate(self.problems, 1)]
        super().__init__("\n".join([f"{shown(path)}: {count}", *lines]))


def shown(path: str | os.PathLike[str]) -> str:
    """A path as people read it: relative to the current folder when it lies in it.

    Example:
        >>> shown(Path.cwd() / "plugins" / "eanet")
        'plugins/eanet'
    """
    try:
        return Path(path).absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return Path(path).as_posix()
