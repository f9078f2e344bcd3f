"""No string in reidkit/ names a shipped plugin: the core finds plugins, it never knows one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import reidkit

PACKAGE = Path(reidkit.__file__).parent
SHIPPED = sorted(path.parent.name for path in (PACKAGE.parent / "plugins").glob("*/plugin.yaml"))
NAME = re.compile(rf"(?<![\w.-])({'|'.join(SHIPPED)})(?![\w-])")


def named(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, string) of every string, docstrings and parts of f-strings too, that names a plugin.

    Papers are cited as they write themselves ("EANet"); plugins are written in lower case.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for match in NAME.finditer(node.value):
                line = node.lineno + node.value[: match.start()].count("\n")
                yield line, node.value[max(0, match.start() - 30) : match.end() + 30]


def test_no_string_of_the_core_names_a_shipped_plugin():
    assert len(SHIPPED) >= 5
    hits = [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {text!r}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in named(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not hits, "\n".join(hits)


@pytest.mark.parametrize(
    "code, count",
    [
        ("load_plugins(['eanet'])", 1),
        ("type = 'qaconv/QAConvMatcher'", 1),
        ("text = f'{name}: as in jlml/L1Matcher'", 1),
        ("def f():\n    '''Of `drsa/DRSAHead`.'''", 1),
        ("def f():\n    '''Source: EANet, arXiv 1812.11369; DG-Net; QAConv.'''", 0),
        ("eanet = 1", 0),
    ],
)
def test_the_guard_sees_names(code, count):
    assert len(list(named(ast.parse(code)))) == count
