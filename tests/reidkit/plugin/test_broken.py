"""Every way in which a plugin can be broken, by every way in which it can be found: the exact text,
nothing left behind, others unharmed; in this process and in a spawned worker."""

# ruff: noqa: E501  (messages are compared whole)
from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from reidkit.plugin import PluginError, discover, load_plugins
from reidkit.plugin.discover import plugin_package
from reidkit.plugin.load import loaded
from reidkit.registry import MATCHERS, REGISTRIES

ROUTES = ("shipped", "path", "entry point")
PARTS = """\
from torch import nn

from reidkit.registry import MATCHERS


@MATCHERS.register_module()
class Good(nn.Module):
    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.scale = scale
"""
BROKEN: dict[str, dict] = {
    "raises": dict(files={"__init__.py": "raise RuntimeError('boom')\n"}),
    "quits": dict(files={"__init__.py": "import sys\nsys.exit(3)\n"}),
    "old": dict(api=2, files={"__init__.py": "raise SystemError('was imported')\n"}),
    "lacks": dict(
        requires='["surely-not-there>=1.9"]',
        files={"__init__.py": "raise SystemError('was imported')\n"},
    ),
    "boasts": dict(provides="{matchers: [Good], heads: [Neck]}"),
    "hides": dict(provides="{}"),
    "circles": dict(
        files={
            "parts.py": "from .others import Two\n\n\nclass One: ...\n",
            "others.py": "from .parts import One\n\n\nclass Two: ...\n",
        }
    ),
    "gone": dict(files={"__init__.py": "from . import parts, removed\n"}),
    "halves": dict(files={"parts.py": PARTS + "\nraise OSError('the disk is full')\n"}),
    "twice": dict(files={"parts.py": PARTS + "\nMATCHERS.register_module()(Good)\n"}),
    "clashes": {},
}


def place(route: str, name: str) -> str:
    """Where a plugin lies, as messages show it."""
    folders = {"shipped": "shipped/reidkit_plugins/", "path": "path/"}
    return folders.get(route, "site/reidkit_") + name


def module(route: str, name: str) -> str:
    return f"reidkit_{name}" if route == "entry point" else f"reidkit_plugins.{name}"


def expected(route: str, root) -> dict[str, str]:
    """What is said of each broken plugin."""

    def plugin(name: str) -> str:
        return f"plugin '{name}' 0.3 ({place(route, name)})"

    def file(name: str) -> str:
        return f"  {place(route, name)}"

    places = {
        "shipped": "shipped/reidkit_plugins/clashes (shipped) and other/clashes (REIDKIT_PLUGIN_PATH)",
        "path": "path/clashes (REIDKIT_PLUGIN_PATH) and other/clashes (REIDKIT_PLUGIN_PATH)",
        "entry point": "other/clashes (REIDKIT_PLUGIN_PATH) and site/reidkit_clashes (entry point "
        "'clashes = reidkit_clashes')",
    }
    twice = module(route, "twice")
    return {
        "raises": f"{plugin('raises')} could not be imported: RuntimeError: boom\n"
        f"{file('raises')}/__init__.py, line 1: raise RuntimeError('boom')",
        "quits": f"{plugin('quits')} could not be imported: SystemExit: 3\n"
        f"{file('quits')}/__init__.py, line 2: sys.exit(3)",
        "old": f"{plugin('old')} was written for plugin API 2, reidkit 0.1.0 has API 1: see the "
        "changelog for what to change",
        "lacks": f"{plugin('lacks')} needs surely-not-there>=1.9, found none",
        "boasts": f"{plugin('boasts')} does not register what its plugin.yaml says\n"
        "  provides.heads: Neck is listed but not registered; is its module imported in __init__.py, and its class decorated?",
        "hides": f"{plugin('hides')} does not register what its plugin.yaml says\n"
        "  provides.matchers: Good is registered but not listed; add it",
        "circles": f"{plugin('circles')} could not be imported: ImportError: cannot import name 'One' "
        f"from partially initialized module '{module(route, 'circles')}.parts' (most likely due to a "
        f"circular import) ({root}/{place(route, 'circles')}/parts.py)\n"
        f"{file('circles')}/others.py, line 1: from .parts import One",
        "gone": f"{plugin('gone')} could not be imported: ImportError: there is no module 'removed' "
        f"in {place(route, 'gone')}, and nothing of that name has been defined there\n"
        f"{file('gone')}/__init__.py, line 1: from . import parts, removed",
        "halves": f"{plugin('halves')} could not be imported: OSError: the disk is full\n"
        f"{file('halves')}/parts.py, line 12: raise OSError('the disk is full')",
        "twice": f"{plugin('twice')} could not be imported: KeyError: \"matcher 'twice/Good' is "
        f'registered twice: {twice}.parts:6 and {twice}.parts:6"\n'
        f"{file('twice')}/parts.py, line 12: MATCHERS.register_module()(Good)",
        "clashes": f"2 plugins are named 'clashes': {places[route]}; rename or remove all but one",
    }


