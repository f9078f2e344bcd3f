"""The examples in the docstrings of the shipped plugins run."""

import doctest
import importlib
import pkgutil

import pytest

import reidkit_plugins
from reidkit.plugin import discover, load_plugins

SHIPPED = sorted(n for n, m in discover().plugins.items() if m.origin == "shipped")
load_plugins(SHIPPED)
MODULES = [
    module.name
    for plugin in SHIPPED
    for module in pkgutil.iter_modules(
        importlib.import_module(f"{reidkit_plugins.__name__}.{plugin}").__path__,
        f"{reidkit_plugins.__name__}.{plugin}.",
    )
]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert found.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    tests = [
        t for name in MODULES for t in finder.find(importlib.import_module(name)) if t.examples
    ]
    assert len(tests) >= len(SHIPPED)
