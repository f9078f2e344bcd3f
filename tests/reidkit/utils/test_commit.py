"""The commit's name, and the mark of changed files; in a folder without git there is none."""

import shutil
import subprocess
from pathlib import Path

from reidkit.utils import commit as module


def git(folder, *words):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *words],
        check=True,
        capture_output=True,
    )


def test_changed_files_are_marked(tmp_path, monkeypatch):
    file = Path(shutil.copy(module.__file__, tmp_path))
    monkeypatch.setattr(module, "__file__", str(file))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert module.commit() == "unknown"
    git(tmp_path, "init")
    git(tmp_path, "add", file.name)
    git(tmp_path, "commit", "-m", "first")
    name = module.commit()
    assert len(name) >= 7 and not name.endswith("+")
    file.write_text("changed")
    assert module.commit() == f"{name}+"
