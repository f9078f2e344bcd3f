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
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if line.endswith("%") and "query" in line)
    figures = line.split("%")[:3]
    pck, regions, iou = (float(figure.split()[-1]) for figure in figures)
    assert pck >= 90 and regions >= 92 and iou >= 60, line
    assert len(list((tmp_path / "json").glob("*.json"))) == 1
