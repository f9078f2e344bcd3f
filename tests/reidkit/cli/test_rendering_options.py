"""Options with which nothing can be rendered or trained end in words, before anything is done."""

import pytest

from reidkit.cli import synthped, train_pose
from reidkit.cli.common import run_cli


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current folder, with a file and a link to itself."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize(
    "option, words",
    [
        (["--epochs", "0"], "--epochs 0: expected a whole number from 1"),
        (["--batch-size", "-8"], "--batch-size -8: expected a whole number from 1"),
        (["--worlds", "0"], "--worlds 0: expected a whole number from 1"),
        (["--workers", "-1"], "--workers -1: expected a whole number from 0"),
        (["--threads", "-1"], "--threads -1: expected a whole number from 0"),
        (["--seed", str(2**32)], "expected a whole number from 0 to 4294967295"),
        (["--rate", "nan"], "--rate nan: expected a finite number above 0"),
        (["--rate", "-1"], "--rate -1: expected a finite number above 0"),
        (["--weights", "missing.pth"], "missing.pth: no such checkpoint file"),
        (["--out", "file/x.safetensors"], "cannot be written (not a directory)"),
        (["--work-dir", "file"], "cannot be written (not a directory)"),
        (["--work-dir", "loop/below"], "cannot be written (too many levels of symbolic links)"),
    ],
)
def test_a_pose_model_that_cannot_be_trained(place, capsys, option, words):
    assert run_cli(train_pose.main, ["--preset", "tiny", *option]) == 2
    assert words in capsys.readouterr().err
    assert sorted(path.name for path in place.iterdir()) == ["file", "loop"]


@pytest.mark.parametrize(
    "option, words",
    [
        (["--workers", "-1"], "--workers -1: expected processes from 0"),
        (["--sheet", "file/x.png"], "file/x.png: cannot be written (not a directory)"),
        (["--sheet", "loop/x.png"], "cannot be written (too many levels of symbolic links)"),
        (["--root", "file"], "file/synthped/v3-tiny/A: cannot be written (not a directory)"),
        (["--root", "loop"], "cannot be written (too many levels of symbolic links)"),
    ],
)
def test_a_set_that_cannot_be_rendered(place, capsys, option, words):
    assert run_cli(synthped.main, ["--preset", "tiny", "--domains", "A", *option]) == 2
    assert words in capsys.readouterr().err
    assert sorted(path.name for path in place.iterdir()) == ["file", "loop"]
