"""A manifest of a stranger: refused in words, in no time, and without stopping other plugins."""

import os
import time

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reidkit.kinds import KINDS
from reidkit.plugin import ManifestError, discover, read_manifest
from reidkit.plugin.manifest import LARGEST, OPTIONAL, REQUIRED

GOOD = dict(name="foo", version="1.2", api=1, reidkit=">=0.1", provides=dict(heads=["A"]))
LAUGHS = "".join(
    f"l{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'lol'}]\n" for i in range(10)
)
PLAIN = yaml.safe_dump(GOOD)


def read(tmp_path, text):
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "plugin.yaml").write_bytes(data)
    return read_manifest(tmp_path / "plugin.yaml")


HOSTILE = {
    "laughs in an unknown key": PLAIN + LAUGHS,
    "laughs in the name": LAUGHS + PLAIN.replace("name: foo", "name: *a9"),
    "laughs in the version": LAUGHS + PLAIN.replace("version: '1.2'", "version: *a9"),
    "laughs in the paper": LAUGHS + PLAIN + "paper: {title: *a9}\n",
    "an alias in a merge": "a: &a {name: foo}\n<<: *a\n" + PLAIN,
    "choices of a number": PLAIN + "settings: {a: {default: 1, choices: 5}}\n",
    "a default of a date": PLAIN + "settings: {a: {default: 2020-01-01}}\n",
    "a default of a dict": PLAIN + "settings: {a: {default: {b: 1}}}\n",
    "a setting named 1": PLAIN + "settings: {1: {default: 1}}\n",
    "a description of a list": PLAIN + "description: [1]\n",
    "an impossible date": PLAIN + "paper: {year: 2020-99-99}\n",
    "a number of many digits": PLAIN.replace("api: 1", "api: " + "9" * 10_000),
    "many brackets": PLAIN + "paper: " + "[" * 100_000,
    "many levels": PLAIN + "paper: " + "{a: " * 20_000,
    "too large": PLAIN + "# " + "x" * LARGEST,
    "not UTF-8": PLAIN.encode() + b"paper: {title: \xff}",
    "Python's objects": PLAIN + "paper: !!python/object/apply:os.system ['true']\n",
    "empty": "",
    "a list": "[1, 2]",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_manifest_is_refused_at_once(tmp_path, what):
    began = time.monotonic()
    with pytest.raises(ManifestError) as error:
        read(tmp_path, HOSTILE[what])
    assert time.monotonic() - began < 20 and len(str(error.value)) < 10_000


def test_a_missing_list_of_choices_is_none(tmp_path):
    manifest = read(tmp_path, PLAIN + "settings: {a: {default: 1, choices: , help: }}\n")
    assert manifest.settings["a"].choices == () and manifest.settings["a"].help == ""


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_manifest_that_is_no_file(tmp_path, kind):
    path = tmp_path / "plugin.yaml"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/zero")
    with pytest.raises(ManifestError, match="a pipe or device, no file"):
        read_manifest(path)


@pytest.mark.slow
def test_the_others_are_found(tmp_path, monkeypatch):
    for number, text in enumerate(HOSTILE.values()):
        (tmp_path / f"bad{number}").mkdir()
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / f"bad{number}" / "plugin.yaml").write_bytes(data)
    (tmp_path / "foo").mkdir()
    (tmp_path / "foo" / "plugin.yaml").write_text(PLAIN)
    monkeypatch.setenv("REIDKIT_PLUGIN_PATH", str(tmp_path))
    found = discover()
    assert {"foo", "eanet"} <= set(found.plugins) and len(found.broken) == len(HOSTILE)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.dates(),
    st.binary(max_size=4), st.sampled_from(["default", "help", "choices", "heads", "all"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(SCALARS, inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=st.dictionaries(st.sampled_from(REQUIRED + OPTIONAL), VALUES, max_size=3))
@pytest.mark.slow
def test_values_of_any_type_end_in_words_or_in_a_manifest(tmp_path_factory, changes):
    text = yaml.dump({**GOOD, **changes}, Dumper=Plain)
    try:
        manifest = read(tmp_path_factory.mktemp("plugin"), text)
    except ManifestError as error:
        assert error.problems
        for problem in error.problems:
            key = problem.partition(":")[0].partition(".")[0]
            assert key in (*REQUIRED, *OPTIONAL, "not readable as YAML"), problem
        return
    words = [manifest.name, manifest.version, manifest.reidkit, manifest.description]
    words += [manifest.bench, *manifest.requires, *manifest.paper.values()]
    words += [name for names in manifest.provides.values() for name in names]
    assert [word for word in words if type(word) is not str] == []
    assert type(manifest.api) is int and set(manifest.provides) <= set(KINDS)


class Plain(yaml.SafeDumper):
    """Writes no aliases."""

    def ignore_aliases(self, data):
        return True
