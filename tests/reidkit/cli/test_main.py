"""One command, lazily dispatched, and how all of them end."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from reidkit.cli.common import run_cli, split_overrides
from reidkit.cli.main import COMMANDS, main
from reidkit.errors import UserError

ROOT = Path(__file__).parents[3]


def test_every_command_has_a_module():
    modules = {command: command.replace("-", "_") for command in COMMANDS}
    for command, module in modules.items():
        assert importlib.util.find_spec(f"reidkit.cli.{module}"), command


def test_every_command_has_a_tool_of_its_name_and_nothing_else_is_one():
    tools = {path.stem.replace("_", "-") for path in (ROOT / "tools").glob("*.py")}
    campaigns = {
        "chaos",
        "chaos-works",
        "clean-install",
        "fuzz",
        "gallery-kills",
        "gallery-rates",
        "link-rates",
        "service-load",
    }  # of this repository alone
    assert tools - campaigns == set(COMMANDS)


def test_usage_lists_every_command(capsys):
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "usage: reidkit <command> ...   (reidkit <command> --help explains one)"
    assert [line.split()[0] for line in lines[2:]] == list(COMMANDS)
    assert main([]) == 2


def test_unknown_command_suggests(capsys):
    assert main(["trian"]) == 2
    assert capsys.readouterr().err == (
        f"no command 'trian'; did you mean 'train'? commands: {', '.join(COMMANDS)}\n"
    )


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "reidkit 0.1.0\n"


def refuse(argv):
    raise UserError("no such folder")


def test_user_errors_have_no_traceback_without_debug(capsys):
    assert run_cli(refuse, []) == 2
    assert capsys.readouterr().err == "no such folder\n"
    with pytest.raises(UserError):
        run_cli(refuse, ["--debug"])


def test_other_errors_pass_and_interrupts_are_short(capsys):
    def interrupt(argv):
        raise KeyboardInterrupt

    assert run_cli(interrupt, []) == 130
    assert capsys.readouterr().err == "interrupted\n"
    with pytest.raises(ZeroDivisionError):
        run_cli(lambda argv: 1 // 0, [])
    assert run_cli(lambda argv: None, []) == 0 and run_cli(lambda argv: 3, []) == 3


def test_split_overrides_keeps_options_with_equals():
    overrides, others = split_overrides(["a.py", "--work-dir=x", "~b", "c=1=2", "-v", "+d=1"])
    assert (overrides, others) == (["~b", "c=1=2", "+d=1"], ["a.py", "--work-dir=x", "-v"])
    address = "s3://bucket/day=1/a.tar"
    assert split_overrides([address, "a.b=c/d"]) == (["a.b=c/d"], [address])


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("train", "config [key=value ...]"),
        ("test", "run [key=value ...]"),
        ("extract", "run [key=value ...]"),
        ("generate", "run [key=value ...]"),
        ("evaluate", "features [labels] [key=value ...]"),
    ],
)
def test_usage_shows_where_overrides_stand(command, usage, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert f" {usage}\n" in capsys.readouterr().out
    needed = ["--out=x"] if command == "extract" else []
    assert main([command, "a", "b", "c", *needed]) == 2
    said = capsys.readouterr().err
    assert said.endswith(" is no override; write key=value, +key=value or ~key\n")


def test_overrides_in_the_way_of_mmengine(capsys):
    assert main(["train", "eanet/pcb", "--check", "--cfg-options", "train.epochs=abc"]) == 2
    said = capsys.readouterr().err.splitlines()[1]
    assert said == " 1. train.epochs (command line): expected int such as 10, got 'abc' (text)"


TRAINED = {
    "tools/train.py": [
        "  python tools/train.py CONFIG",
        "  torchrun --nproc-per-node 4 tools/train.py CONFIG recipe=paper",
    ],
    "/usr/bin/reidkit": [
        "  reidkit train CONFIG",
        "  torchrun --nproc-per-node 4 -m reidkit.cli.main train CONFIG recipe=paper",
    ],
}


@pytest.mark.parametrize("program", TRAINED)
def test_examples_are_shown_as_they_are_typed(program, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [program])
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    lines = capsys.readouterr().out.split("examples:\n")[1].splitlines()
    assert [lines[0], lines[-2]] == TRAINED[program]


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_name_commands_that_exist(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    named = re.findall(r"^  reidkit (\S+)", capsys.readouterr().out, re.MULTILINE)
    assert set(named) <= set(COMMANDS)
