"""No ring of imports inside reidkit/ or plugins/: what a module needs never needs that module."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

import reidkit

ROOT = Path(reidkit.__file__).parents[1]


def modules(root: Path) -> dict[str, Path]:
    """Dotted name -> file of everything in the core and the shipped plugins."""
    found = {}
    for folder, package in (("reidkit", "reidkit"), ("plugins", "reidkit_plugins")):
        for path in sorted((root / folder).rglob("*.py")):
            parts = [package, *path.relative_to(root / folder).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Everything below a node, inside functions too, but not what only type checkers run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from statements(child)


def imported(name: str, path: Path, known: Mapping[str, Path]) -> set[str]:
    """The known modules that one module imports, by whatever spelling."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    names = []
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            whole = [f"{base}.{alias.name}" for alias in node.names]
            names += [one if one in known else base for one in whole]
    return {one for one in names if one in known and one != name}


def rings(known: Mapping[str, Path]) -> list[set[str]]:
    """Sets of modules each of which reaches every other of its set by imports."""
    names = list(known)
    number = {name: i for i, name in enumerate(names)}
    arrows = [(number[a], number[b]) for a in names for b in imported(a, known[a], known)]
    rows, columns = np.array(arrows).reshape(-1, 2).T
    graph = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(names),) * 2)
    count, labels = connected_components(graph, directed=True, connection="strong")
    groups = [{names[i] for i in np.flatnonzero(labels == label)} for label in range(count)]
    return sorted((group for group in groups if len(group) > 1), key=min)


def test_there_is_no_ring():
    assert rings(modules(ROOT)) == []


def test_the_rule_sees_rings(tmp_path):
    """Through relative imports and inside functions, but not for type checkers alone."""
    package = tmp_path / "plugins" / "p"
    package.mkdir(parents=True)
    files = {
        "__init__": "from . import a",
        "a": "from .b import B",
        "b": "def f():\n    from . import c",
        "c": "import reidkit_plugins.p.a",
        "d": "from .e import E",
        "e": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .d import D",
    }
    for name, code in files.items():
        (package / f"{name}.py").write_text(code)
    assert rings(modules(tmp_path)) == [{f"reidkit_plugins.p.{name}" for name in "abc"}]
