"""What can be wrong with a plugin, in words; locations as short as they can be."""

from __future__ import annotations

import linecache
import os
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path

from reidkit.errors import UserError

LONGEST = 600  # letters of one problem


class PluginError(UserError):
    """A plugin is missing, broken or unfit; the text names it, its version and its place."""


class ManifestError(PluginError):
    """A ``plugin.yaml`` that cannot be used; the text lists every problem in it.

    Args:
        path: the file.
        problems: one line each.

    Example:
        >>> print(ManifestError(Path("p/plugin.yaml"), ["name: missing", "api: missing"]))
        p/plugin.yaml: 2 problems
         1. name: missing
         2. api: missing
    """

    def __init__(self, path: Path, problems: Sequence[str]):
        # a value of a stranger may be as long as the file
        self.path, self.problems = path, [_cut(problem) for problem in problems]
        count = f"{len(self.problems)} problem" + ("s" if len(self.problems) != 1 else "")
        lines = [f" {i}. {problem}" for i, problem in enumerate(self.problems, 1)]
        super().__init__("\n".join([f"{display_path(path)}: {count}", *lines]))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def display_path(path: str | os.PathLike[str]) -> str:
    """A path as people read it: relative to the current folder when it lies in it.

    Example:
        >>> display_path(Path.cwd() / "plugins" / "mypaper")
        'plugins/mypaper'
    """
    try:
        return Path(path).absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return Path(path).as_posix()


def line_of(error: BaseException, folders: Iterable[Path]) -> str:
    """The innermost line of plugins in an error's traceback: file, number, text; "" if none is.

    Args:
        error: raised while a plugin was imported or one of its components ran.
        folders: of the plugins.

    Example:
        >>> line_of(ValueError("raised by nobody"), [Path("plugins/mypaper")])
        ''
    """
    if isinstance(error, SyntaxError) and error.filename:
        return _quoted(error.filename, error.lineno or 0)
    places = list(folders)
    inside = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if any(Path(frame.filename).is_relative_to(place) for place in places)
    ]
    return _quoted(inside[-1].filename, inside[-1].lineno or 0) if inside else ""


def _quoted(filename: str, number: int) -> str:
    return f"{display_path(filename)}, line {number}: {linecache.getline(filename, number).strip()}"


def format_error(error: Exception, folders: Iterable[Path]) -> str:
    """What an error says, below it the line of a plugin that led to it.

    An error that a plugin, or reidkit without one on the way, raises for people speaks for itself;
    any other is shown with its type.

    Args:
        error: raised by a component.
        folders: of the plugins.

    Example:
        >>> format_error(ValueError("k must be at least 1, got 0"), [])
        'k must be at least 1, got 0'
        >>> format_error(NameError("name 'part' is not defined"), [])
        "NameError: name 'part' is not defined"
    """
    text = str(error).strip()
    line = line_of(error, folders)
    meant = isinstance(error, (ValueError, KeyError, NotImplementedError))
    if isinstance(error, UserError) or (meant and text and _raised(error, line)):
        own = error.args[0] if isinstance(error, KeyError) and error.args else text
        return str(own)
    named = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return named + (f"\n{line}" if line else "")


def _raised(error: Exception, line: str) -> bool:
    """Whether a plugin's line is the ``raise`` of the error itself, or there is no such line."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    own = bool(last) and line == _quoted(last[0].filename, last[0].lineno or 0)
    return not line or (own and (last[0].line or "").startswith("raise"))
