"""Every component of the core and of the shipped plugins keeps the contract of its kind."""

from __future__ import annotations

import pytest

from reidkit.plugin import discover, load_plugins
from reidkit.registry import REGISTRIES, import_core
from reidkit.testing import check_component

import_core()
SHIPPED = sorted(n for n, m in discover().plugins.items() if m.origin == "shipped")
load_plugins(SHIPPED)
# parameters of the collected tests must be the same in every process: only what the core and the
# shipped plugins register under their own names, whatever else a test session has imported
ALL = [
    (kind, name)
    for kind, registry in REGISTRIES.items()
    for name in registry.names()
    if registry.get(name).__module__.split(".")[0] in ("reidkit", "reidkit_plugins")
]


def test_there_are_components_of_the_kinds_that_run():
    kinds = {kind for kind, _ in ALL}
    assert {"backbones", "heads", "losses", "matchers", "samplers", "transforms"} <= kinds
    assert SHIPPED and all(any(n.startswith(f"{p}/") for _, n in ALL) for p in SHIPPED)


@pytest.mark.parametrize("kind, name", ALL, ids=[f"{kind}-{name}" for kind, name in ALL])
def test_contract(kind, name):
    done = check_component(kind, name)
    if "not run" in done:
        pytest.skip(done)
