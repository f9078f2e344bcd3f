"""Loading: every way a plugin is found, and every way it can fail, with nothing left behind."""

# ruff: noqa: E501  (messages are compared whole)
from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from reidkit.plugin import PluginError, discover, load_plugins
from reidkit.plugin.load import loaded
from reidkit.registry import MATCHERS, REGISTRIES


def state():
    """Registered names of every kind and the plugin modules that are imported."""
    names = {kind: registry.names() for kind, registry in REGISTRIES.items()}
    return names, {m for m in sys.modules if m.startswith(("reidkit_plugins", "reidkit_foo"))}


def refused(name: str) -> str:
    """The text that refuses a plugin; nothing of it may be left."""
    discover()  # the package reidkit_plugins itself stays imported
    before = state()
    with pytest.raises(PluginError) as error:
        load_plugins([name])
    assert state() == before
    assert name not in loaded()
    return str(error.value)


def test_shipped_plugin_is_found():
    manifest = discover().plugins["eanet"]
    assert (manifest.origin, manifest.module) == ("shipped", "reidkit_plugins.eanet")


def test_path_plugin(world):
    world.plugin("good")
    world.search("path")
    (manifest,) = load_plugins(["good"])
    assert (manifest.origin, manifest.version) == ("REIDKIT_PLUGIN_PATH", "0.3")
    assert MATCHERS.build(dict(type="good/Good", scale=2)).where() == "reidkit_plugins.good.parts"
    assert load_plugins(["good"]) == [manifest]  # again: left alone


def test_entry_point_plugin(world):
    world.install("good", "reidkit_foo")
    found = discover().plugins["good"]
    assert found.origin == "entry point 'good = reidkit_foo'"
    assert "reidkit_foo" not in sys.modules  # found without running it
    load_plugins(["good"])
    assert MATCHERS.build(dict(type="good/Good")).where() == "reidkit_foo.parts"


def test_plugin_imported_before_it_was_named(world):
    world.install("good", "reidkit_foo")
    import reidkit_foo  # noqa: F401

    assert "Good" in MATCHERS.names()
    load_plugins(["good"])
    assert "good/Good" in MATCHERS.names() and "Good" not in MATCHERS.names()


def worker(component) -> tuple[str, list[str]]:
    """What a worker process sees of a component that was sent to it."""
    return component.where(), [name for name in MATCHERS.names() if "Good" in name]


@pytest.mark.slow
def test_spawned_worker_finds_a_path_plugin(world):
    world.plugin("good")
    world.search("path")
    load_plugins(["good"])
    component = MATCHERS.build(dict(type="good/Good"))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        names = pool.submit(worker, component).result()
    assert names == ("reidkit_plugins.good.parts", ["good/Good"])


def test_components_of_two_plugins_may_share_a_name(world):
    world.plugin("good")
    world.plugin("other")
    world.search("path")
    load_plugins(["good", "other"])
    assert {"good/Good", "other/Good"} <= set(MATCHERS.names())


def test_raises_on_import(world):
    world.plugin("foo", files={"__init__.py": "from . import parts\nhalf = 1 / 0\n"})
    world.search("path")
    text = refused("foo")
    assert text == (
        "plugin 'foo' 0.3 (path/foo) could not be imported: ZeroDivisionError: division by zero\n"
        "  path/foo/__init__.py, line 2: half = 1 / 0"
    )


def test_cause_is_chained_and_a_mended_plugin_loads(world):
    world.plugin("foo", files={"__init__.py": "from . import parts\nimport nowhere_at_all\n"})
    world.search("path")
    with pytest.raises(PluginError) as error:
        load_plugins(["foo"])
    assert isinstance(error.value.__cause__, ModuleNotFoundError)
    (world.root / "path/foo/__init__.py").write_text(
        "from . import parts  # mended, and longer than it was\n"
    )
    load_plugins(["foo"])
    assert "foo/Good" in MATCHERS.names()


def test_syntax_error(world):
    world.plugin("foo", files={"parts.py": "x = = 1\n"})
    world.search("path")
    assert refused("foo") == (
        "plugin 'foo' 0.3 (path/foo) could not be imported: SyntaxError: invalid syntax (parts.py, "
        "line 1)\n  path/foo/parts.py, line 1: x = = 1"
    )


