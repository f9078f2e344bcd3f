"""A stranger's plugin lends a benchmark, a label format and a score to the core's commands."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from reidkit.cli.bench import main as bench
from reidkit.errors import UserError
from reidkit.plugin.errors import PluginError
from reidkit.plugin.extend import benchmarks, extensions
from reidkit.pose.imports import KeypointFile, import_labels

MANIFEST = """
name: foo
version: 0.3
api: 1
reidkit: ">=0.1,<0.2"
provides: {matchers: [Good]}
bench: nothing against less
extends:
  label_formats: {text: lent.read, gone: lent.missing, lost: nowhere.read}
"""
LENT = """
import numpy as np


from reidkit.pose.people import LabelledImage, Person


def read(path):
    name, value = open(path).read().split()
    joints = np.full((17, 3), float(value)) / (1, 1, 4)
    return [LabelledImage(name, (Person(joints, str(path)),))]
"""
BENCH = """
from reidkit.bench.table import Row


def run():
    return [Row("empty", ours=2.0, baseline=1.0, baseline_name="less", unit="things/s")]
"""


@pytest.fixture
def foo(world):
    files = {"plugin.yaml": MANIFEST, "lent.py": LENT, "bench.py": BENCH}
    world.plugin("foo", files=files)
    world.search("path")


def test_listing_imports_nothing_of_the_plugin(foo):
    assert benchmarks()["foo"].about == "nothing against less"
    assert "foo/text" in extensions("label_formats")
    assert not [name for name in sys.modules if name.startswith("reidkit_plugins.foo")]


def test_the_command_runs_a_plugins_benchmark(foo, capsys):
    bench(["foo"])
    assert "foo: nothing against less" in capsys.readouterr().out
    with pytest.raises(UserError, match="no benchmark named 'fooo'; did you mean 'foo'?"):
        bench(["fooo"])


def test_labels_come_in_a_plugins_format(foo, crops, tmp_path):
    (tmp_path / "labels.txt").write_text("0000_c0.jpg 3")
    source = KeypointFile(tmp_path / "labels.txt", "foo/text")
    store = import_labels(crops(1), tmp_path / "store", source, None)
    assert np.all(store.keypoints == (3, 3, 0.75))


@pytest.mark.parametrize(
    "name, text",
    [("foo/gone", "lent.py has no function 'missing'"), ("foo/lost", "there is no nowhere.py")],
)
def test_a_function_that_is_not_there_is_refused(foo, name, text):
    with pytest.raises(PluginError, match=text):
        extensions("label_formats")[name].load()
