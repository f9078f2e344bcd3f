"""Two processes started together on new data: both finish, with the numbers of a run alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reidkit.engine.conftest import TINY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


def test_two_runs_of_one_name_on_unlabelled_data(tiny_data, tmp_path):
    data, runs = tmp_path / "data", tmp_path / "runs"
    data.mkdir()
    for rendered in tiny_data.iterdir():
        if rendered.name != "part_labels":
            (data / rendered.name).symlink_to(rendered)
    where = [f"settings.data_root={data}", f"settings.work_dir={runs}"]
    command = [sys.executable, "tools/train.py", "eanet/pap_s_ps", *TINY, *where]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(2)
    ]
    said = [one.communicate(timeout=200)[0].decode() for one in both]
    assert [one.returncode for one in both] == [0, 0], "\n".join(said)
    folders = sorted(runs.iterdir())
    assert len(folders) == 2 and folders[1].name == f"{folders[0].name}-2"
    numbers = [json.loads((one / "metrics.json").read_text())["tests"] for one in folders]
    assert numbers[0] == numbers[1]
    stores = sorted(one.name for one in data.glob("part_labels/*/.*"))
    assert not stores and not list(data.glob("part_labels/*making*"))
