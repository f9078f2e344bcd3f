import subprocess
import sys
from pathlib import Path

import pytest

from reidkit.cli.common import run_cli
from reidkit.cli.generate_part_labels import main

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("tool", ["generate_part_labels", "train_pose"])
def test_help_is_printed_without_torch_or_mmpose(tool):
    code = (
        f"import sys, runpy; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_path('tools/{tool}.py', run_name='__main__')\n"
        "except SystemExit as done: assert not done.code\n"
        "assert not {'torch', 'mmpose'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: reidkit" in done.stdout


def test_wrong_arguments_are_told(tmp_path, capsys):
    root = ["--data-root", str(tmp_path)]
    for arguments, text in (
        (["Marked1501"], "no dataset named 'Marked1501'; did you mean 'Market1501'?"),
        (["SynthPed", "domian=B"], "dataset SynthPed: got an unexpected keyword argument 'domian'"),
        (["SynthPed", "domain=Z"], "SynthPed: domain must be one of ('A', 'B', 'P'), got 'Z'"),
        (["Market1501", "--score"], "--score needs data whose truth is known: SynthPed"),
    ):
        assert run_cli(main, [*arguments, *root]) == 2
        assert text in capsys.readouterr().err


@pytest.mark.slow
def test_labels_of_rendered_people_are_as_good_as_measured(tmp_path, capsys):
    """Generate, score and export through the command: what it prints as wanted is reached."""
    arguments = ["SynthPed", "domain=A", "preset=easy", "--data-root", str(tmp_path)]
    arguments += ["--split", "query", "--score", "--export", str(tmp_path / "json")]
    assert main([*arguments, "--workers", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("labels of"))
    columns = lines[head].split()[-6:]
    assert columns == ["PCK@0.2", "mIoU", "joints", "stored", "regions", "strict"]
    figures = dict(zip(columns, lines[head + 1].replace("%", "").split()[-6:], strict=True))
    for column, wanted in (("PCK@0.2", 90), ("mIoU", 60), ("regions", 92)):
        assert float(figures[column]) >= wanted, lines[head + 1]
    assert len(list((tmp_path / "json").glob("*.json"))) == 1
