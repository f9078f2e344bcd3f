"""Problems of a config, collected and shown together: where, what, what would work."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reidkit.errors import UserError


@dataclass(frozen=True)
class Problem:
    """One problem of a config.

    Args:
        where: the key, dotted ("model.head.regions").
        what: what is wrong with it, one sentence.
        hint: what would work; a second line.
        command_line: the value came from the command line, not from the file.

    Example:
        >>> print(Problem("train.epoch", "unknown key", "did you mean 'epochs'?", True))
        train.epoch (command line): unknown key
              did you mean 'epochs'?
    """

    where: str
    what: str
    hint: str = ""
    command_line: bool = False

    def marked(self, overridden: Iterable[tuple[str, ...]]) -> Problem:
        """The problem, with the command line named where the key or one above it comes from it."""
        keys = (".".join(path) for path in overridden)
        from_there = any(f"{self.where}.".startswith(f"{key}.") for key in keys)
        return replace(self, command_line=self.command_line or from_there)

    def __str__(self) -> str:
        where = self.where + (" (command line)" if self.command_line else "")
        return f"{where}: {self.what}" + (f"\n      {self.hint}" if self.hint else "")


class ConfigError(UserError):
    """A config with problems; the text lists them all.

    Attributes:
        problems: the problems.
    """

    def __init__(self, source: str, problems: Sequence[Problem]):
        self.problems = list(problems)
        super().__init__(problems_text(source, problems))


def problems_text(source: str, problems: Sequence[Problem]) -> str:
    """All problems of a config as one numbered text.

    Example:
        >>> print(problems_text("configs/a.py", [Problem("plugins", "no plugin named 'b'")]))
        configs/a.py: 1 problem
         1. plugins: no plugin named 'b'
    """
    count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
    lines = [f"{number:2d}. {problem}" for number, problem in enumerate(problems, 1)]
    return "\n".join([f"{source}: {count}", *lines])


def suggest(word: str, words: Iterable[str], label: str = "available", where: str = "") -> str:
    """ "did you mean ...?" with the nearest word, then all of them.

    Args:
        word: what was written.
        words: what could have been.
        label: of the list of words.
        where: shown behind the nearest word, in brackets.

    Example:
        >>> suggest("sead", ["seed", "device"], "settings")
        "did you mean 'seed'?   settings: device, seed"
    """
    known = sorted(words)
    near = nearest(word, known)
    listed = f"{label}: {', '.join(known) or 'none'}"
    if near is None:
        return listed
    return f"did you mean {near!r}{f' ({where})' if where else ''}?   {listed}"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The most similar word, if one is similar; a name is also found without its prefix.

    Example:
        >>> nearest("PAPHead", ["mypaper/PAPHead", "BNNeckHead"]), nearest("x", ["seed"])
        ('mypaper/PAPHead', None)
    """
    known = list(words)
    bare = [name for name in known if name.rpartition("/")[2] == word.rpartition("/")[2]]
    near = bare or difflib.get_close_matches(word, known, n=1)
    return near[0] if near else None
