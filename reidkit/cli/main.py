"""``reidkit <command>``: finds the command and imports only that one."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence

from reidkit.cli.common import leave, run_cli
from reidkit.errors import UserError
from reidkit.version import __version__

# command -> one line of help; its module below reidkit.cli has the same name, and so its tool
COMMANDS = {
    "demo": "see that this installation works, from pixels to report",
    "train": "train a method and test it",
    "test": "test a run again from its folder",
    "extract": "embeddings of test sets, or of any images, kept in files",
    "export": "a model as a file that other programs run (ONNX, OpenVINO)",
    "save": "a model as a folder of data, with its card",
    "push": "send a saved model to a hub",
    "pull": "copy a model from a hub",
    "evaluate": "score features from any source under a named protocol",
    "gallery": "enrol people, search for them, erase them",
    "serve": "a gallery over HTTP: enrol, search, erase",
    "compare": "test whether two runs differ, query by query",
    "browse": "look through a data set, search it, correct labels; in the browser",
    "report": "show and explain a run, or two, as one HTML file",
    "doctor": "examine a data set or this installation",
    "crops": "cut crops out of sequences or videos",
    "link": "give tracks of several cameras common identities",
    "plugins": "list, show, find, check and start plugins",
    "docs": "make the pages that are generated",
    "show-correspondences": "draw the local matches behind a ranking",
    "synthped": "render the synthetic benchmark, or a sheet of it",
    "generate-part-labels": "make part labels of crops with mmpose",
    "train-pose": "train the small pose model that ships",
    "bench": "measure the hot paths against plain ways",
    "gpu": "measure what a GPU has to show, in stages that resume",
    "reproduce": "make a method's results page, all variants and seeds",
    "generate": "images, composites and their quality from a generative run",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, as the console script ``reidkit`` does.

    Args:
        argv: command and its arguments; those of the process by default.

    Returns:
        The exit status.
    """
    return run_cli(dispatch, argv)


def dispatch(argv: list[str]) -> int | None:
    """Hand the arguments to the command that the first one names.

    Raises:
        UserError: unknown command, with the nearest one.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] in ("-V", "--version"):
        print(f"reidkit {__version__}")
        return 0
    command, *rest = argv
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"no command {command!r}; {hint}commands: {', '.join(COMMANDS)}")
    module = importlib.import_module(f"reidkit.cli.{command.replace('-', '_')}")
    return module.main(rest)


def usage() -> str:
    """Every command with its line of help."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        ["usage: reidkit <command> ...   (reidkit <command> --help explains one)", "", *lines]
    )


def program() -> None:
    """The console script ``reidkit``."""
    leave(main())


if __name__ == "__main__":
    program()
