"""The project around a new plugin: installable, tested, with its CI file."""

from __future__ import annotations

PYPROJECT = """\
[build-system]
requires = ["setuptools>=70.1"]
build-backend = "setuptools.build_meta"

[project]
name = "reidkit-{name}"
version = "0.1.0"
description = "{camel} for reidkit"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["reidkit>={major}.{minor},<{major}.{next}"]

[project.entry-points."reidkit.plugins"]
{name} = "reidkit_{name}"

[tool.setuptools]
package-dir = {{ reidkit_{name} = "{name}" }}
packages = ["reidkit_{name}", "reidkit_{name}.configs", "reidkit_{name}.configs.recipe"]

[tool.setuptools.package-data]
reidkit_{name} = ["plugin.yaml"]

[tool.pytest.ini_options]
testpaths = ["tests"]
filterwarnings = ["ignore::DeprecationWarning:torch.*"]  # torch's own affairs
"""

README = """\
# {name}

What the method claims, in two sentences. Results, known departures and sources below.

| paper | file |
|---|---|
| the embedding | `{name}/head.py` |
| the loss | `{name}/loss.py` |

Try it where it lies (`export REIDKIT_PLUGIN_PATH=$PWD`), or install it (`python -m pip install .`):

    reidkit plugins check {name}
    reidkit train {name}/baseline
    python -m pytest
"""

CONFTEST = '''\
"""The plugin as it lies here, and a tiny data set to try it on."""

from pathlib import Path

from reidkit.testing import use_plugin
from reidkit.testing.fixtures import tiny_synthped  # noqa: F401

use_plugin(Path(__file__).parents[1] / "{name}")
'''

TEST = '''\
"""The plugin keeps its promises, its loss is the formula, and the method learns."""

import math

import pytest
import torch
from reidkit.plugin import load_plugins
from reidkit.registry import LOSSES
from reidkit.testing import check_plugin, train_and_test


def test_the_plugin_keeps_its_promises():
    report = check_plugin("{name}")
    assert not report.broken, str(report)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_loss_by_hand(temperature):
    load_plugins(["{name}"])
    loss = LOSSES.build(dict(type="{name}/{camel}Loss", temperature=temperature))
    logits, identities = torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]]]), torch.tensor([0, 1])
    by_hand = [math.log(1 + math.exp(-gap / temperature)) for gap in (1.0, 2.0)]
    assert float(loss(logits, identities)) == pytest.approx(sum(by_hand) / 2, rel=1e-6)


def test_it_learns(tiny_synthped, tmp_path):
    trial = train_and_test("{name}/baseline", tiny_synthped, tmp_path / "run")
    first, last = trial.losses["loss"]
    assert last < first
    assert trial.metrics["source"]["mAP"] > trial.chance["source"]["mAP"]
'''

WORKFLOW = """\
# Runs on every push: the plugin against its manifest and contracts, then its tests.
name: check
on: [push, pull_request]
jobs:
  check:
    runs-on: ubuntu-latest
    env:
      REIDKIT: "reidkit>={major}.{minor},<{major}.{next}"  # or the address of reidkit's repository
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.11"}}
      - run: python -m pip install "$REIDKIT" pytest && python -m pip install .
      - run: reidkit plugins check {name}
      - run: python -m pytest -q
"""

IGNORE = """\
__pycache__/
*.egg-info/
build/
data/
runs/
"""

PROJECT = {
    "pyproject.toml": PYPROJECT,
    "README.md": README,
    "tests/conftest.py": CONFTEST,
    "tests/test_{name}.py": TEST,
    ".github/workflows/check.yml": WORKFLOW,
    ".gitignore": IGNORE,
}