@pytest.fixture(params=ROUTES)
def broken(request, world, monkeypatch):
    """All broken plugins by one route, and a good one on the path; gives the texts expected."""
    route, shipped = request.param, plugin_package()
    if route == "shipped":
        package = world.write(world.root / "shipped" / "reidkit_plugins", {"__init__.py": INIT})
        monkeypatch.syspath_prepend(str(world.root / "shipped"))  # for workers
        monkeypatch.setattr(shipped, "__path__", [str(package)])
    for name, changes in BROKEN.items():
        changes = {**changes, "files": dict(changes.get("files", {}))}
        if route == "entry point":
            world.install(name, f"reidkit_{name}", **changes)
        else:
            world.plugin(name, "path" if route == "path" else "shipped/reidkit_plugins", **changes)
    world.plugin("clashes", "other")
    world.plugin("good", "good")
    world.search("path", "other", "good")
    return expected(route, world.root)


INIT = """\
import os

__path__ += [f for f in os.environ.get("REIDKIT_PLUGIN_PATH", "").split(os.pathsep) if os.path.isdir(f)]
"""


def texts(names: list[str]) -> dict[str, str]:
    """What ``load_plugins`` says of each plugin; "" for one that it loads."""
    said = {}
    for name in names:
        try:
            load_plugins([name])
            said[name] = ""
        except PluginError as error:
            said[name] = str(error)
    return said


def left_behind() -> tuple[dict[str, list[str]], set[str]]:
    names = {kind: registry.names() for kind, registry in REGISTRIES.items()}
    return names, {m for m in sys.modules if m.startswith(("reidkit_", "reidkit_plugins."))}


def test_each_is_refused_in_words_and_leaves_nothing(broken):
    discover()
    before = left_behind()
    said = texts(list(broken))
    assert said == broken
    assert left_behind() == before and not set(loaded()) & set(broken)
    load_plugins(["good"])
    assert MATCHERS.build(dict(type="good/Good")).where() == "reidkit_plugins.good.parts"


def test_a_broken_one_among_those_named_harms_no_other(broken):
    with pytest.raises(PluginError) as error:
        load_plugins([*broken, "good"])
    assert str(error.value) == "\n".join(broken.values())
    assert "good/Good" in MATCHERS.names() and set(loaded()) & {*broken, "good"} == {"good"}


def work(names: list[str], folder: str) -> tuple[dict[str, str], list[str]]:
    """In a worker: what is said of each plugin, and what is registered afterwards."""
    os.chdir(folder)
    said = texts(names)
    load_plugins(["good"])
    return said, [name for name in MATCHERS.names() if "Good" in name]


@pytest.mark.slow
def test_the_same_in_a_spawned_worker(broken, world):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        said, registered = pool.submit(work, list(broken), str(world.root)).result()
    assert said == broken
    assert registered == ["good/Good"]