def test_clash_names_both_origins(world):
    world.plugin("foo", "one")
    world.plugin("foo", "two")
    world.search("one", "two")
    assert "foo" not in discover().plugins
    assert refused("foo") == (
        "2 plugins are named 'foo': one/foo (REIDKIT_PLUGIN_PATH) and two/foo "
        "(REIDKIT_PLUGIN_PATH); rename or remove all but one"
    )


def test_clash_across_routes(world):
    world.install("foo", "reidkit_foo")
    world.plugin("foo")
    world.search("path")
    assert refused("foo") == (
        "2 plugins are named 'foo': path/foo (REIDKIT_PLUGIN_PATH) and site/reidkit_foo "
        "(entry point 'foo = reidkit_foo'); rename or remove all but one"
    )


def test_wrong_api(world):
    world.plugin("foo", api=2, files={"__init__.py": "raise SystemError('was imported')\n"})
    world.search("path")
    assert refused("foo") == (
        "plugin 'foo' 0.3 (path/foo) was written for plugin API 2, reidkit 0.1.0 has API 1: see the "
        "changelog for what to change"
    )


def test_wrong_reidkit_and_missing_distribution_together(world):
    world.plugin("foo", reidkit=">=9", requires='["surely-not-there>=1.9", "pyyaml>=999"]')
    world.search("path")
    first, second, third = refused("foo").splitlines()
    assert first == "plugin 'foo' 0.3 (path/foo) needs reidkit >=9, found 0.1.0"
    assert second == "plugin 'foo' 0.3 (path/foo) needs surely-not-there>=1.9, found none"
    assert third.startswith("plugin 'foo' 0.3 (path/foo) needs pyyaml>=999, found ")


def test_unlisted_and_unregistered(world):
    world.plugin("foo", provides="{matchers: [God], heads: [Neck]}")
    world.search("path")
    assert refused("foo") == (
        "plugin 'foo' 0.3 (path/foo) does not register what its plugin.yaml says\n"
        "  provides.heads: Neck is listed but not registered; is its module imported in __init__.py, and its class decorated?\n"
        "  provides.matchers: God is listed but not registered; did you mean 'Good'?\n"
        "  provides.matchers: Good is registered but not listed; add it"
    )


def test_open_constructor_is_refused(world):
    parts = "from reidkit.registry import MATCHERS\n\n@MATCHERS.register_module()\n"
    parts += "class Good:\n    def __init__(self, **options): ...\n"
    world.plugin("foo", files={"parts.py": parts})
    world.search("path")
    text = refused("foo")
    assert text.startswith(
        "plugin 'foo' 0.3 (path/foo) could not be imported: TypeError: matcher Good: the constructor "
        "takes *options; name every option, or misspelt options cannot be found\n"
        "  path/foo/parts.py, line "
    )


def test_plugin_importing_another(world):
    world.plugin("good")
    world.plugin("foo", files={"__init__.py": "import reidkit_plugins.good\nfrom . import parts\n"})
    world.search("path")
    discover()
    with pytest.raises(PluginError, match="imports plugin 'good'; plugins share through reidkit"):
        load_plugins(["foo"])
    assert "foo/Good" not in MATCHERS.names()


def test_unknown_plugin_suggests(world):
    world.plugin("good")
    world.search("path")
    installed = ", ".join(discover().plugins)
    assert "good" in installed and "eanet" in installed
    assert refused("god") == f"no plugin named 'god'; did you mean 'good'? installed: {installed}"


def test_a_broken_one_does_not_keep_others_from_loading(world):
    world.plugin("good")
    world.plugin("foo", api=2)
    world.plugin("bar", api=3)
    world.search("path")
    with pytest.raises(PluginError) as error:
        load_plugins(["foo", "good", "bar"])
    assert [line[:12] for line in str(error.value).splitlines()] == ["plugin 'foo'", "plugin 'bar'"]
    assert "good" in loaded() and "good/Good" in MATCHERS.names()


def test_core_components_keep_their_names_inside_a_plugin(world):
    world.plugin("foo", files={"__init__.py": "import reidkit.evaluation\nfrom . import parts\n"})
    world.search("path")
    load_plugins(["foo"])
    assert "CosineMatcher" in MATCHERS.names() and "foo/CosineMatcher" not in MATCHERS.names()
