"""Limits of the machine as users meet them, in processes of their own: words and status."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.reidkit.engine.conftest import ROOT, TINY, on_a_small_disk

pytestmark = pytest.mark.slow


def limited(limit: str, tool: str, *arguments: object, **environment: str):
    """Run a tool under a limit of the shell, as in ``ulimit -f 8``."""
    command = [sys.executable, f"tools/{tool}.py", *map(str, arguments)]
    return subprocess.run(
        ["bash", "-c", f'{limit or "true"}; exec "$@"', "bash", *command], cwd=ROOT, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, capture_output=True,
    )  # fmt: skip


def unfinished(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]


def test_a_checkpoint_larger_than_may_be_written(tiny_data, tmp_path):
    run = tmp_path / "run"
    where = [f"settings.data_root={tiny_data}", "--work-dir", run]
    done = limited("ulimit -f 100", "train", "eanet/pcb", *TINY, *where)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    said = done.stderr.splitlines()
    assert any("last.pth: larger than this process may write (ulimit -f)" in line for line in said)
    assert said[-1].startswith("go on with: python tools/train.py") and "--resume" in said[-1]
    assert list((run / "checkpoints").iterdir()) == [] and unfinished(run) == []


def test_features_larger_than_may_be_written(tiny_run, tmp_path):
    folder = tiny_run("eanet/pcb", 'data.tests=["source"]').folder
    done = limited("ulimit -f 4", "extract", folder, "--out", tmp_path / "features")
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "features/source: only a part of it could be written" in done.stderr
    assert list((tmp_path / "features").iterdir()) == []


def test_too_little_memory_to_start(tmp_path):
    done = limited("ulimit -v 400000", "train", "eanet/pcb", *TINY, "--work-dir", tmp_path / "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("too little memory to load a library (")
    assert done.stderr.endswith("raise ulimit -v\n") and not (tmp_path / "run").exists()


def test_features_larger_than_the_memory(tmp_path):
    """A table of 6 GB, of which the disk holds nothing but the head."""
    with open(tmp_path / "f.npy", "wb") as file:
        head = dict(descr="<f4", fortran_order=False, shape=(1_500_000, 1000))
        np.lib.format.write_array_header_1_0(file, head)
        file.truncate(file.tell() + 1_500_000 * 4000)
    (tmp_path / "l.csv").write_text("identity,camera,split\n1,1,query\n1,2,gallery\n")
    results = tmp_path / "r.json"
    done = limited("ulimit -v 6000000", "evaluate", tmp_path / "f.npy", tmp_path / "l.csv",
                   "--out", results)  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "f.npy: out of memory" in done.stderr or "this machine has" in done.stderr
    assert not results.exists()


def test_features_on_a_disk_that_fills_up(tiny_run, tmp_path):
    disk, folder = tmp_path / "disk", tiny_run("eanet/pcb", 'data.tests=["source"]').folder
    script = (
        f"{sys.executable} tools/extract.py {folder} --out {disk}/features; echo status $?; "
        f"ls -A {disk}/features"
    )
    done = on_a_small_disk("12k", disk, script)
    assert "status 2" in done.stdout and "Traceback" not in done.stderr, done.stderr
    assert "the disk is full" in done.stderr and "features" in done.stderr, done.stderr
    assert "is kept: type the command again" in done.stderr and ".tmp" not in done.stdout


def test_shared_memory_that_is_too_small(own_crops, tmp_path):
    command = " ".join(f"'{word}'" for word in [sys.executable, "tools/train.py", *own_crops])
    workers = command.replace("settings.workers=0", "settings.workers=1")
    done = on_a_small_disk(
        "100k", tmp_path / "disk", f"mount --bind {tmp_path / 'disk'} /dev/shm; "
        f"{workers.replace('(96,32)', '(256,128)')}; echo status $?",
    )  # fmt: skip
    assert "status 2" in done.stdout and "Traceback" not in done.stderr, done.stderr
    assert "the shared memory in /dev/shm ran out" in done.stderr
    assert "settings.workers lower" in done.stderr and "--resume" in done.stderr


def test_file_names_where_the_locale_knows_no_letters_of_theirs(own_crops, tmp_path):
    """Training, test and tables under plain ASCII give the names back byte for byte."""
    query = os.fsencode(tmp_path / "data" / "own" / "query" / "0501")
    names = [b"c1_0\xe9.jpg", "c2_ü 日本.jpg".encode()]
    for old, new in zip((b"c1_0.jpg", b"c2_0.jpg"), names, strict=True):
        os.rename(query + b"/" + old, query + b"/" + new)
    plain = dict(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    done = limited("", "train", *own_crops, "settings.pictures=True", **plain)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "run" / "queries_source.csv").read_bytes()
    assert all(b"0501/" + name + b"," in table for name in names)
    again = [tmp_path / "run", "--queries", tmp_path / "again"]
    done = limited("", "test", *again, **plain)
    assert done.returncode == 0 and "equal to" in done.stdout, done.stderr
    assert (tmp_path / "again" / "queries_source.csv").read_bytes() == table


def test_a_run_folder_that_the_locale_cannot_write(own_crops, tmp_path):
    """TensorBoard's file writer takes UTF-8 only; the way out is said."""
    place = own_crops[:-1] + [str(tmp_path / "läufe ü")]
    done = limited("", "train", *[word for word in place if word != "visualizers=[]"],
                   LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "rename it, or set PYTHONUTF8=1 and LC_ALL=C.UTF-8" in done.stderr
