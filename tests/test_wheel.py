"""The wheel alone, in an empty folder: what it asks for, and that its demo runs from it."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from reidkit.version import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy so that the repository stays clean."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, files)):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    build = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([sys.executable, *build, str(folder / "source")], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_what_the_wheel_asks_for(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        meta = message_from_bytes(archive.read(name))
    wanted = meta.get_all("Requires-Dist")
    core = {re.split(r"[ <>=!;\[]", one)[0] for one in wanted if "extra ==" not in one}
    assert len(core) <= 15 and not core & {"mmpose", "mmcv", "mmcv-lite", "opencv-python"}
    extras = {"pose", "timm", "export", "runtime", "hub", "report", "dev"}
    assert extras <= set(meta.get_all("Provides-Extra"))
    pose = {one.split(";")[0].strip() for one in wanted if 'extra == "pose"' in one}
    assert "setuptools<82" in pose  # mmengine's pkg_resources


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel_in_an_empty_folder(wheel, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "reidkit.cli.main", "demo"],
        cwd=empty,
        env={**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert "it works" in done.stdout and str(ROOT) not in done.stdout
    run = empty / "reidkit-demo/run"
    assert (run / "metrics.json").is_file() and (run / "report.html").stat().st_size > 10_000
    assert list(run.glob("ranks_*.png"))
    report = (run / "report.html").read_text()
    assert "reidkit_configs/_base_/demo.py" in report and str(site) not in report
    where = [sys.executable, "-c", "import reidkit; print(reidkit.__file__)"]
    env = {**os.environ, "PYTHONPATH": str(site)}
    page = re.search(r"Next: reidkit train --help, (.+)", done.stdout)
    assert page and Path(page[1]).is_file() and page[1].startswith(str(site))
    used = subprocess.run(where, cwd=empty, env=env, capture_output=True, text=True).stdout
    assert used.startswith(str(site))  # the repository was not in the way


def test_the_commands_of_the_page_are_those_that_the_campaign_runs():
    """``tools/clean_install.py`` runs them in fresh environments, which takes gigabytes."""
    shown = runpy.run_path(str(ROOT / "tools" / "clean_install.py"))["shown"]
    blocks = shown((ROOT / "docs" / "install.md").read_text())
    wheel = f"reidkit-{__version__}-py3-none-any.whl"
    assert all(block.startswith("python -m pip install") for block in blocks.values())
    assert all(wheel in block for block in blocks.values())
    assert "mmpose==1.3.2 mmcv-lite==2.2.0\nreidkit generate-part-labels" in blocks["keypoints"]
    with pytest.raises(ValueError, match="no ```sh block below '## Keypoints with mmpose'"):
        shown(
            (ROOT / "docs" / "install.md").read_text().replace("```sh\npython -m pip install '", "")
        )
