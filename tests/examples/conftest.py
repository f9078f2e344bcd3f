"""An example project as a stranger gets it: where it is installed, and what it may import."""

from __future__ import annotations

import ast
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PUBLIC = ("registry", "structures", "errors", "evaluation", "data", "plugin", "testing")


def _imported(path: Path) -> set[str]:
    """Dotted names that a file imports from reidkit."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] in ("reidkit", "reidkit_plugins")}


@pytest.fixture
def private_imports():
    """``private_imports(project)``: (file, name) of each import that is not public."""

    def found(project: Path) -> list[tuple[str, str]]:
        files = sorted(project.rglob("*.py"))
        assert len(files) >= 6, f"{project} is not the whole project"
        names = [(file.name, name) for file in files for name in sorted(_imported(file))]
        public = {f"reidkit.{part}" for part in PUBLIC}
        return [one for one in names if ".".join(one[1].split(".")[:2]) not in public]

    return found


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    """A fresh environment that sees reidkit and what it needs, but no plugin but the shipped ones.

    ``env(*command, status=0)`` gives what a command prints, or what it says where it is to fail.
    Without network: the packages of this environment are linked, not installed again.
    """
    folder = tmp_path_factory.mktemp("env")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
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
        return done.stdout if status == 0 else done.stderr

    return run


def _extra() -> list[str]:
    """Folders on the path of this interpreter that hold installed packages."""
    return [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and p != str(ROOT)]


@pytest.fixture
def install(env, tmp_path):
    """``install(project)``: a copy of the project, installed in ``env``; gives the copy."""

    def installed(project: Path) -> Path:
        copy = shutil.copytree(project, tmp_path / "project")  # building writes beside the sources
        options = ("--no-index", "--no-deps", "--no-build-isolation", "--quiet")
        env("python", "-m", "pip", "install", *options, str(copy))
        return copy

    return installed
