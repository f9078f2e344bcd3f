"""Manifests: every problem listed, nothing executed."""

# ruff: noqa: E501  (messages are compared whole)
from __future__ import annotations

import pytest

from reidkit.plugin import ManifestError, discover, read_manifest

GOOD = """\
name: foo
version: 1.2
api: 1
reidkit: ">=0.1"
provides: {heads: [A, B], losses: []}
settings:
  confidence: {default: 0.1, help: "least confidence"}
  mode: {default: fast, help: "how", choices: [fast, exact]}
"""


def problems(tmp_path, text: str, expected: str | None = None) -> list[str]:
    (tmp_path / "plugin.yaml").write_text(text)
    with pytest.raises(ManifestError) as error:
        read_manifest(tmp_path / "plugin.yaml", expected=expected)
    return error.value.problems


def test_good(tmp_path):
    (tmp_path / "plugin.yaml").write_text(GOOD)
    manifest = read_manifest(tmp_path / "plugin.yaml", expected="foo")
    assert (manifest.version, manifest.provides["heads"]) == ("1.2", ("A", "B"))
    assert list(manifest.components()) == [("heads", "foo/A"), ("heads", "foo/B")]
    assert manifest.settings["confidence"].default == 0.1
    assert (
        manifest.settings["mode"].problem("slow") == "expected one of 'fast', 'exact'; got 'slow'"
    )


def test_all_problems_at_once(tmp_path):
    text = """\
name: Foo Bar
version: latest
api: "1"
reidkit: new
provids: {}
provides: {head: [A], losses: A, matchers: [a/B]}
requires: ["scipy >> 1"]
settings:
  a: 3
  b: {default: 1, hlp: ""}
  c: {default: slow, choices: [fast]}
  d: {default: 1, low: "0"}
  e: {default: 2, low: 0, high: 1}
extends: {label_format: {}, label_scores: {all: score}}
bench: [a]
"""
    assert problems(tmp_path, text) == [
        "provids: unknown key; did you mean 'provides'? known: name, version, api, reidkit, provides, "
        "paper, requires, settings, description, bench, extends",
        "name: expected lower-case letters, digits and underscores, got 'Foo Bar'",
        "api: expected a whole number, got '1'",
        "version: expected a version such as 0.1.0, got 'latest'",
        "reidkit: expected a range such as '>=0.1,<0.2', got 'new'",
        "requires: expected a requirement such as 'scipy>=1.9', got 'scipy >> 1'",
        "provides.head: unknown kind; did you mean 'heads'? known: backbones, heads, losses, samplers, "
        "frame_samplers, evaluators, datasets, transforms, matchers, rerankers, models, hooks, labellers",
        "provides.losses: expected a list of names, got 'A'",
        "provides.matchers: expected class names without prefix, got 'a/B'",
        "settings.a: expected {default: ..., help: ...}, got 3",
        "settings.b.hlp: unknown key; did you mean 'help'? known: default, help, choices, low, high",
        "settings.c.default: expected one of 'fast'; got 'slow'",
        "settings.d.low: expected a finite number, got '0'",
        "settings.e.default: expected a finite number of at least 0 and at most 1, got 2",
        "extends.label_format: unknown extension point; did you mean 'label_formats'? known: "
        "label_formats, label_scores, gpu_stages, growth",
        "extends.label_scores: expected names with <module>.<function>, got {'all': 'score'}",
        "bench: expected one line that says what is compared, got ['a']",
    ]


@pytest.mark.parametrize("bound", [".inf", ".nan", "1" + 400 * "0"])
def test_a_bound_that_no_number_can_be_compared_with(tmp_path, bound):
    text = f"name: foo\nversion: 0.1.0\napi: 1\nsettings:\n  a: {{default: 1, low: {bound}}}\n"
    (found,) = [one for one in problems(tmp_path, text) if one.startswith("settings")]
    assert found.startswith("settings.a.low: expected a finite number, got ") and len(found) < 140


def test_missing_keys(tmp_path):
    assert problems(tmp_path, "name: foo\n") == [
        "version: missing",
        "api: missing",
        "reidkit: missing",
        "provides: missing",
    ]


def test_name_of_folder(tmp_path):
    (line,) = problems(tmp_path, GOOD, expected="bar")
    assert line == "name: 'foo' differs from 'bar', the name of its folder or entry point"


@pytest.mark.parametrize("text", ["", "[1, 2]", "name: [", "a: !!python/object/apply:os.getcwd []"])
def test_not_a_manifest(tmp_path, text):
    (line,) = problems(tmp_path, text)
    assert line.startswith(("not readable as YAML: ", "expected keys name, version, "))


def test_broken_manifest_breaks_only_its_plugin(world):
    world.plugin("good")
    world.plugin("foo", files={"plugin.yaml": "name: foo\nversion: 1\napi: 1\nreidkit: '>=0'\n"})
    world.search("path")
    found = discover()
    assert "good" in found.plugins and "eanet" in found.plugins
    expected = "path/foo/plugin.yaml: 1 problem\n 1. provides: missing"
    assert {name: str(error) for name, error in found.broken.items()} == {"foo": expected}


def test_entry_point_without_manifest(world):
    folder = world.install("good", "reidkit_foo")
    (folder / "plugin.yaml").unlink()
    assert str(discover().broken["good"]) == (
        "site/reidkit_foo/plugin.yaml: 1 problem\n"
        " 1. no plugin.yaml beside the package of entry point 'good = reidkit_foo'"
    )
