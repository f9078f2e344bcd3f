"""The end of long work: tried before it starts, said in words, and nothing lost or left."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from reidkit.cli.common import run_cli
from reidkit.cli.test import main as run_test
from reidkit.cli.train import main as train
from reidkit.engine import run as engine
from reidkit.engine.folder import CHECKPOINT
from reidkit.engine.run import Run, complete_run
from reidkit.errors import UserError
from reidkit.utils.trouble import DiskError
from tests.reidkit.engine.conftest import TINY, on_a_small_disk

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_a_file_name_that_is_no_utf8(own_crops, tmp_path):
    folder = os.fsencode(tmp_path / "data" / "own" / "query" / "0501")
    os.rename(folder + b"/c1_0.jpg", folder + b"/c1_0\xe9.jpg")
    assert train([*own_crops, "settings.pictures=True"]) == 0
    run = tmp_path / "run"
    assert b"0501/c1_0\xe9.jpg," in (run / "queries_source.csv").read_bytes()
    assert (run / "metrics.json").exists() and (run / "ranks_source.png").exists()
    assert run_test([str(run), "--queries", str(tmp_path / "again")]) == 0
    again = (tmp_path / "again" / "queries_source.csv").read_bytes()
    assert again == (run / "queries_source.csv").read_bytes()


def test_a_damaged_test_image_is_known_before_training(own_crops, tmp_path):
    (tmp_path / "data" / "own" / "query" / "0503" / "c1_0.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"own/query: 1 of 16 images cannot be read.*\n.*0503/c1_0"):
        train(own_crops)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_checkpoint_is_plain_data(tiny_run):
    file = tiny_run("eanet/pcb").folder / CHECKPOINT
    content = torch.load(file, weights_only=True)  # as any other program reads it
    assert type(content["message_hub"]["runtime_info"]["epoch"]) is int
    assert set(content) >= {"meta", "state_dict", "optimizer", "message_hub"}


@pytest.mark.slow
def test_a_changed_byte_of_a_checkpoint_is_noticed_at_every_door(tiny_run):
    run = tiny_run("eanet/pcb", "train.epochs=2")
    file, state = run.folder / CHECKPOINT, run.model.state_dict()
    data = bytearray(file.read_bytes())
    weights = next(t for t in state.values() if t.dim() == 1 and len(t.unique()) > 4)
    data[data.index(weights.numpy().tobytes()) + 10] ^= 1
    file.write_bytes(data)
    (run.folder / "metrics.json").unlink()
    for door in (
        lambda: Run.open(run.folder),
        lambda: complete_run(run.cfg, run.folder, resume=True),
    ):
        with pytest.raises(UserError, match=r"last.pth: damaged, .* differs from its checksum"):
            door()


@pytest.mark.slow
def test_the_table_is_printed_whatever_becomes_of_the_files(tiny_run, monkeypatch, capsys):
    def full(path, columns):
        raise DiskError(f"{path}: the disk is full", 28)

    monkeypatch.setattr(engine, "write_queries", full)
    with pytest.raises(DiskError, match="queries_source.csv: the disk is full"):
        tiny_run("eanet/pcb")
    assert "tested on" in capsys.readouterr().out


def test_a_disk_without_room_for_a_checkpoint_is_refused_before_the_first_epoch(
    tiny_run, monkeypatch, capsys
):
    from reidkit.utils import trouble

    monkeypatch.setattr(
        trouble.shutil, "disk_usage", lambda path: type("", (), dict(free=100_000))()
    )
    with pytest.raises(DiskError, match="0.1 MB are free on the disk, and a checkpoint takes at"):
        tiny_run("eanet/pcb")
    assert "epoch 1" not in capsys.readouterr().out


@pytest.mark.slow
def test_numbers_are_compared_where_the_data_is_the_same(tiny_run, tiny_data, tmp_path, capsys):
    folder = tiny_run("eanet/pcb").folder
    (tmp_path / "moved").symlink_to(tiny_data)
    assert run_test([str(folder), f"settings.data_root={tmp_path / 'moved'}"]) == 0
    assert "equal to " in capsys.readouterr().out
    kept = json.loads((folder / "metrics.json").read_text())
    kept["tests"]["target"]["query_fingerprint"] = "of others"
    (folder / "metrics.json").write_text(json.dumps(kept))
    assert run_test([str(folder), "settings.workers=0"]) == 0
    assert "not compared with" in capsys.readouterr().out
    (folder / "metrics.json").write_text("[1]")
    with pytest.raises(UserError, match="metrics.json: no numbers of a run"):
        run_test([str(folder)])


def test_places_for_results_are_tried_first(tmp_path):
    with pytest.raises(UserError, match="is a folder; give a file's name"):
        run_test(["no run", "--out", str(tmp_path)])


def test_how_to_go_on_is_what_was_typed(tmp_path, capsys, monkeypatch, tiny_data):
    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "train", stop)
    monkeypatch.setattr("sys.argv", ["tools/train.py"])
    typed = ["eanet/pcb", *TINY, f"settings.data_root={tiny_data}"]
    assert run_cli(train, [*typed, "--work-dir", str(tmp_path / "run")]) == 130
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "interrupted" and err[1].startswith("go on with: python tools/train.py eanet")
    assert err[1].endswith(f"--work-dir {tmp_path / 'run'} --resume")
    assert run_cli(train, [*typed, f"settings.work_dir={tmp_path}"]) == 130
    name = tmp_path / "eanet-pcb-synthped_tiny-quick-s0"
    assert capsys.readouterr().err.splitlines()[1].endswith(f"--work-dir {name} --resume")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_stopped_training_goes_on(own_crops, tmp_path, number, status):
    command = [sys.executable, "tools/train.py", *own_crops, "train.epochs=2000"]
    command[command.index("settings.workers=0")] = "settings.workers=1"
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # the suite may run under nohup
    )  # fmt: skip
    deadline = time.time() + 120
    while not (tmp_path / "run" / CHECKPOINT).exists() and time.time() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status and "Traceback" not in err, err
    assert err.splitlines()[0] == f"stopped by {signal.Signals(number).name}"
    assert err.splitlines()[1].endswith("--resume")
    assert [path.name for path in (tmp_path / "run").rglob(".*")] == []
    assert torch.load(tmp_path / "run" / CHECKPOINT)["meta"]["epoch"] >= 1
    with pytest.raises(ProcessLookupError):  # workers follow their parent within moments
        for _ in range(500):
            os.killpg(process.pid, 0)
            time.sleep(0.02)


@pytest.mark.slow
def test_a_disk_that_fills_up_at_a_checkpoint(tiny_data, tmp_path):
    """Room for the first one, but not for two."""
    small = [one for one in TINY if not one.startswith("train.epochs")]
    command = " ".join(
        f"'{word}'" for word in [
            sys.executable, "tools/train.py", "eanet/pcb", *small, "train.epochs=3",
            f"settings.data_root={tiny_data}", "--work-dir", str(tmp_path / "disk" / "run"),
        ]
    )  # fmt: skip
    done = on_a_small_disk("900k", tmp_path / "disk", f"{command}; echo status $?")
    assert "status 2" in done.stdout and "Traceback" not in done.stderr, done.stderr
    assert "MB are free" in done.stderr and "MB are needed; make room" in done.stderr
    assert "go on with: python tools/train.py eanet/pcb" in done.stderr
    assert "epoch 1/3" in done.stdout and ".tmp" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_disk_that_fills_up_while_rendering(tmp_path, workers):
    script = (
        f"{sys.executable} tools/synthped.py --preset tiny --domains A --workers {workers} "
        f"--root {tmp_path / 'disk'}; echo status $?"
    )
    done = on_a_small_disk("100k", tmp_path / "disk", script)
    assert "status 2" in done.stdout and "Traceback" not in done.stderr, done.stderr
    assert "the disk is full" in done.stderr and "what is rendered is kept" in done.stderr
    assert ".tmp" not in done.stdout


@pytest.mark.slow
def test_an_extraction_that_was_broken_off_goes_on(tiny_run, tmp_path, capsys):
    from reidkit.cli.extract import main as extract

    folder = tiny_run("eanet/pcb").folder
    out = tmp_path / "features"
    assert extract([str(folder), "--out", str(out), "--tests", "source"]) == 0
    before = (out / "source" / "meta.json").stat().st_mtime_ns
    (out / ".target.4194305-01234567.tmp" / "query").mkdir(parents=True)  # by a killed process
    capsys.readouterr()
    assert extract([str(folder), "--out", str(out)]) == 0
    assert f"{out / 'source'}: is there already, from this run" in capsys.readouterr().out
    assert (out / "source" / "meta.json").stat().st_mtime_ns == before
    assert sorted(path.name for path in out.iterdir()) == ["source", "target"]
    with pytest.raises(UserError, match="source exists already, of another origin"):
        extract([str(folder), "--out", str(out), "input.resize=pil"])
    vectors = out / "source" / "query" / "vectors.npy"
    vectors.write_bytes(vectors.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(UserError, match="vectors.npy: damaged, it differs from its checksum"):
        extract([str(folder), "--out", str(out)])
