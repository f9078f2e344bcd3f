"""The example project as a stranger gets it: installed, listed, checked, trained, uninstalled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reidkit.testing.fixtures import tiny_synthped  # noqa: F401

PROJECT = Path(__file__).parents[2] / "examples" / "reidkit-strongbaseline"


def test_it_uses_the_public_api_only(private_imports):
    assert private_imports(PROJECT) == []


@pytest.mark.slow
def test_installed_listed_checked_trained_uninstalled(env, install, tiny_synthped, tmp_path):  # noqa: F811
    reidkit = ("python", "-m", "reidkit.cli.main")
    assert "strongbaseline" not in env(*reidkit, "plugins", "list")
    copy = install(PROJECT)
    listed = env(*reidkit, "plugins", "list")
    assert "strongbaseline  0.1.0     losses 1   (entry point 'strongbaseline = " in listed
    checked = env(*reidkit, "plugins", "check", "strongbaseline").splitlines()
    assert checked[-1].endswith("checks passed") and not any("BROKEN" in line for line in checked)
    own = env("python", "-m", "pytest", "-q", "-k", "not learns", str(copy / "tests"))
    assert "passed" in own.splitlines()[-1] and "failed" not in own
    run = tmp_path / "run"
    small = ("train.epochs=3", "settings.workers=0", "settings.pictures=False")
    out = env(
        *reidkit, "train", "strongbaseline/bot", "data=synthped_tiny",
        f"settings.data_root={tiny_synthped}", *small, "--work-dir", str(run),
    )  # fmt: skip
    assert "plugins: strongbaseline" in out and "(id " in out and "centre " in out
    result = json.loads((run / "metrics.json").read_text())["tests"]
    assert set(result) == {"source", "target"}
    assert "to the last digit" in env(*reidkit, "test", str(run))
    env("python", "-m", "pip", "uninstall", "--yes", "--quiet", "reidkit-strongbaseline")
    assert "strongbaseline" not in env(*reidkit, "plugins", "list")
    env(*reidkit, "train", "strongbaseline/bot", "--check", status=2)
