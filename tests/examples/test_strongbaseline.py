"""The example project as a stranger gets it: installed, listed, checked, trained, uninstalled."""

from __future__ import annotations

import ast
import json
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from reidkit.testing.fixtures import tiny_synthped  # noqa: F401

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "examples" / "reidkit-strongbaseline"
PUBLIC = ("registry", "structures", "errors", "evaluation", "data", "plugin", "testing")


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports from reidkit."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] in ("reidkit", "reidkit_plugins")}


def test_it_uses_the_public_api_only():
    files = sorted(PROJECT.rglob("*.py"))
    assert len(files) >= 5
    for file in files:
        for name in imported(file):
            assert name.split(".")[0] == "reidkit" and name.split(".")[1] in PUBLIC, (file, name)


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    """A fresh environment that sees reidkit and what it needs, but no plugin but the shipped ones.

    Without network: the packages of this environment are linked, not installed again.
    """
    folder = tmp_path_factory.mktemp("env")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    own = sysconfig.get_path("purelib", "venv", {"base": str(folder)})
    linked = [str(ROOT), *site.getsitepackages(), *_extra()]
    # in front: a fresh environment of Python 3.11 brings a setuptools too old to build wheels
    Path(own, "linked.pth").write_text(f"import sys; sys.path[:0] = {linked!r}\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("REIDKIT", "PYTHON", "PIP"))}
    kept |= dict(OMP_NUM_THREADS="1", PATH=f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def run(*command: str, status: int = 0) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, env=kept, cwd=folder, timeout=600
        )
        assert done.returncode == status, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    return run


def _extra() -> list[str]:
    """Folders on the path of this interpreter that hold installed packages."""
    return [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and p != str(ROOT)]


@pytest.mark.slow
def test_installed_listed_checked_trained_uninstalled(env, tiny_synthped, tmp_path):  # noqa: F811
    reidkit = ("python", "-m", "reidkit.cli.main")
    assert "strongbaseline" not in env(*reidkit, "plugins", "list")
    copy = shutil.copytree(PROJECT, tmp_path / "project")  # building writes beside the sources
    options = ("--no-index", "--no-deps", "--no-build-isolation", "--quiet")
    env("python", "-m", "pip", "install", *options, str(copy))
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
